"""What came after ICE: consent, DTLS, media; who stopped, what was lost, and when that cannot be told."""

from __future__ import annotations

from struct import pack

import pytest

from tests.diagnose.calls import call, causes, checks, found, lab, only

GOOD_A = "B > A success ID mapped=A"
GOOD_B = "A > B success ID mapped=B"
UP = (
    checks("A > B", "a", 4, every=0.2, answer=GOOD_A, and_="controlling use"),
    checks("B > A", "b", 4, every=0.2, user="a:b", answer=GOOD_B, and_="controlled"),
)
"""Connected within a second."""


def consent(start: float, count: int, *, a: bool = True, b: bool = True) -> tuple[str, str]:
    """Consent checks of both, every 2 s; whether those of A and of B are answered."""
    return (
        checks("A > B", "c", count, start=start, every=2, answer=GOOD_A if a else "", and_="controlling"),
        checks(
            "B > A", "d", count, start=start + 0.5, every=2, user="a:b", answer=GOOD_B if b else "", and_="controlled"
        ),
    )


def every(way: str, what: str, start: float, end: float, step: float = 0.1) -> str:
    """The same packet again and again."""
    count = int((end - start) / step)
    return "".join(f"{start + number * step:.3f} {way} {what}\n" for number in range(count))


def rtp(way: str, start: float, end: float, ssrc: int = 7) -> str:
    """RTP, ten packets a second (RFC 3550 section 5.1)."""
    return "".join(
        f"{start + number / 10:.3f} {way} raw hex="
        f"{(pack('>BBHII', 0x80, 111, number + 1, 960 * number, ssrc) + bytes(30)).hex()}\n"
        for number in range(int((end - start) * 10))
    )


def rtcp(way: str, start: float, end: float, ssrc: int = 9) -> str:
    """Receiver reports, one a second, as SRTCP (RFC 3550 section 6.4.2, RFC 3711 section 3.4)."""
    report = pack(">BBHI", 0x81, 201, 7, ssrc) + bytes(24) + pack(">I", 0x80000001) + bytes(10)
    return every(way, f"raw hex={report.hex()}", start, end, 1.0)


def record(sequence: int, body: bytes, content: int = 22, epoch: int = 0) -> str:
    """A DTLS record (RFC 6347 section 4.1) as a packet."""
    return f"raw hex={(pack('>BHHHIH', content, 0xFEFD, epoch, 0, sequence, len(body)) + body).hex()}"


def message(kind: int, number: int, length: int, offset: int = 0, size: int | None = None) -> bytes:
    """A handshake message, or a fragment of one (RFC 6347 section 4.2.2)."""
    here = length if size is None else size
    head = bytes([kind]) + length.to_bytes(3) + number.to_bytes(2) + offset.to_bytes(3) + here.to_bytes(3)
    return head + b"\xfe\xfd" + bytes(here - 2)


def hellos(way: str, count: int, start: float = 1.0) -> str:
    """The same ClientHello, each time in a new record."""
    return "".join(f"{start + number} {way} {record(number, message(1, 0, 60))}\n" for number in range(count))


def server_hellos(way: str, count: int, start: float = 1.05) -> str:
    return "".join(f"{start + number} {way} {record(number, message(2, 0, 60))}\n" for number in range(count))


@pytest.mark.parametrize(
    "name",
    [
        *("consent-lost", "consent-missing", "dtls-alert", "dtls-one-way", "dtls-stalled", "dtls-never-started"),
        *("media-one-way", "media-off-pair"),
    ],
)
@pytest.mark.parametrize("scenario", ["routed", "media-call", "media-turn", "aioice-direct", "ice-restart", "lossy"])
def test_a_healthy_call_has_nothing_of_it(name: str, scenario: str) -> None:
    for vantage in ("offerer", "answerer"):
        assert not found(lab(f"{scenario}/{vantage}"), name)


# Consent


@pytest.mark.rule("consent-lost", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "router-a"])
def test_consent_lost_in_one_direction(vantage: str) -> None:
    """The answerer's checks still come and are answered: what dies is the way to it."""
    trace = lab(f"consent-lost-one-way/{vantage}")
    hit = only(trace, "consent-lost")
    assert causes(trace) == ["consent-lost"]
    assert hit["src"].startswith("192.168.10.10:") and hit["dst"].startswith("192.168.20.20:")
    assert hit["confidence"] == "high"


