"""The engine pyshark: what only tshark can open, its options, and how it fails."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

import stunpcap
from stunpcap.cli import main
from stunpcap.engines import tshark
from stunpcap.engines.dissected import nanoseconds
from stunpcap.engines.options import Options
from stunpcap.errors import CaptureError, EngineError, UsageError
from tests.places import LAB

pytest.importorskip("pyshark")
pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

DIRECT = LAB / "direct" / "offerer.pcap"
KEYS = LAB / "turn-tls-keylog"


def messages(trace: stunpcap.Trace) -> list[dict[str, Any]]:
    return list(trace.table("messages").records())


@pytest.mark.parametrize("form", ["snoop", "netmon1", "netmon2"])
def test_what_the_message_says_of_other_captures_works(form: str, tmp_path: Path) -> None:
    """The native reader names the kind of file and the engine that reads it; that reads the same messages."""
    path = tmp_path / f"call.{form}"
    subprocess.run(["editcap", "-F", form, str(DIRECT), str(path)], check=True)
    with pytest.raises(CaptureError, match=r'(snoop capture|Network Monitor) \(engine="pyshark"'):
        stunpcap.read(path)
    ids = [
        [one["transaction_id"] for one in messages(stunpcap.read(each, engine="pyshark"))] for each in (path, DIRECT)
    ]
    assert ids[0] == ids[1] != []


class TestTurnOverTls:
    """The lab's relayed call over TLS: the browsers logged the keys, and gave their own account."""

    def trace(self, vantage: str) -> stunpcap.Trace:
        return stunpcap.read(KEYS / f"{vantage}.pcap", engine="pyshark", keylog=KEYS / "tls-keys.log")

    def test_without_keys_nothing_is_seen(self) -> None:
        assert not messages(stunpcap.read(KEYS / "offerer.pcap", engine="pyshark"))

    @pytest.mark.parametrize(("role", "other"), [("offerer", "answerer"), ("answerer", "offerer")])
    def test_relayed_checks_are_those_that_the_browser_counted(self, role: str, other: str) -> None:
        truth = json.loads((KEYS / "truth.json").read_text())
        stats = {one["id"]: one for one in truth[role]["stats"]}
        (pair,) = (one for one in stats.values() if one["type"] == "candidate-pair" and one.get("nominated"))
        local, remote = stats[pair["localCandidateId"]], stats[pair["remoteCandidateId"]]
        ends = [f"{one['address']}:{one['port']}" for one in (local, remote)]
        trace = self.trace(role)
        rows = {(row["src"], row["dst"]): row for row in trace.table("pairs").records()}
        ours = rows[ends[0], ends[1]]
        assert (ours["src_type"], ours["transport"]) == ("relay", "udp")
        assert ours["requests_sent"] == pair["requestsSent"]
        assert ours["responses_received"] == pair["responsesReceived"]
        assert rows[ends[1], ends[0]]["responses_received"] == pair["responsesSent"]
        (session,) = trace.table("sessions").records()
        assert (session["state"], session["dtls"]) == ("connected", "done")

    def test_the_relay_is_known(self) -> None:
        (row,) = self.trace("offerer").table("allocations").records()
        assert (row["transport"], row["state"]) == ("tcp", "deleted")
        assert (row["server"], row["permissions"], row["channels"]) == ("203.0.113.5:5349", 1, 1)
        assert row["packets_sent"] > 30 and row["packets_received"] > 20

    def test_the_server_sees_both(self) -> None:
        trace = self.trace("server")
        assert len(trace.table("allocations")) == 2
        assert {row["src_type"] for row in trace.table("pairs").records()} == {"relay"}

    def test_the_connection_is_opaque_no_longer(self) -> None:
        flows = list(self.trace("offerer").table("flows").records())
        assert {row["opaque"] for row in flows} == {""}
        carried = [row for row in flows if row["carrier"] == "channel"]
        assert len(carried) == 2 and all(row["dtls"] > 10 for row in carried)

    def test_one_message_in_full(self) -> None:
        first = messages(self.trace("offerer"))[0]
        message = self.trace("offerer").message(first["frame"])
        assert (message.method, message.transaction_id) == ("allocate", first["transaction_id"])

    def test_on_the_command_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        log = str(KEYS / "tls-keys.log")
        assert main(["summary", "--engine", "pyshark", "--keylog", log, str(KEYS / "offerer.pcap")]) == 0
        assert "inside TURN" in capsys.readouterr().out


