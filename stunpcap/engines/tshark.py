"""tshark, as pyshark drives it: found, its version held against what is needed, started, and read to its end.

pyshark finds the program, makes its command line and its packets.  The process is run here: pyshark's own event loop
cannot run inside a notebook's, and loses what tshark says when it fails.
"""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from stunpcap.errors import CaptureError, EngineError, UsageError

if TYPE_CHECKING:
    from stunpcap.engines.options import Options

OLDEST = (4, 0)
"""The oldest tshark that this is known to work with."""
LAYERS = "frame ip ipv6 icmp icmpv6 udp tcp sll stun classicstun pkt_comment"
"""Layers that tshark writes out; of the others the bytes alone."""
PREFERENCES = {
    "tcp.desegment_tcp_streams": "TRUE",
    "tcp.reassemble_out_of_order": "TRUE",  # otherwise messages are lost where segments changed places
}
HEURISTIC = "stun_turn"
"""Off unless asked for: without it, checks inside TURN stay unseen."""
SCRIPT = Path(__file__).with_name("turn_over_tls.lua")
"""Calls tshark's dissector of STUN for what it decrypted, and stands in for the heuristic then."""
CHUNK = 1 << 18
_BETWEEN = f"{os.linesep}  }},{os.linesep}".encode()
_END = f"{os.linesep}  }}{os.linesep}".encode()

MISSING_PACKAGE = 'engine="pyshark" needs the package pyshark: pip install "stunpcap[pyshark]"'
MISSING_PROGRAM = (
    'engine="pyshark" needs tshark, Wireshark\'s command line: apt install tshark, dnf install wireshark-cli, '
    "brew install wireshark, or https://www.wireshark.org/download.html"
)


@functools.cache
def _version(program: str) -> tuple[int, ...]:
    """The version of a tshark."""
    from pyshark.tshark.tshark import TSharkVersionException, get_tshark_version

    try:
        found = get_tshark_version(program)
    except (OSError, ValueError, IndexError, subprocess.CalledProcessError, TSharkVersionException) as error:
        raise EngineError(f"{program} does not say which version it is; {MISSING_PROGRAM}") from error
    return tuple(found.release)


def find_tshark(options: Options) -> str:
    """The program.

    Raises
    ------
    EngineError
        pyshark or tshark is missing, or tshark is too old, or cannot do what is wanted.
    UsageError
        There is no such key log.
    """
    try:
        from pyshark.tshark.tshark import TSharkNotFoundException, get_process_path
    except ImportError as error:
        raise EngineError(MISSING_PACKAGE) from error
    try:
        program = str(get_process_path())
    except TSharkNotFoundException as error:
        raise EngineError(MISSING_PROGRAM) from error
    version = _version(program)
    if version < OLDEST:
        said = ".".join(map(str, version))
        raise EngineError(f"{program} is version {said}; {'.'.join(map(str, OLDEST))} or later is needed")
    if options.keylog is not None:
        if not Path(options.keylog).is_file():
            raise UsageError(f"the key log {os.fspath(options.keylog)} is no file")
        if not _runs_lua(program):
            raise EngineError(f"{program} was built without Lua, which looking into TURN over TLS takes")
    return program


@functools.cache
def _runs_lua(program: str) -> bool:
    said = subprocess.run([program, "-v"], capture_output=True, check=False).stdout
    return b"with Lua" in b" ".join(said.split())


def command(program: str, path: Path, options: Options) -> list[str]:
    """The command line that writes every packet as JSON, the bytes of each layer and field included."""
    import pyshark

    preferences = dict(PREFERENCES)
    if options.keylog is not None:
        preferences["tls.keylog_file"] = os.fspath(options.keylog)
    arguments = ["-J", LAYERS]
    if options.keylog is None:
        arguments += ["--enable-heuristic", HEURISTIC]
    else:
        arguments += ["-X", f"lua_script:{SCRIPT}"]
    capture = pyshark.FileCapture(
        path,
        keep_packets=False,
        use_json=True,
        include_raw=True,
        display_filter=options.display_filter,
        decode_as=dict(options.decode_as or {}),
        override_prefs=preferences,
        custom_parameters=arguments,
        eventloop=_NoLoop(),
    )
    return [program, "-n", "-T", "json", "--no-duplicate-keys", *capture.get_parameters()]


class _NoLoop:
    """Stands where pyshark would make an event loop."""


def packets(program: str, path: Path, name: str, options: Options) -> Iterator[Any]:
    """The packets of a capture, as pyshark makes them; the last item is what tshark complained of in the end, or "".

    Raises
    ------
    CaptureError
        tshark cannot read the file at all.
    UsageError
        tshark does not take the display filter, or another option.
    """
    from pyshark.tshark.output_parser.tshark_json import packet_from_json_packet

    with tempfile.TemporaryFile() as words, _started(command(program, path, options), words) as process:
        # its words go to a file: a pipe that nobody reads would block it
        assert process.stdout is not None
        count = 0
        for piece in _pieces(process.stdout):
            count += 1
            try:
                packet = packet_from_json_packet(piece.decode(errors="replace").encode())
            except KeyError as error:  # texts, pictures: to tshark one packet without time or protocols
                raise CaptureError(name, "is no capture: tshark reads it as a file of another kind") from error
            yield packet
        status = process.wait()
        problem = _complaint(words) if status else ""
        if status and not count and not _is_damage(problem):
            if "isn't a capture file" in problem or "doesn't exist" in problem:
                raise CaptureError(name, "is no capture that tshark reads")
            raise UsageError(f"tshark: {problem or f'ended with status {status}'}")
        yield problem


@contextlib.contextmanager
def _started(arguments: list[str], words: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, and see to it that it is gone at the end, however that comes."""
    try:
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words)
    except OSError as error:
        raise EngineError(f"{arguments[0]} cannot be started: {error.strerror}") from error
    try:
        yield process
    finally:
        if process.stdout is not None:
            process.stdout.close()
        if process.poll() is None:
            process.kill()
        process.wait()


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """The JSON of each packet out of tshark's array of packets."""
    rest = b""
    read = getattr(stream, "read1", stream.read)
    while chunk := read(CHUNK):
        *whole, rest = (rest + chunk).split(_BETWEEN)
        for piece in whole:
            yield piece.lstrip(b"[ \r\n") + b"}"
    end = rest.rfind(_END)
    if end >= 0:
        yield rest[:end].lstrip(b"[ \r\n") + b"}"


def _complaint(words: IO[bytes]) -> str:
    """The line in which tshark says what is wrong."""
    words.seek(0)
    lines = [line.strip() for line in words.read().decode(errors="replace").splitlines()]
    said = [line.removeprefix("tshark: ") for line in lines if line.startswith("tshark: ")]
    return said[0] if said else (lines[-1] if lines else "")


def _is_damage(problem: str) -> bool:
    return "cut short" in problem or "damaged or corrupt" in problem