@pytest.mark.rule("consent-lost", "fires")
def test_consent_lost_where_nothing_arrives_any_more() -> None:
    """The direction from which nothing comes; of the other one nothing is known."""
    hit = only(lab("consent-lost-one-way/answerer"), "consent-lost")
    assert hit["src"].startswith("192.168.10.10:") and hit["confidence"] == "medium"
    assert "Nothing arrives from 192.168.10.10" in hit["summary"]
    assert "Capture at 192.168.10.10 next" in hit["advice"]


@pytest.mark.rule("consent-lost", "fires")
@pytest.mark.parametrize("scenario", ["consent-lost", "aioice-consent-lost"])
def test_two_captures_tell_that_both_directions_died(scenario: str) -> None:
    trace = lab(f"{scenario}/offerer", f"{scenario}/answerer")
    hit = only(trace, "consent-lost")
    assert "in either direction" in hit["summary"] and hit["src"] is None
    assert causes(trace) == ["consent-lost"]


@pytest.mark.rule("consent-lost", "fires")
def test_the_last_good_time_is_told() -> None:
    """The last packet of B is its check 8.5 s after the first one of the call, at 22:13:20."""
    trace = call(*UP, *consent(2, 4), checks("A > B", "z", 16, start=10, every=2, and_="controlling"))
    hit = only(trace, "consent-lost")
    assert "since 8.5 s after the first check" in hit["summary"] and hit["time"].endswith("22:13:28.500000000Z")


@pytest.mark.rule("consent-lost", "quiet")
def test_consent_that_goes_on_is_not_lost() -> None:
    assert not found(call(*UP, *consent(2, 20), end=43), "consent-lost")


@pytest.mark.rule("agent-gone", "fires")
@pytest.mark.rule("consent-lost", "near miss")
def test_an_agent_that_closed_its_port_is_gone_and_not_lost() -> None:
    """Its host says so; hosts send such errors once a second at most, so not every check draws one."""
    after = "".join(
        f"{12 + number * 2} A > B request z{number} user=b:a prio=1 controlling\n"
        + (f"{12.01 + number * 2} B > A icmp 3/3 quotes=z{number}\n" if number % 2 == 0 else "")
        for number in range(8)
    ).splitlines(keepends=True)
    trace = call(*UP, *consent(2, 4), *after[:3])
    assert not found(trace, "consent-lost")
    assert only(trace, "agent-gone")["severity"] == "info" and causes(trace) == [""]
    goes_on = call(*UP, *consent(2, 4), *after)
    assert only(goes_on, "agent-gone")["severity"] == "warning", "the other agent was not told"
    assert causes(goes_on) == ["agent-gone"] and not found(goes_on, "consent-lost")


@pytest.mark.rule("consent-lost", "near miss")
def test_a_last_check_without_an_answer_is_how_calls_end() -> None:
    last = "42.5 A > B request z user=b:a prio=1 controlling\n"
    assert not found(call(*UP, *consent(2, 20), last, end=90), "consent-lost")


@pytest.mark.rule("consent-lost", "near miss")
def test_an_old_generation_that_is_left_is_not_lost() -> None:
    new = (
        checks("A > B", "e", 10, start=10, user="d:c", answer=GOOD_A, and_="controlling use"),
        checks("B > A", "f", 10, start=10, user="c:d", answer=GOOD_B, and_="controlled"),
    )
    left = checks("A > B", "z", 4, start=10, every=2, and_="controlling")
    assert not found(call(*UP, *consent(2, 4), *new, left), "consent-lost")


