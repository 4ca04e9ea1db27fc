"""Signalling and captures together: types, rows never checked, sides, integrity, frames; and no cost without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import stunpcap
from tests.places import LAB, ROOT
from tests.signalling.measure import browser_types, captures_of, clocks, logs, measure
from tests.signalling.samples import console_log, get_stats, har, internals, rtcstats, sdp, truth_of


def files(tmp_path: Path, **texts: str) -> list[Path]:
    found = []
    for name, text in texts.items():
        found.append(tmp_path / name)
        found[-1].write_text(text)
    return found


def read(scenario: str, capture: str, told: Any) -> stunpcap.Trace:
    return stunpcap.read(LAB / scenario / f"{capture}.pcap", signalling=told)


SOME = (
    "nats-stun",
    "asymmetric-dead",
    "mdns-lan",
    "ice-restart",
    "ice-tcp",
    "turn-udp",
    "aioice-turn",
)


@pytest.mark.parametrize("scenario", SOME)
def test_types_are_the_browsers_and_integrity_is_valid(tmp_path: Path, scenario: str) -> None:
    found = measure(scenario, tmp_path)
    assert found["unknown after"] == found["unknown pair ends after"] == found["wrong after"] == 0
    assert found["invalid after"] == 0 and found["valid after"] > 0 == found["valid before"]
    assert found["candidates after"] >= found["candidates before"]
    assert found["clocks within 10 ms"] == found["clocks"]


def test_a_wrong_password_shows(tmp_path: Path) -> None:
    """The answerer was told another password than the offerer's: its checks are the invalid ones."""
    trace = read("wrong-password", "offerer", logs(truth_of("wrong-password"), tmp_path))
    checks = trace.messages[(trace.messages["class"] == "request") & trace.messages["username"].str.contains(":")]
    ours = trace.sessions["local_ufrag"]
    assert ours.isna().all(), "both agents tell of themselves: neither is ours"
    answerer = checks["src"].str.startswith("192.168.10.20")
    assert set(checks.loc[answerer, "integrity"]) == {"invalid"}
    assert set(checks.loc[~answerer, "integrity"]) == {"valid"}
    offer = trace.descriptions[trace.descriptions["type"] == "offer"]
    # The altered copy verifies what was sent with it, the offerer's own does not: the descriptions differ.
    assert sorted(offer["password"]) == ["invalid", "valid"]


def test_which_side_is_ours(tmp_path: Path) -> None:
    truth = truth_of("nats-stun")
    for who, ufrag in (("offerer", "m3dy"), ("answerer", "mmzO")):
        for told in (console_log(truth, who), internals(truth, who), har(truth, who), get_stats(truth, who)):
            trace = read("nats-stun", who, files(tmp_path, told=told))
            assert trace.sessions["local_ufrag"].tolist() == [ufrag]


def test_candidates_gain_what_was_offered(tmp_path: Path) -> None:
    trace = read("nats-stun", "answerer", files(tmp_path, dump=internals(truth_of("nats-stun"), "answerer", "middle")))
    frame = trace.candidates.set_index("address")
    one = frame.loc["203.0.113.10:43013"]
    assert (one["type"], one["known_from"], one["raddr"], one["base"]) == (
        *("srflx", "signalling", "192.168.10.10:43013"),
        "192.168.10.10:43013",
    )
    assert one["offered"] and one["checked"] and one["generation"] == 0 and one["mid"] == "0"
    assert one["url"] == "stun:203.0.113.5:3478"
    assert one["added_time"] is not None and str(one["offered_time"]) == "NaT", "of the other it knows when it came"
    own = frame.loc["203.0.113.20:59480"]
    assert own["known_from"] == "gathering" and str(own["added_time"]) == "NaT" != str(own["offered_time"])
    never = frame.loc["192.168.20.20:9"]
    assert (never["tcptype"], never["checked"], never["known_from"]) == ("active", False, "signalling")


def test_names_are_found_by_their_port(tmp_path: Path) -> None:
    trace = read("mdns-lan", "offerer", logs(truth_of("mdns-lan"), tmp_path))
    udp = trace.candidates[trace.candidates["transport"] == "udp"]
    assert udp["name"].str.endswith(".local").all() and udp["address"].notna().all()
    assert set(udp["type"]) == {"host"}


def test_names_that_nobody_resolved_are_rows_without_address(tmp_path: Path) -> None:
    truth = truth_of("mdns-unresolved")
    trace = read("mdns-unresolved", "offerer", logs(truth, tmp_path))
    assert len(trace.sessions) == 0 and len(trace.descriptions) == 4
    assert "of another call" in trace.defects["defect"].str.cat()


def test_a_candidate_that_nobody_knows_whose_is_matched_by_its_address(tmp_path: Path) -> None:
    line = "candidate:1 1 udp 1686052607 203.0.113.10 43013 typ srflx raddr 192.168.10.10 rport 43013"
    trace = read("nats-stun", "answerer", files(tmp_path, log=line))
    frame = trace.candidates.set_index("address")
    assert frame.loc["203.0.113.10:43013", "type"] == "srflx"
    assert trace.signalling["sessions"].tolist() == ["1"]


def test_a_dump_of_another_call(tmp_path: Path) -> None:
    told = files(tmp_path, other=internals(truth_of("direct"), "offerer"))
    trace = read("nats-stun", "answerer", told)
    (defect,) = trace.defects[trace.defects["layer"] == "signalling"].itertuples()
    assert defect.vantage == str(told[0]) and "another call" in defect.defect
    plain = read("nats-stun", "answerer", ())
    assert trace.candidates["type"].tolist() == plain.candidates["type"].tolist()


