"""Every kind of evidence: a transcript that shows it, one that does not, and one that nearly does.

What each should say follows from the RFCs (sections in `stunpcap.evidence`) and from what libwebrtc sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from stunpcap.evidence import KINDS, MEANING, NAMES, SAYS, STRENGTH
from stunpcap.schema import CONFIDENCE
from tests.ice.transcript import read, rows

NAMED = """
    A  = 10.0.0.1:1000
    B  = 10.0.0.2:2000
    A' = 203.0.113.1:4000
    R  = 10.0.0.254:0
"""
A_B = "user=bbbb:aaaa controlling prio=100"
B_A = "user=aaaa:bbbb controlled prio=100"
A, B, OUTSIDE = "10.0.0.1:1000", "10.0.0.2:2000", "203.0.113.1:4000"


def asked(times: Any, name: str = "b", *, answered: bool = True, extra: str = "") -> str:
    """Checks of B, each with an id of its own, and A's answers."""
    lines = []
    for number, time in enumerate(times):
        lines.append(f"{time} B > A request {name}{number} {B_A} {extra}")
        if answered:
            lines.append(f"{time + 0.01} A > B success {name}{number} mapped=B")
    return "\n".join(lines) + "\n"


def steps(start: float, gap: float, count: int) -> list[float]:
    return [round(start + gap * number, 3) for number in range(count)]


UNANSWERED = "".join(f"{n} A > B request a{n} {A_B}\n" for n in range(1, 8))
ONE = f"0 A > B request a0 {A_B}\n"
ANSWERED = ONE + "0.1 B > A success a0 mapped=A\n"


@dataclass(frozen=True)
class Case:
    """Three transcripts; each is one capture, or several by name."""

    kind: str
    src: str
    dst: str
    fires: str | dict[str, str]
    quiet: str | dict[str, str]
    near: str | dict[str, str]
    strength: str = ""
    """What it is worth in `fires`; default: what the kind is worth at most."""
    form: str = "pcap"


def hops(text: str, from_a: int, from_b: int) -> str:
    """As captured in between, with these times to live."""
    return "\n".join(f"{line} ttl={from_a if ' A > ' in line else from_b}" for line in text.splitlines()) + "\n"


def at_a(text: str) -> str:
    """As A's host captures it, cooked headers and all."""
    return "\n".join(
        f"{line} {'out' if ' A > ' in line else 'in'}" if ">" in line else line for line in text.splitlines()
    )


def at_b(text: str) -> str:
    return "\n".join(
        f"{line} {'out' if ' B > ' in line else 'in'}" if ">" in line else line for line in text.splitlines()
    )


def only(text: str, sender: str) -> str:
    return "\n".join(line for line in text.splitlines() if f" {sender} > " in line) + "\n"


def both(count: int = 4) -> str:
    """B's checks, and A's answers: what both captures have."""
    return asked(steps(0, 2.0, count), "both")


def heard(count: int = 4) -> str:
    """B's checks alone."""
    return only(both(count), "B")


CROSSING = "".join(f"{n + 0.5} A > B request a{n} {A_B}\n" for n in range(5))
RTP = "".join(f"{1 + n / 10} A > B rtp\n" for n in range(20))

