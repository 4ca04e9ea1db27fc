"""`--with` on commands; errors in one line; and no secret in any output."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

import stunpcap
from stunpcap.cli import main
from stunpcap.schema import FRAMES
from tests.places import LAB
from tests.signalling.samples import har, internals, rtcstats, truth_of

CAPTURE = str(LAB / "nats-stun" / "answerer.pcap")
TRUTH = truth_of("nats-stun")


def run(*arguments: str) -> tuple[int, str, str]:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = main(list(arguments))
    return status, out.getvalue(), err.getvalue()


@pytest.fixture
def dump(tmp_path: Path) -> str:
    path = tmp_path / "internals.json"
    path.write_text(internals(TRUTH, "answerer"))
    return str(path)


def test_with_on_a_frame(dump: str) -> None:
    status, out, err = run("candidates", CAPTURE, "--with", dump, "--columns", "address,type,offered")
    assert (status, err) == (0, "")
    (line,) = (line for line in out.splitlines() if line.startswith("203.0.113.10:43013 "))
    assert line.split()[1:] == ["srflx", "yes"] and "unknown" not in out


@pytest.mark.parametrize("frame", ["descriptions", "stats", "signalling"])
def test_its_own_frames(dump: str, frame: str) -> None:
    status, out, err = run(frame, CAPTURE, "--with", dump, "--json")
    assert (status, err) == (0, "") and out.count("\n") == len(stunpcap.read(CAPTURE, signalling=dump).table(frame)) > 0


def test_a_file_that_tells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing of use\n")
    status, out, err = run("summary", CAPTURE, "--with", str(path))
    assert (status, out) == (3, "") and err.count("\n") == 1 and str(path) in err


def test_damage_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "cut.har"
    path.write_text(har(TRUTH, "answerer")[:-200])
    status, _, err = run("candidates", CAPTURE, "--with", str(path))
    assert status == 0 and f"warning: {path}: JSON that cannot be read" in err
    assert "byte" in err and err.count("\n") == 1
    defects = stunpcap.read(CAPTURE, signalling=path).defects
    assert defects["layer"].tolist() == ["signalling"] and defects["offset"].notna().all()


def secrets(tmp_path: Path) -> tuple[list[Path], list[str]]:
    """Files of every kind that holds secrets, and the secrets."""
    paths = []
    for name, text in (
        ("dump", internals(TRUTH, "answerer")),
        ("har", har(TRUTH, "offerer")),
        ("rtcstats", rtcstats(TRUTH, "offerer")),
    ):
        paths.append(tmp_path / name)
        paths[-1].write_text(text)
    found = ["TOKEN123", "CREDENTIAL"]
    for who in ("offerer", "answerer"):
        for one in TRUTH[who]["descriptions"]:
            found += [line.split(":", 1)[1] for line in one["sdp"].splitlines() if line.startswith("a=ice-pwd:")]
    assert all(any(secret in path.read_text() for path in paths) for secret in found)
    return paths, found


def test_no_secret_is_in_any_output(tmp_path: Path) -> None:
    paths, hidden = secrets(tmp_path)
    given = [one for path in paths for one in ("--with", str(path))]
    outputs = []
    for command in [*FRAMES, "summary", "ladder"]:
        outputs.append(run(command, CAPTURE, *given))
        outputs.append(run(command, CAPTURE, *given, "--json"))
    outputs.append(run("report", CAPTURE, *given, "-o", str(tmp_path / "report.html")))
    outputs.append(run("report", CAPTURE, *given, "-o", str(tmp_path / "report.md")))
    for frame in ("candidates", "descriptions", "stats", "signalling"):
        run(frame, CAPTURE, *given, "-o", str(tmp_path / f"{frame}.parquet"))
        run(frame, CAPTURE, *given, "-o", str(tmp_path / f"{frame}.csv"))
    texts = [text for _, *both in outputs for text in both]
    made = [path.read_bytes() for path in tmp_path.iterdir() if path not in paths]
    assert len(made) == 10
    trace = stunpcap.read(CAPTURE, signalling=paths)
    texts += [repr(trace), str(trace), trace._repr_html_(), repr(trace.told), *map(repr, trace.told)]
    texts += [
        repr(one) for source in trace.told for one in (*source.descriptions, *source.configurations, *source.events)
    ]
    texts += [event.detail for source in trace.told for event in source.events]
    for secret in hidden:
        assert not any(secret in text for text in texts), secret
        assert not any(secret.encode() in data for data in made), secret


def test_no_secret_is_in_an_error(tmp_path: Path) -> None:
    for number, text in enumerate(("a=ice-pwd:SECRETSECRETSECRETSECRET", '{"credential": "SECRET", "candidate": "x')):
        path = tmp_path / str(number)
        path.write_text(text)
        _, out, err = run("summary", CAPTURE, "--with", str(path))
        assert "SECRET" not in out + err


def test_hostile_texts_are_harmless(tmp_path: Path) -> None:
    path = tmp_path / "hostile.log"
    path.write_text(
        'RTCIceCandidate {candidate: "candidate:\x1b[31m1 1 udp 1686052607 203.0.113.10 43013 typ srflx raddr '
        '192.168.10.10 rport 43013", sdpMid: "0"}\n<script>alert(1)</script> iceConnectionState: failed\n'
        '{"type":"offer","sdp":"v=0\\r\\no=-\\r\\nm=audio 9 X 0\\r\\na=ice-ufrag:m3dy\\r\\na=mid:<b>\\u001b[2J\\r\\n'
        'a=setup:<script>\\r\\n"}\n'
    )
    for command in ("candidates", "descriptions", "signalling", "summary"):
        status, out, err = run(command, CAPTURE, "--with", str(path))
        assert status == 0 and "\x1b" not in out + err
    html = stunpcap.read(CAPTURE, signalling=path).to_html()
    assert html is not None and "<script>alert" not in html
