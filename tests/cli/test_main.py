"""The command as a whole: exit status, errors of one line, help that teaches, what it imports, how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

import stunpcap
from stunpcap.cli.app import COMMANDS, app
from stunpcap.cli.reference import reference
from stunpcap.schema import FRAMES
from tests.places import LAB, ROOT

DIRECT = LAB / "direct" / "answerer.pcap"
DEAD = LAB / "asymmetric-dead" / "answerer.pcap"
Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("argv", "status", "says"),
    [
        (["summary", "missing.pcap"], 3, "missing.pcap: cannot be opened: No such file or directory"),
        (["pairs", str(ROOT / "README.md")], 3, "README.md: is no pcap or pcapng"),
        (["messages", str(LAB)], 3, "Is a directory"),
        (["summary"], 2, "Missing argument 'TRACE...' (see stunpcap summary --help)"),
        (["nonsense"], 2, "nonsense"),
        (["pairs", "--nonsense", str(DIRECT)], 2, "--nonsense"),
        (["pairs", "--columns", "src,nope", str(DIRECT)], 2, "there is no column nope; pairs has session_id"),
        (["pairs", "--columns", ",", str(DIRECT)], 2, "--columns names no column"),
        (["pairs", "--columns", "src", "--all-columns", str(DIRECT)], 2, "exclude each other"),
        (["pairs", "--json", "--format", "csv", str(DIRECT)], 2, "exclude each other"),
        (["pairs", "--session", "99", str(DIRECT)], 2, "there is no session 99; the trace has 1"),
        (["summary", "--session", "99", str(DIRECT)], 2, "there is no session 99; the trace has 1"),
        (["pairs", "--session", "0", str(DIRECT)], 2, "--session"),
        (["pairs", "-o", "pairs.txt", str(DIRECT)], 2, "must end with .csv"),
        (["pairs", "-o", "missing/pairs.csv", str(DIRECT)], 2, "missing/pairs.csv cannot be written"),
        (["pairs", "--format", "csv", "-o", str(DIRECT), str(DIRECT)], 2, "is the capture itself"),
        (["pairs", "--password", "hush", str(DIRECT)], 2, "--password number 1 must look like USER=SECRET"),
        (["pairs", "--passwords", "missing.json", str(DIRECT)], 2, "missing.json cannot be read"),
        (["pairs", "--passwords", str(ROOT / "README.md"), str(DIRECT)], 2, "cannot be read"),
        (["pairs", "--name", "a", "--name", "b", str(DIRECT)], 2, "2 names"),
        (["show", str(DIRECT), "99999"], 2, "no STUN message in frame 99999"),
        (["show", str(DIRECT), "1"], 2, "no STUN message in frame 1"),
        (["show", str(DIRECT), "x"], 2, "FRAME"),
        (["show", str(DIRECT), "3", "--vantage", "nobody"], 2, "nobody"),
        (["completion", "tcsh"], 2, "tcsh"),
    ],
)
def test_what_goes_wrong_is_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], status: int, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*argv)
    assert done.status == status
    assert done.out == ""
    assert done.err.startswith("stunpcap: ")
    assert done.err.count("\n") == 1
    assert says in done.err


def test_secrets_are_not_repeated(run: Run) -> None:
    assert "hush" not in run("pairs", "--password", "hush", DIRECT).err


def test_damage_is_a_warning_and_the_rest_is_printed(run: Run, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(DIRECT.read_bytes()[:5000])
    done = run("summary", cut)
    assert done.status == 0
    assert done.err.startswith(f"stunpcap: warning: {cut}: ends in the middle of a record")
    assert done.err.count("\n") == 1
    assert "Damaged, odd or not read" in done.out
    assert "Session 1  ✓ connected" in done.out


def test_a_fault_of_its_own_is_one_line_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by\nzero \x1b[31m")

    monkeypatch.setattr("stunpcap.trace.read", fail)
    done = run("summary", DIRECT)
    assert done.status == 70
    assert done.err.startswith("stunpcap: internal error: ZeroDivisionError: by zero \\x1b[31m")
    assert done.err.count("\n") == 1
    monkeypatch.setenv("STUNPCAP_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run("summary", DIRECT)


def test_stopped_by_hand(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stunpcap.trace.read", stop)
    done = run("summary", DIRECT)
    assert (done.status, done.out, done.err.strip()) == (130, "", "")


def test_version(run: Run) -> None:
    assert run("--version").out == f"stunpcap {stunpcap.__version__}\n"


def test_without_arguments_it_explains_itself(run: Run) -> None:
    done = run()
    assert done.status == 2
    assert done.out == ""
    assert "Try first:" in done.err
    assert run("--help").out.startswith("Usage: stunpcap")
    assert run("-h").out == run("--help").out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches(run: Run, name: str) -> None:
    done = run(name, "--help")
    assert done.status == 0
    command = app.get_command(click.Context(app), name)
    assert command is not None and command.short_help
    assert f"stunpcap {name} " in done.out.split("\n", 2)[2], "no example"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts} has no help"
    assert command.short_help in run("--help").out


def test_every_frame_has_a_command() -> None:
    assert set(FRAMES) <= set(COMMANDS)


def test_the_reference_is_current() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == reference(), "python -m stunpcap.cli.reference > docs/cli.md"
    for name in COMMANDS:
        assert f"## `stunpcap {name}`" in page


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run: Run, shell: str) -> None:
    done = run("completion", shell)
    assert done.status == 0
    assert "_STUNPCAP_COMPLETE" in done.out


def test_completion_completes(run_apart: Run) -> None:
    code = "import sys; from stunpcap.cli import main; sys.exit(main([]))"
    done = run_apart(code, _STUNPCAP_COMPLETE="bash_complete", COMP_WORDS="stunpcap sess", COMP_CWORD="1")
    assert done.stdout == "plain,sessions\n"
    assert done.returncode == 0


NOT_FOR_A_SUMMARY = (
    *("pandas", "pyarrow", "rich", "numba", "llvmlite", "numpy.ma", "numpy.random", "numpy.polynomial"),
    *("bz2", "lzma", "hashlib", "shutil", "queue", "base64", "subprocess", "tempfile", "logging", "unicodedata"),
    *("stunpcap.capture.sniff", "stunpcap.stun.message", "stunpcap.ice.authenticity"),
    *("stunpcap.summary.terminal", "stunpcap.summary.text", "stunpcap.engines.feeding", "stunpcap.plots.styles"),
    *("stunpcap.notebook", "stunpcap.extract", "stunpcap.watch", "stunpcap.ladder", "stunpcap.report"),
)
"""What `summary --json` of a small capture does without; all of it together would take a third of its time again."""


@pytest.mark.parametrize(
    ("argv", "absent"),
    [
        (["--help"], ("numpy", "pandas", "rich", "numba", "pyarrow")),
        (["pairs", "--help"], ("numpy", "pandas", "rich", "numba", "pyarrow")),
        (["completion", "bash"], ("numpy", "pandas", "rich", "numba", "pyarrow")),
        (["pairs", "--nonsense"], ("numpy", "pandas", "rich", "numba", "pyarrow")),
        (["summary", str(DIRECT)], ("pandas", "rich", "numba", "pyarrow")),
        (["summary", "--json", str(DIRECT)], NOT_FOR_A_SUMMARY),
        (["summary", "--json", str(DEAD)], NOT_FOR_A_SUMMARY),
        (["summary", "--json", str(LAB / "turn-tls-keylog" / "offerer.pcap")], NOT_FOR_A_SUMMARY),
        (["summary", "--json", str(LAB / "mdns-unresolved" / "offerer.pcap")], NOT_FOR_A_SUMMARY),
        (["summary", "--json", str(LAB / "turn-udp" / "offerer.pcap")], NOT_FOR_A_SUMMARY),
        (["pairs", str(DIRECT)], ("pandas", "rich", "numba", "pyarrow")),
        (["messages", "--format", "csv", str(DIRECT)], ("pandas", "rich", "numba", "pyarrow")),
        (["show", str(DIRECT), "3"], ("pandas", "rich", "numba", "pyarrow")),
    ],
)
def test_only_what_is_needed_is_imported(run_apart: Run, argv: list[str], absent: tuple[str, ...]) -> None:
    code = (
        f"import sys; from stunpcap.cli import main; main({argv!r});"
        f"print('IMPORTED', [name for name in {absent!r} if name in sys.modules])"
    )
    done = run_apart(code)
    assert done.stdout.endswith("IMPORTED []\n"), done.stdout[-200:] + done.stderr


def test_a_small_summary_imports_little_of_others(run_apart: Run) -> None:
    code = (
        "import sys; before = set(sys.modules); from stunpcap.cli import main;"
        f"main(['summary', '--json', {str(DIRECT)!r}]);"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print('IMPORTED', *sorted(new - sys.stdlib_module_names))"
    )
    assert run_apart(code).stdout.splitlines()[-1] == "IMPORTED click numpy orjson stunpcap"


def test_nothing_is_searched_for_cycles_when_the_process_ends(run_apart: Run) -> None:
    code = (
        "import atexit, gc; atexit.register(lambda: print('FROZEN', gc.get_freeze_count() > 0));"
        "from stunpcap.cli import main; main(['--version']); print('BEFORE', gc.get_freeze_count())"
    )
    done = run_apart(code)
    assert done.stdout.splitlines()[1:] == ["BEFORE 0", "FROZEN True"], done.stderr


@pytest.mark.parametrize("argv", [["messages"], ["messages", "--json"], ["messages", "--format", "csv"], ["summary"]])
def test_nobody_reads_on(argv: list[str]) -> None:
    code = "import sys; from stunpcap.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", code, *argv, str(DEAD)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_standard_input() -> None:
    with DIRECT.open("rb") as capture:
        done = subprocess.run(
            [sys.executable, "-c", "import sys; from stunpcap.cli import main; sys.exit(main(['summary', '-']))"],
            stdin=capture,
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
    assert done.returncode == 0
    assert done.stdout.startswith("stdin: standard input\n")


def test_passwords_are_checked(run: Run, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.json"
    ufrag = next(row["username"] for row in _rows(run("messages", "--json", DIRECT).out) if row["username"]).split(":")
    secrets.write_text(json.dumps({ufrag[0]: "wrong"}))
    for given in (["--password", f"{ufrag[0]}=wrong"], ["--passwords", str(secrets)]):
        found = {row["integrity"] for row in _rows(run("messages", "--json", *given, DIRECT).out)}
        assert "invalid" in found


def _rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