CASES = (
    Case("answered", A, B, ANSWERED, ONE + "60 end", ONE + "0.1 A' > A success a0 mapped=A"),
    Case(
        "answered-elsewhere",
        A,
        B,
        ONE + "0.1 A' > A success a0 mapped=A",
        ANSWERED,
        ONE + "0.1 A' > A success zz mapped=A",
    ),
    Case("mapped", A, B, ONE + "0.1 B > A success a0 mapped=A'", ANSWERED, ONE + "0.1 B > A error a0 code=401"),
    Case("seen-as", A, B, ONE + "0.1 B > A' success a0 mapped=A'", ANSWERED, ONE + "0.1 A' > A success a0 mapped=A"),
    Case(
        "answer-rewritten",
        B,
        A,
        ONE + "0.1 A' > A success a0 mapped=A",
        ANSWERED,
        ONE + "0.1 B > A' success a0 mapped=A'",
    ),
    Case(
        "orphan-answer",
        A,
        B,
        f"0 B > A request b0 {B_A}\n 0.1 B > A success zz mapped=A\n",
        ANSWERED,
        f"0 B > A request b0 {B_A}\n 0.1 A > B success b0 mapped=B\n",
    ),
    Case("received-here", B, A, at_a(asked([0])), at_b(asked([0])), at_a(ONE), form="cooked"),
    Case(
        "last-check-received",
        A,
        B,
        ONE + f"1 B > A request b0 {B_A} last=a0\n 2 end",
        ONE + f"1 B > A request b0 {B_A}\n 2 end",
        ONE + f"1 B > A request b0 {B_A} last=other\n 2 end",
    ),
    Case(
        "counted-answers",
        A,
        B,
        f"0 B > A request b0 {B_A} count=0\n 1 B > A request b1 {B_A} count=0\n",
        f"0 B > A request b0 {B_A}\n 1 B > A request b1 {B_A}\n",
        f"0 B > A request b0 {B_A} count=0\n 1 B > A request b1 {B_A} count=1\n",
    ),
    Case(
        "handshake",
        A,
        B,
        ANSWERED + "1 A > B dtls-hello\n 1.1 B > A dtls-protected\n 1.2 A > B dtls-protected\n",
        ANSWERED + "1 A > B dtls-hello\n 2 A > B dtls-hello\n",
        ANSWERED + "1 A > B dtls-hello\n 1.1 B > A dtls-protected\n",
    ),
    Case("heard", A, B, asked([0, 2.5, 5, 7.5]), asked([0, 0.5, 1.0, 1.5]), asked([0])),
    Case(
        "triggered",
        A,
        B,
        ONE + f"0.05 B > A request b0 {B_A}\n",
        ONE + f"0.5 B > A request b0 {B_A}\n",
        f"0 B > A request b0 {B_A}\n 0.05 A > B request a0 {A_B}\n",
    ),
    Case(
        "unheard",
        A,
        B,
        "".join(f"{t} B > A request b0 {B_A}\n {t + 0.01} A > B success b0 mapped=B\n" for t in (0, 0.5, 1.5, 3.5)),
        "".join(f"{t} B > A request b0 {B_A}\n" for t in (0, 0.5, 1.5, 3.5)),
        f"0 B > A request b0 {B_A}\n 0.5 B > A request b0 {B_A}\n 0.51 A > B success b0 mapped=B\n"
        f"0.52 B > A request b0 {B_A}\n",
    ),
    Case(
        "restless",
        A,
        B,
        asked(steps(0, 0.1, 120)),
        asked(steps(0, 2.5, 30)),
        asked(steps(0, 0.1, 40)) + asked(steps(5, 2.5, 5), "calm"),
    ),
    Case(
        "uncounted-answers",
        A,
        B,
        asked([0]) + f"2 B > A request b8 {B_A} count=1\n",
        asked([0]) + f"2 B > A request b8 {B_A} count=0\n",
        asked([0]) + f"2 B > A request b8 {B_A} count=0\n 3 B > A request b9 {B_A} count=1\n",
    ),
    Case(
        "one-sided",
        A,
        B,
        UNANSWERED + asked(steps(1.5, 0.5, 10)) + "60 end",
        UNANSWERED + "60 end",
        UNANSWERED + asked([8, 9, 10]) + "60 end",
    ),
    Case(
        "missed-transmissions",
        A,
        B,
        f"0 A > B request a0 {A_B} counter=1/0\n 0.5 A > B request a0 {A_B} counter=2/0\n"
        "0.6 B > A success a0 mapped=A counter=2/1\n",
        ANSWERED,
        f"0 A > B request a0 {A_B} counter=1/0\n 0.5 A > B request a0 {A_B} counter=2/0\n"
        "0.6 B > A success a0 mapped=A counter=2/2\n",
    ),
    Case(
        "icmp",
        A,
        B,
        ONE + "0.1 R > A icmp 3/13 quotes=a0\n 60 end",
        ONE + "60 end",
        ONE + "0.1 R > A icmp 4/0 quotes=a0\n 60 end",  # source quench: the packet is not lost
    ),
    Case(
        "crossed",
        A,
        B,
        {"a": at_a(heard() + CROSSING), "b": at_b(heard() + CROSSING)},
        {"a": at_a(heard() + CROSSING), "b": at_b(heard())},
        {"a": at_a(heard() + CROSSING), "b": at_b(heard() + CROSSING.replace("request a", "request other"))},
        form="cooked",
    ),
    Case(
        "crossed-rewritten",
        A,
        B,
        {"a": at_a(both() + CROSSING), "b": at_b(both() + CROSSING.replace("A > B", "A' > B"))},
        {"a": at_a(both() + CROSSING), "b": at_b(both() + CROSSING)},
        {"a": at_a(both() + CROSSING), "b": at_b(both() + CROSSING.replace("A > B request a", "A' > B request o"))},
        form="cooked",
    ),
    Case(
        "passed-by",
        B,
        A,
        {"a": hops(both(), 60, 63), "b": hops(both(), 61, 62)},
        {"a": hops(both(), 60, 63)},
        {"a": hops(both(), 60, 63), "b": hops(both(), 60, 63)},  # which is further on cannot be told
    ),
    Case(
        "vanished",
        A,
        B,
        {"a": at_a(both() + CROSSING), "b": at_b(only(both(), "B") + asked([9]))},
        {"a": at_a(both() + CROSSING), "b": at_b(both() + CROSSING)},
        {"a": at_a(both() + CROSSING.replace("a", "z").replace("zzzz", "aaaa")), "b": at_b(asked([100]))},
        form="cooked",
    ),
    Case(
        "media-vanished",
        A,
        B,
        {"a": at_a(both() + CROSSING + RTP), "b": at_b(both() + CROSSING)},
        {"a": at_a(both() + CROSSING + RTP), "b": at_b(both() + CROSSING + RTP)},
        {"a": at_a(both() + CROSSING + RTP), "b": at_b(both() + CROSSING + "1.5 A > B rtp\n")},
        form="cooked",
    ),
)