def test_descriptions(tmp_path: Path) -> None:
    trace = read("ice-restart", "offerer", files(tmp_path, log=console_log(truth_of("ice-restart"), "offerer")))
    frame = trace.descriptions
    assert frame[["type", "side", "session_id", "password", "setup"]].values.tolist() == [
        ["offer", "local", 1, "valid", "actpass"],
        ["answer", "remote", 1, "valid", "active"],
        ["offer", "local", 2, "valid", "actpass"],
        ["answer", "remote", 2, "valid", "active"],
    ]
    assert frame["time"].is_monotonic_increasing and frame["fingerprint"].str.startswith("sha-256 ").all()
    assert len(trace.select(session=2).descriptions) == 2


def test_stats_merge_with_pairs(tmp_path: Path) -> None:
    """The browser's counters beside the wire's by one merge, for the pairs of both frames."""
    for scenario, who in (("nats-stun", "answerer"), ("direct", "offerer"), ("turn-udp", "offerer")):
        trace = read(scenario, who, files(tmp_path, stats=get_stats(truth_of(scenario), who)))
        both = trace.stats.merge(trace.pairs, on=["session_id", "src", "dst"], suffixes=("", "_wire"))
        used = both[both["responses_received"] > 0]
        assert len(used) and (used["requests_sent"] == used["requests_sent_wire"]).all()
        assert (used["responses_received"] == used["responses_received_wire"]).all()
        assert trace.stats["selected"].sum() == 1 and trace.stats["pair_id"].notna().any()


def test_what_a_browser_hides_is_found(tmp_path: Path) -> None:
    """Chromium leaves out the address of a remote peer-reflexive candidate; another has its port, and a name."""
    truth = truth_of("asymmetric-rescued")
    trace = read("asymmetric-rescued", "answerer", files(tmp_path, stats=get_stats(truth, "answerer")))
    frame = trace.stats.set_index("dst_type")
    assert frame.loc["prflx", "dst"] == "172.30.0.2:43742" and frame.loc["host", "dst"] == "192.168.10.10:43742"
    assert frame["pair_id"].nunique() == 2


def test_a_pair_across_a_restart(tmp_path: Path) -> None:
    truth = truth_of("ice-restart")
    trace = read("ice-restart", "answerer", files(tmp_path, stats=get_stats(truth, "answerer")))
    both = trace.stats.merge(trace.pairs, on=["session_id", "src", "dst"], suffixes=("", "_wire"))
    assert len(both) == 3 and (both["requests_sent"] == both["requests_sent_wire"]).all()


def test_statistics_alone_tell_types(tmp_path: Path) -> None:
    truth = truth_of("nats-stun")
    trace = read("nats-stun", "answerer", files(tmp_path, stats=get_stats(truth, "answerer")))
    assert set(trace.candidates["type"]) == {"host", "srflx"}
    assert not trace.candidates["offered"].any()


def test_sdp_alone_checks_one_direction(tmp_path: Path) -> None:
    trace = read("nats-stun", "answerer", files(tmp_path, offer=sdp(truth_of("nats-stun"), "offerer")))
    assert {"valid", "present"} <= set(trace.messages["integrity"])
    assert trace.descriptions["password"].tolist() == ["valid"]


def test_a_password_that_the_user_gives_counts_more(tmp_path: Path) -> None:
    told = files(tmp_path, offer=sdp(truth_of("nats-stun"), "offerer"))
    path = LAB / "nats-stun" / "answerer.pcap"
    trace = stunpcap.read(path, signalling=told, passwords={"m3dy": "another"})
    assert "invalid" in set(trace.messages["integrity"])


def test_several_captures_and_one_path(tmp_path: Path) -> None:
    truth = truth_of("nats-stun")
    (told,) = files(tmp_path, dump=rtcstats(truth, "offerer"))
    trace = stunpcap.read(*captures_of("nats-stun"), signalling=str(told))
    assert "unknown" not in set(trace.candidates["type"])


@pytest.mark.parametrize("scenario", ["nats-stun", "routed", "turn-udp"])
@pytest.mark.parametrize("clock", ["epoch", "day"])
def test_clocks_that_are_wrong(tmp_path: Path, scenario: str, clock: str) -> None:
    from collections import Counter

    found: Counter[str] = Counter()
    told = logs(truth_of(scenario), tmp_path, -3723.5, clock)
    for path in captures_of(scenario):
        clocks(stunpcap.read(path, signalling=told), path, 3723.5, "", found)
    assert found["clocks"] >= 2 and found["clocks within 10 ms"] == found["clocks"]
    assert found["clocks within error"] + found["clocks one-sided"] == found["clocks"]


def test_transaction_ids_give_the_offset_itself(tmp_path: Path) -> None:
    from tests.signalling.samples import aioice_log

    capture = LAB / "aioice-direct" / "offerer.pcap"
    trace = stunpcap.read(capture, signalling=files(tmp_path, log=aioice_log(capture, "192.168.10.10", 100.25)))
    (row,) = trace.signalling.itertuples()
    assert abs(row.clock_offset_s + 100.25) < 0.002 and row.clock_error_s <= 0.002
    assert "transaction ids" in row.clock_from and row.local_ufrags in set(
        trace.sessions[["ufrag_a", "ufrag_b"]].iloc[0]
    )


def test_browsers_know_types() -> None:
    assert sum(1 for _ in browser_types(truth_of("nats-stun"))) >= 4


def test_without_it_nothing_of_it_is_imported() -> None:
    capture = LAB / "direct" / "offerer.pcap"
    code = (
        f"import stunpcap, sys; t = stunpcap.read({str(capture)!r}).tables; "
        "print(len(t.descriptions), len(t.stats), len(t.signalling), "
        "[name for name in sys.modules if 'stunpcap.signalling' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0", "0", "[]"]