@pytest.mark.rule("consent-missing", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_data_without_consent_is_a_warning(vantage: str) -> None:
    trace = lab(f"consent-missing/{vantage}")
    assert only(trace, "consent-missing")["severity"] == "warning"
    assert causes(trace) == [""]


@pytest.mark.rule("consent-missing", "fires")
def test_indications_are_no_consent() -> None:
    pings = every("A > B", "indication ping", 2, 40, 5)
    hit = only(call(*UP, rtp("A > B", 1, 40), rtp("B > A", 1, 40), pings), "consent-missing")
    assert "Binding indication" in hit["evidence"]


@pytest.mark.rule("consent-missing", "quiet")
def test_consent_beside_media_is_not_missing() -> None:
    assert not found(call(*UP, *consent(2, 20), rtp("A > B", 1, 42), rtp("B > A", 1, 42)), "consent-missing")


@pytest.mark.rule("consent-missing", "near miss")
def test_a_silent_pair_needs_no_consent() -> None:
    """No media, and no checks: nobody sends, so nobody needs consent."""
    assert not found(call(*UP, rtp("A > B", 1, 8), rtp("B > A", 1, 8), end=90), "consent-missing")


# DTLS


@pytest.mark.rule("dtls-alert", "fires")
@pytest.mark.parametrize(
    ("scenario", "alert", "sender", "words"),
    [
        ("dtls-alert", "certificate_unknown", "192.168.20.20", "a=fingerprint"),
        ("libnice-aiortc", "handshake_failure", "192.168.10.10", "cipher suites"),
    ],
)
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_an_alert_is_named_with_its_sender(scenario: str, alert: str, sender: str, words: str, vantage: str) -> None:
    trace = lab(f"{scenario}/{vantage}")
    hit = only(trace, "dtls-alert")
    assert causes(trace) == ["dtls-alert"]
    assert alert in hit["summary"] and hit["src"].startswith(sender)
    assert words in hit["advice"] and hit["confidence"] == "high"


@pytest.mark.rule("dtls-alert", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_what_looks_like_an_encrypted_alert_is_a_guess(vantage: str) -> None:
    trace = lab(f"dtls-wrong-fingerprint/{vantage}")
    assert only(trace, "dtls-alert")["confidence"] == "low"
    assert causes(trace) == ["dtls-alert"]


@pytest.mark.rule("dtls-alert", "fires")
def test_an_alert_after_a_client_hello() -> None:
    alert = f"1.1 B > A {record(0, bytes([2, 40]), content=21)}\n"
    assert "handshake_failure" in only(call(*UP, hellos("A > B", 1), alert), "dtls-alert")["summary"]


@pytest.mark.rule("dtls-alert", "quiet")
def test_no_alert_where_none_is_sent() -> None:
    assert not found(call(*UP, hellos("A > B", 5)), "dtls-alert")


@pytest.mark.rule("dtls-alert", "near miss")
def test_the_alert_that_closes_a_connection_is_no_failure() -> None:
    """aiortc ends a call with close_notify."""
    assert not found(lab("aiortc-chromium/offerer"), "dtls-alert")
    assert not found(lab("capture-one-direction/offerer-out"), "dtls-alert")


@pytest.mark.rule("dtls-one-way", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "router-a"])
def test_answers_to_the_client_hello_that_get_lost(vantage: str) -> None:
    trace = lab(f"dtls-one-way/{vantage}")
    hit = only(trace, "dtls-one-way")
    assert causes(trace) == ["dtls-one-way"]
    assert hit["src"].startswith("192.168.10.10:") and hit["dst"].startswith("192.168.20.20:")


@pytest.mark.rule("dtls-one-way", "fires")
def test_a_client_alone_cannot_know_which_direction_is_dead() -> None:
    hit = only(lab("dtls-one-way/answerer"), "dtls-one-way")
    assert hit["src"] is None and "Capture at 192.168.10.10 next" in hit["advice"]


@pytest.mark.rule("dtls-one-way", "fires")
def test_the_first_flight_of_dtls_1_2_again_and_again() -> None:
    silent = only(call(*UP, hellos("A > B", 6)), "dtls-one-way")
    assert silent["src"] is None
    heard = only(call(*UP, hellos("A > B", 6), server_hellos("B > A", 6)), "dtls-one-way")
    assert (heard["src"], heard["dst"]) == ("10.20.0.20:2000", "192.168.1.10:1000")


@pytest.mark.rule("dtls-one-way", "quiet")
def test_a_handshake_that_goes_on_is_not_one_way() -> None:
    assert not found(lab("aiortc-chromium/offerer"), "dtls-one-way")


@pytest.mark.rule("dtls-one-way", "near miss")
def test_a_client_hello_that_is_repeated_once_is_only_slow() -> None:
    assert not found(call(*UP, hellos("A > B", 2)), "dtls-one-way")
    assert not found(lab("lossy/offerer"), "dtls-one-way")


@pytest.mark.rule("dtls-stalled", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "router-a"])
def test_a_part_of_a_flight_that_never_arrives(vantage: str) -> None:
    trace = lab(f"dtls-large-lost/{vantage}")
    hit = only(trace, "dtls-stalled")
    assert causes(trace) == ["dtls-stalled"]
    assert "238 of 1413 bytes" in hit["summary"] and "MTU" in hit["advice"]
    assert hit["src"].startswith("192.168.20.20:")


