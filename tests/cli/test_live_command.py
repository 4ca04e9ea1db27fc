"""`stunpcap live`: lines and tables, Ctrl-C, what is kept, and what goes wrong."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

import stunpcap
from stunpcap.cli import main
from tests.places import LAB, ROOT

DROP = LAB / "one-way-drop" / "offerer.pcap"
COMMAND = [sys.executable, "-c", "import sys; from stunpcap.cli import main; sys.exit(main())", "live"]


def run(*argv: str, data: bytes = b"", path: str | None = None) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "COLUMNS": "100", **({"PATH": path} if path is not None else {})}
    return subprocess.run([*COMMAND, *argv], input=data, capture_output=True, env=environment, cwd=ROOT, timeout=60)


def started(*argv: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen([*COMMAND, *argv], stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT)


def program(directory: Path, name: str, script: str) -> None:
    """A program that stands for tcpdump or dumpcap."""
    path = directory / name
    path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
    path.chmod(0o755)


def test_a_stream_that_ends() -> None:
    done = run("-", data=DROP.read_bytes())
    assert done.returncode == 0
    assert done.stderr == b""
    text = done.stdout.decode()
    lines, summary = text.split("\n\n", 1)
    assert "one-way-loss" in lines
    assert ": failed, packets: lost" in lines
    assert "Why: one-way-loss" in summary


def test_fail_on() -> None:
    assert run("-", "--fail-on", "error", data=DROP.read_bytes()).returncode == 1
    assert run("-", "--fail-on", "error", data=(LAB / "direct" / "offerer.pcap").read_bytes()).returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_tells_all_and_keeps_the_capture(number: int, tmp_path: Path) -> None:
    kept, data = tmp_path / "kept.pcap", DROP.read_bytes()
    with started("-", "-w", str(kept)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(data[:40001])
        process.stdin.flush()
        assert b"session 1" in process.stdout.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err == b""
    assert b"Candidate pairs" in out
    unwrapped = b"".join(out.split())  # a long path goes on in the next line
    assert b"stunpcappairs" in unwrapped or kept.name.encode() in unwrapped
    trace = stunpcap.read(kept)
    assert trace.sources[0].packets > 0
    assert not trace.sources[0].file_defects
    assert data.startswith(kept.read_bytes())


def test_ctrl_c_before_anything_came() -> None:
    with started("-") as process:
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, b"", b"stunpcap: no packet was captured\n")


def test_garbage_is_one_line() -> None:
    done = run("-", data=b"<html>" * 99)
    assert done.returncode == 3
    assert done.stdout == b""
    assert done.stderr.count(b"\n") == 1
    assert b"is no pcap" in done.stderr


def test_a_table_on_a_terminal() -> None:
    """Drawn in place, no higher than the window; the summary stays."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "LINES": "24", "COLUMNS": "100"}
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, "-"], stdin=pipe, stdout=follower, stderr=pipe, cwd=ROOT, env=environment) as one:
        os.close(follower)
        assert one.stdin is not None
        one.stdin.write(DROP.read_bytes())
        one.stdin.flush()
        time.sleep(2.0)
        one.stdin.close()
        said = b""
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:  # Linux says so when the other side is closed
                break
            if not piece:
                break
            said += piece
        assert one.wait(30) == 0
    os.close(leader)
    text = said.decode()
    assert "1 failed" in text or "1 checking" in text
    assert "Why: one-way-loss" in text


def test_tcpdump_or_dumpcap_is_started(tmp_path: Path) -> None:
    for name in ("tcpdump", "dumpcap"):
        where = tmp_path / name
        where.mkdir()
        program(where, name, f'echo "$@" > {where}/argv; cat {DROP}; sleep 1')
        done = run("-i", "eth7", "--filter", "udp", "-w", str(where / "kept.pcap"), path=str(where))
        assert done.returncode == 0, done.stderr
        assert b"Why: one-way-loss" in done.stdout
        argv = (where / "argv").read_text().split()
        assert argv[argv.index("-i") + 1] == "eth7"
        assert argv[-1] == "udp"
        assert (where / "kept.pcap").read_bytes() == DROP.read_bytes()


def test_the_second_program_where_the_first_may_not(tmp_path: Path) -> None:
    program(tmp_path, "tcpdump", "echo 'tcpdump: eth7: no permission' >&2; exit 1")
    program(tmp_path, "dumpcap", f"cat {DROP}; sleep 1")
    assert run("-i", "eth7", path=str(tmp_path)).returncode == 0
    program(tmp_path, "dumpcap", "echo 'Capturing on eth7' >&2; echo 'Operation not permitted' >&2; exit 1")
    done = run("-i", "eth7", path=str(tmp_path))
    assert done.returncode == 3
    assert done.stderr.count(b"\n") == 1
    for words in (b"tcpdump: eth7: no permission", b"dumpcap: Operation not permitted", b"root"):
        assert words in done.stderr


def test_neither_program_is_there(tmp_path: Path) -> None:
    done = run("-i", "eth7", path=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"apt install tcpdump" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("tcpdump"), reason="needs root and tcpdump")
def test_a_real_interface(tmp_path: Path) -> None:
    """A check on the loopback interface is there half a second later, and the file is whole."""
    kept = tmp_path / "kept.pcap"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here, socket.socket(type=socket.SOCK_DGRAM) as there:
        here.bind(("127.0.0.1", 0))
        there.bind(("127.0.0.1", 0))
        port = there.getsockname()[1]
        try:
            calls = stunpcap.live("lo", capture_filter=f"udp port {port}", write=kept, duration_s=30)
        except stunpcap.CaptureError as error:
            pytest.skip(str(error))
        with calls:
            here.sendto(struct.pack(">HHI", 1, 0, 0x2112A442) + os.urandom(12), there.getsockname())
            sent = time.monotonic()
            assert next(calls).messages["dst"].tolist() == [f"127.0.0.1:{port}"]
            assert time.monotonic() - sent < 10
    assert len(stunpcap.read(kept).messages) == 1


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "say where to capture"),
        (["-", "-i", "eth0"], "say where to capture"),
        (["call.pcap"], "stunpcap summary reads files"),
    ],
)
def test_what_makes_no_sense(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", *argv]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