class TestOptions:
    def test_display_filter(self) -> None:
        all_of_them = messages(stunpcap.read(DIRECT, engine="pyshark"))
        trace = stunpcap.read(DIRECT, engine="pyshark", display_filter="stun.type == 0x0101")
        assert messages(trace) and {row["class"] for row in messages(trace)} == {"success"}
        assert {row["frame"] for row in messages(trace)} == {
            row["frame"] for row in all_of_them if row["class"] == "success"
        }
        assert trace.sources[0].packets == len({row["frame"] for row in messages(trace)})

    def test_display_filter_and_fragments(self, tmp_path: Path) -> None:
        """The filter shows only the last fragment: what tshark put together is there all the same."""
        data = bytes.fromhex("000100082112a442") + bytes(range(12)) + bytes.fromhex("80220004") + b"test"
        udp = struct.pack(">HHHH", 5000, 6000, 8 + len(data), 0) + data
        frames = [ipv4(udp[:16], ident=7, more=True), ipv4(udp[16:], ident=7, offset=2)]
        path = write_raw(tmp_path / "fragments.pcap", frames)
        native = messages(stunpcap.read(path))
        assert [row["software"] for row in native] == ["test"]
        for chosen in (None, "stun"):
            assert messages(stunpcap.read(path, engine="pyshark", display_filter=chosen)) == native

    def test_decode_as(self, tmp_path: Path) -> None:
        """STUN on the port of another protocol, which tshark takes it for unless told."""
        data = bytes.fromhex("000300002112a442") + bytes(range(12))
        tcp = struct.pack(">HHIIBBHHH", 5000, 445, 1, 1, 0x50, 0x18, 1000, 0, 0) + data
        path = write_raw(tmp_path / "odd.pcap", [ipv4(tcp, protocol=6)])
        assert not messages(stunpcap.read(path, engine="pyshark"))
        trace = stunpcap.read(path, engine="pyshark", decode_as={"tcp.port==445": "stun"})
        assert [(row["method"], row["transport"]) for row in messages(trace)] == [("allocate", "tcp")]

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"display_filter": "stun ==="}, "tshark: "),
            ({"display_filter": "nosuchfield"}, "nosuchfield"),
            ({"decode_as": {"tcp.port==1": "nosuchprotocol"}}, "nosuchprotocol"),
            ({"keylog": "no/such/file"}, "no/such/file"),
        ],
    )
    def test_options_that_make_no_sense(self, options: dict[str, Any], words: str) -> None:
        with pytest.raises(UsageError, match=words):
            stunpcap.read(DIRECT, engine="pyshark", **options)

    @pytest.mark.parametrize("engine", ["native", "scapy"])
    def test_other_engines_do_not_know_them(self, engine: str) -> None:
        with pytest.raises(UsageError, match="pyshark"):
            stunpcap.read(DIRECT, engine=engine, display_filter="stun")

    def test_there_is_no_such_engine(self) -> None:
        with pytest.raises(UsageError, match="native, pyshark, scapy"):
            stunpcap.read(DIRECT, engine="tcpdump")