@pytest.mark.rule("dtls-stalled", "fires")
def test_a_certificate_of_which_only_the_end_arrives() -> None:
    """RFC 6347 section 4.2.3: of 1800 bytes the first 1100 are in a datagram that is lost."""
    client = hellos("A > B", 5)
    server = server_hellos("B > A", 5) + "".join(
        f"{1.06 + number} B > A {record(10 + number, message(11, 1, 1800, 1100, 700))}\n" for number in range(5)
    )
    hit = only(call(*UP, client, server), "dtls-stalled")
    assert "700 of 1800 bytes" in hit["summary"]
    assert (hit["src"], hit["dst"]) == ("10.20.0.20:2000", "192.168.1.10:1000")


@pytest.mark.rule("dtls-stalled", "quiet")
def test_a_handshake_in_fragments_that_all_arrive() -> None:
    assert not found(lab("aiortc-aiortc/offerer"), "dtls-stalled")


@pytest.mark.rule("dtls-stalled", "near miss")
def test_a_flight_of_which_nothing_arrives_is_not_stalled() -> None:
    """Without a piece of it nothing tells that it was large."""
    assert not found(lab("dtls-large-lost/answerer"), "dtls-stalled")
    assert not found(lab("dtls-one-way/offerer"), "dtls-stalled")


@pytest.mark.rule("dtls-never-started", "fires")
@pytest.mark.parametrize("vantage", ["offerer", "answerer"])
def test_two_sides_that_wait_for_each_other(vantage: str) -> None:
    trace = lab(f"dtls-role-clash/{vantage}")
    hit = only(trace, "dtls-never-started")
    assert causes(trace) == ["dtls-never-started"]
    assert "a=setup" in hit["advice"] and hit["confidence"] == "medium"


@pytest.mark.rule("dtls-never-started", "fires")
def test_the_longer_nothing_follows_the_surer() -> None:
    assert only(call(*UP, *consent(2, 6), end=15), "dtls-never-started")["confidence"] == "low"
    assert only(call(*UP, *consent(2, 15), end=35), "dtls-never-started")["confidence"] == "medium"


@pytest.mark.rule("dtls-never-started", "quiet")
def test_a_client_hello_is_a_start() -> None:
    assert not found(call(*UP, *consent(2, 15), hellos("A > B", 1)), "dtls-never-started")


@pytest.mark.rule("dtls-never-started", "near miss")
@pytest.mark.parametrize("scenario", ["aioice-direct", "late-nomination", "patient", "aioice-turn"])
def test_agents_that_need_no_dtls(scenario: str) -> None:
    """They send data as it is."""
    assert not found(lab(f"{scenario}/offerer"), "dtls-never-started")


@pytest.mark.rule("dtls-never-started", "near miss")
def test_a_capture_that_ends_soon_after_the_nomination() -> None:
    assert not found(call(*UP, *consent(2, 3), end=9), "dtls-never-started")


@pytest.mark.rule("dtls-never-started", "near miss")
def test_an_idle_connection_whose_beginning_was_not_captured() -> None:
    """Its handshake may have been over before: no error, then."""
    late = (
        checks("A > B", "a", 9, every=5, answer=GOOD_A, and_="controlling use"),
        checks("B > A", "b", 9, start=2, every=5, user="a:b", answer=GOOD_B, and_="controlled"),
    )
    trace = call(*late, end=60)
    hit = only(trace, "dtls-never-started")
    assert (hit["severity"], hit["confidence"]) == ("warning", "low")
    assert causes(trace) == [""]