def evidence(texts: str | dict[str, str], form: str) -> list[dict[str, Any]]:
    captures = {"capture": texts} if isinstance(texts, str) else texts
    in_order = {name: "\n".join(sorted(filter(str.strip, text.splitlines()), key=lambda line: float(line.split()[0])))
                for name, text in captures.items()}  # fmt: skip
    trace = read(form=form, **{name: NAMED + text for name, text in in_order.items()})
    return rows(trace.evidence)


def found(case: Case, texts: str | dict[str, str]) -> list[dict[str, Any]]:
    return [
        row
        for row in evidence(texts, case.form)
        if (row["evidence"], row["src"], row["dst"]) == (case.kind, case.src, case.dst)
    ]


def test_every_kind_has_its_transcripts():
    assert sorted(case.kind for case in CASES) == sorted(NAMES)
    assert len(set(NAMES)) == len(NAMES)
    assert {kind.says for kind in KINDS} == set(SAYS) == set(MEANING)
    assert {kind.strength for kind in KINDS} <= set(STRENGTH) == set(CONFIDENCE)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_fires(case: Case):
    kind = next(kind for kind in KINDS if kind.name == case.kind)
    hits = found(case, case.fires)
    assert hits
    for hit in hits:
        assert (hit["says"], hit["strength"]) == (kind.says, case.strength or kind.strength)
        assert hit["count"] > 0
        assert hit["first_time"] <= hit["last_time"]
        assert (hit["first_frame"] is None) == (hit["last_frame"] is None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_stays_quiet(case: Case):
    assert found(case, case.quiet) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_near_miss(case: Case):
    assert found(case, case.near) == []


# What makes it worth less

REPEATED = f"1 B > A request u {B_A}\n 1.01 A > B success u mapped=B\n 3 B > A request u {B_A}\n"

LESS = (
    ("heard", A, B, asked([0, 2.5, 5]), "pcap"),
    ("unheard", A, B, asked([0]) + REPEATED, "pcap"),
    ("one-sided", A, B, UNANSWERED + asked([3]) + "60 end", "pcap"),
    ("icmp", A, B, ANSWERED + f"9 A > B request a9 {A_B}\n 9.1 B > A icmp 3/3 quotes=a9\n 60 end", "pcap"),
    ("vanished", A, B, {"a": at_a(heard() + f"3 A > B request z {A_B}\n"), "b": at_b(heard())}, "cooked"),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "src", "dst", "texts", "form"), LESS, ids=[one[0] for one in LESS])
def test_weaker(kind, src, dst, texts, form):
    hits = found(Case(kind, src, dst, texts, "", "", form=form), texts)
    assert [hit["strength"] for hit in hits] == ["low"]


def test_every_weaker_form_is_shown():
    assert {one[0] for one in LESS} == {kind.name for kind in KINDS if kind.weaker}


def test_a_capture_of_what_one_host_sent_misses_nothing():
    """B's capture holds answers to checks of A that it does not hold: what arrived was not captured."""
    sent = "".join(f"{n + 0.6} B > A success a{n} mapped=A\n" for n in range(5))
    texts = {"a": at_a(heard() + CROSSING), "b": at_b(heard() + sent)}
    assert not [row for row in evidence(texts, "cooked") if row["evidence"] == "vanished"]


def test_evidence_belongs_to_its_session():
    trace = read(NAMED + ANSWERED)
    assert set(trace.select(session=1).evidence["evidence"]) == set(trace.evidence["evidence"]) == {"answered"}


@pytest.mark.parametrize("kind", ["indication", "success", "request"])
def test_hints_where_there_are_no_checks(kind):
    """The only message of a capture names the last check that its sender received."""
    frame = read(NAMED + f"0 A > B {kind} a0 last=other").evidence
    assert "last-check-received" not in set(frame["evidence"])


def test_empty():
    frame = read("0 end").evidence
    assert len(frame) == 0
    assert list(frame["evidence"].cat.categories) == list(NAMES)