class TestFiles:
    @pytest.mark.parametrize("kind", ["snoop", "netmon2", "erf", "5views", "visual"])
    def test_formats_that_only_wireshark_reads(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "capture"
        done = subprocess.run(["editcap", "-F", kind, str(DIRECT), str(path)], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"this editcap does not write {kind}")
        with pytest.raises(CaptureError, match="pyshark"):
            stunpcap.read(path)
        ours = messages(stunpcap.read(DIRECT, names=["capture"]))
        theirs = messages(stunpcap.read(path, engine="pyshark", names=["capture"]))
        assert [row["transaction_id"] for row in theirs] == [row["transaction_id"] for row in ours]
        assert [(row["src"], row["dst"], row["username"]) for row in theirs] == [
            (row["src"], row["dst"], row["username"]) for row in ours
        ]

    def test_link_types_that_only_wireshark_knows(self, tmp_path: Path) -> None:
        """OpenBSD's PFLOG: a header, and then the IP packet."""
        data = bytes.fromhex("000100002112a442") + bytes(range(12))
        udp = struct.pack(">HHHH", 5000, 3478, 8 + len(data), 0) + data
        pflog = bytes([61, 2, 0, 0]) + b"em0".ljust(16, b"\0") + bytes(16 + 4 + 4 + 16) + bytes([1, 0, 0, 0])
        path = write_raw(tmp_path / "pf.pcap", [pflog.ljust(64, b"\0") + ipv4(udp)], linktype=117)
        native = stunpcap.read(path)
        assert not messages(native)
        assert any("--engine pyshark" in row["defect"] for row in native.table("defects").records())
        assert [row["dst"] for row in messages(stunpcap.read(path, engine="pyshark"))] == ["192.0.2.2:3478"]

    def test_compressed_and_streams(self, tmp_path: Path) -> None:
        import bz2

        path = tmp_path / "offerer.pcap.bz2"
        path.write_bytes(bz2.compress(DIRECT.read_bytes()))
        expected = messages(stunpcap.read(DIRECT))
        assert messages(stunpcap.read(path, engine="pyshark")) == expected
        with DIRECT.open("rb") as stream:
            assert messages(stunpcap.read(stream, engine="pyshark", names=["offerer"])) == expected

    def test_damage_keeps_what_came_before(self, tmp_path: Path) -> None:
        path = tmp_path / "offerer.pcap"
        path.write_bytes(DIRECT.read_bytes()[:-10])
        trace = stunpcap.read(path, engine="pyshark")
        assert messages(trace) == messages(stunpcap.read(path))
        assert any("cut short" in row["defect"] for row in trace.table("defects").records())

    @pytest.mark.parametrize("snaplen", [20, 34, 38, 44, 60, 66])
    def test_packets_cut_anywhere(self, snaplen: int, tmp_path: Path) -> None:
        path = tmp_path / "cut.pcap"
        subprocess.run(
            ["editcap", "-F", "pcap", "-s", str(snaplen), str(LAB / "turn-tcp" / "offerer.pcap"), str(path)],
            check=True,
            capture_output=True,
        )
        ours, theirs = stunpcap.read(path), stunpcap.read(path, engine="pyshark")
        assert theirs.sources[0].packets == ours.sources[0].packets
        assert len(theirs.table("flows")) == len(ours.table("flows"))

    @pytest.mark.parametrize("seed", range(6))
    def test_whatever_the_bytes(self, seed: int, tmp_path: Path) -> None:
        chance = random.Random(seed)
        data = bytearray((LAB / "routed" / "router-a.pcap").read_bytes())
        for _ in range(60):
            data[chance.randrange(40, len(data))] = chance.randrange(256)
        path = tmp_path / "damaged.pcap"
        path.write_bytes(data)
        with contextlib.suppress(CaptureError):
            assert str(stunpcap.read(path, engine="pyshark"))

    def test_no_capture_at_all(self, tmp_path: Path) -> None:
        path = tmp_path / "text"
        path.write_text("hello")
        with pytest.raises(CaptureError, match="no capture"):
            stunpcap.read(path, engine="pyshark")
        assert main(["summary", "--engine", "pyshark", str(path)]) == 3

    def test_comments(self, tmp_path: Path) -> None:
        path = tmp_path / "noted.pcapng"
        subprocess.run(["editcap", "-a", "3:look here", str(DIRECT), str(path)], check=True, capture_output=True)
        assert stunpcap.read(path, engine="pyshark").comments["noted"][3] == ["look here"]


def test_inside_a_running_event_loop() -> None:
    """Notebooks run one."""

    async def read() -> int:
        return len(messages(stunpcap.read(DIRECT, engine="pyshark")))

    assert asyncio.run(read()) == len(messages(stunpcap.read(DIRECT)))


class TestPrograms:
    def test_a_missing_tshark_says_how_to_get_it(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(EngineError, match="apt install tshark"):
            stunpcap.read(DIRECT, engine="pyshark")
        assert main(["summary", "--engine", "pyshark", str(DIRECT)]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "apt install tshark" in said

    @pytest.mark.parametrize(
        ("said", "fine"),
        [
            ("TShark (Wireshark) 3.6.2 (Git v3.6.2)", False),
            ("TShark (Wireshark) 4.0.0 (Git)", True),
            ("TShark (Wireshark) 4.6.1.", True),
            ("nothing that is a version", False),
        ],
    )
    def test_versions(self, said: str, fine: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        program = tmp_path / "tshark"
        program.write_text(f'#!/bin/sh\necho "{said}"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        if fine:
            assert tshark.find_tshark(Options()) == str(program)
        else:
            with pytest.raises(EngineError):
                tshark.find_tshark(Options())

    def test_lua_is_needed_for_keys(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        program = tmp_path / "tshark"
        program.write_text('#!/bin/sh\necho "TShark (Wireshark) 4.4.0 (Git), without Lua"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        with pytest.raises(EngineError, match="Lua"):
            tshark.find_tshark(Options(keylog=KEYS / "tls-keys.log"))

    def test_times_of_all_versions(self) -> None:
        assert nanoseconds("1676659968.029444028") == 1676659968029444028
        assert nanoseconds("2023-02-17T18:52:48.029444028Z") == 1676659968029444028
        assert nanoseconds("1676659968") == 1676659968 * 10**9


def ipv4(payload: bytes, protocol: int = 17, ident: int = 1, more: bool = False, offset: int = 0) -> bytes:
    flags = (0x2000 if more else 0) | offset
    ends = bytes([192, 0, 2, 1, 192, 0, 2, 2])
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), ident, flags, 64, protocol, 0) + ends + payload


def write_raw(path: Path, packets: list[bytes], linktype: int = 101) -> Path:
    records = b"".join(
        struct.pack("<IIII", 1_700_000_000, n, len(one), len(one)) + one for n, one in enumerate(packets)
    )
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, linktype) + records)
    return path