@pytest.mark.rule("dtls-never-started", "near miss")
def test_an_ice_restart_needs_no_new_handshake() -> None:
    assert not found(lab("ice-restart-incomplete/offerer"), "dtls-never-started")


# Media


@pytest.mark.rule("media-one-way", "fires")
def test_media_of_which_one_direction_never_arrives() -> None:
    trace = lab("media-one-way/answerer")
    hit = only(trace, "media-one-way")
    assert causes(trace) == ["media-one-way"]
    assert hit["src"].startswith("192.168.10.10:") and hit["dst"].startswith("192.168.20.20:")
    assert hit["confidence"] == "medium" and "Capture at 192.168.10.10 next" in hit["advice"]


@pytest.mark.rule("media-one-way", "fires")
def test_another_capture_proves_that_it_was_sent() -> None:
    hit = only(lab("media-one-way/answerer", "media-one-way/offerer"), "media-one-way")
    assert hit["confidence"] == "high" and "though it was sent" in hit["summary"]


@pytest.mark.rule("media-one-way", "fires")
def test_rtp_without_any_report_on_it() -> None:
    hit = only(call(*UP, *consent(2, 10), rtp("A > B", 1, 20)), "media-one-way")
    assert (hit["src"], hit["dst"]) == ("10.20.0.20:2000", "192.168.1.10:1000")


@pytest.mark.rule("media-one-way", "quiet")
def test_media_both_ways() -> None:
    assert not found(call(*UP, *consent(2, 10), rtp("A > B", 1, 20), rtp("B > A", 1, 20)), "media-one-way")


@pytest.mark.rule("media-one-way", "near miss")
def test_a_side_that_only_receives_reports_on_it() -> None:
    """`recvonly`: no media by design, and receiver reports."""
    assert not found(call(*UP, *consent(2, 10), rtp("A > B", 1, 20), rtcp("B > A", 2, 20)), "media-one-way")


@pytest.mark.rule("media-one-way", "near miss")
def test_a_place_before_the_drop_sees_both() -> None:
    assert not found(lab("media-one-way/offerer"), "media-one-way")


@pytest.mark.rule("media-one-way", "near miss")
def test_reports_take_their_time() -> None:
    """The first one may take five seconds (RFC 3550 section 6.2)."""
    assert not found(call(*UP, *consent(2, 3), rtp("A > B", 1, 6.5), end=7), "media-one-way")


TWO_PAIRS = "A = 192.168.1.10:1000\nB = 10.20.0.20:2000\nC = 192.168.1.11:3000\n"
SECOND_PAIR = (
    checks("C > B", "x", 4, every=0.2, answer="B > C success ID mapped=C", and_="controlling"),
    checks("B > C", "y", 4, every=0.2, user="a:b", answer="C > B success ID mapped=B", and_="controlled"),
)


@pytest.mark.rule("media-off-pair", "fires")
def test_media_on_a_pair_that_nobody_nominated() -> None:
    trace = call(*UP, *SECOND_PAIR, *consent(2, 10), rtp("C > B", 1, 20), rtp("B > C", 1, 20), ends=TWO_PAIRS)
    hit = only(trace, "media-off-pair")
    assert hit["severity"] == "warning" and hit["src"] in ("192.168.1.11:3000", "10.20.0.20:2000")
    assert "192.168.1.10:1000" in hit["summary"]


@pytest.mark.rule("media-off-pair", "quiet")
def test_media_on_the_nominated_pair() -> None:
    trace = call(*UP, *SECOND_PAIR, *consent(2, 10), rtp("A > B", 1, 20), rtp("B > A", 1, 20), ends=TWO_PAIRS)
    assert not found(trace, "media-off-pair")


@pytest.mark.rule("media-off-pair", "near miss")
def test_media_in_the_first_moments_may_take_another_pair() -> None:
    early = rtp("C > B", 0.5, 3)
    trace = call(*UP, *SECOND_PAIR, *consent(2, 10), early, rtp("A > B", 3, 20), rtp("B > A", 1, 20), ends=TWO_PAIRS)
    assert not found(trace, "media-off-pair")


@pytest.mark.rule("media-off-pair", "near miss")
def test_a_pair_that_was_left_for_another_had_been_nominated() -> None:
    assert not found(lab("nat-rebinding/answerer"), "media-off-pair")
