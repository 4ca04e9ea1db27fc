"""A trace: one or several captures, and the frames that tell what happened in them.

Reading is done when a `Trace` exists; correlation runs when its result is first asked for, once.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from stunpcap.analysis import Tables, analyse
from stunpcap.engines.choose import reader
from stunpcap.engines.options import Options
from stunpcap.errors import UsageError
from stunpcap.schema import FRAMES
from stunpcap.table import Pools, Table
from stunpcap.vantage import Progress, Vantage, default_name

if TYPE_CHECKING:
    import pandas as pd

    from stunpcap.extract.out import Written
    from stunpcap.signalling.model import Source as Told
    from stunpcap.stun.message import Message

Source = str | os.PathLike[str] | IO[bytes]


class Trace:
    """What one or several captures hold; made by `stunpcap.read`.

    Attributes
    ----------
    messages, transactions, sessions, pairs, evidence, candidates, allocations, permissions, channels, flows, dtls,
    handshakes, streams, activity, names, stages, icmp, mappings, findings, vantages, defects : pandas.DataFrame
        The frames; docs/frames.md says what is in them.
    descriptions, stats, signalling : pandas.DataFrame
        Frames of what was given as `signalling`; empty without it.
    """

    def __init__(
        self,
        vantages: Sequence[Vantage],
        pools: Pools,
        passwords: Mapping[str, str] | None = None,
        signalling: Sequence[Source] = (),
    ) -> None:
        self._vantages = tuple(vantages)
        self._pools = pools
        self._passwords = dict(passwords or {})
        self._signalling = tuple(signalling)
        self._frames: dict[str, pd.DataFrame] = {}
        self._selected: tuple[int, Tables] | None = None
        """Of a selection: its session, and the tables of the whole trace."""

    @functools.cached_property
    def tables(self) -> Tables:
        """The frames as NumPy tables: what summaries, plots and reports work from."""
        return analyse(self._vantages, self._pools, self._passwords, self.told)

    @functools.cached_property
    def told(self) -> tuple[Told, ...]:
        """What the files given as `signalling` hold, read when it is first needed.

        Raises
        ------
        SourceError
            One of them cannot be read, or holds nothing of use.
        """
        if not self._signalling:
            return ()
        from stunpcap.signalling.sources import read_sources

        return read_sources(self._signalling)

    def table(self, name: str) -> Table:
        """One frame as a NumPy table.

        Raises
        ------
        UsageError
            There is no frame of that name.
        """
        if name not in FRAMES:
            raise UsageError(f"there is no frame {name!r}; the frames are {', '.join(FRAMES)}")
        table: Table = getattr(self.tables, name)
        return table

    def _frame(self, name: str) -> pd.DataFrame:
        if name not in self._frames:
            self._frames[name] = self.table(name).to_frame()
        return self._frames[name]

    @property
    def messages(self) -> pd.DataFrame:
        """A row for each STUN message."""
        return self._frame("messages")

    @property
    def transactions(self) -> pd.DataFrame:
        """A row for each request with what became of it."""
        return self._frame("transactions")

    @property
    def sessions(self) -> pd.DataFrame:
        """A row for each pair of agents and ICE generation."""
        return self._frame("sessions")

    @property
    def pairs(self) -> pd.DataFrame:
        """A row for each candidate pair, direction and vantage."""
        return self._frame("pairs")

    @property
    def evidence(self) -> pd.DataFrame:
        """A row for each kind of evidence on each direction of each pair, at each vantage."""
        return self._frame("evidence")

    @property
    def candidates(self) -> pd.DataFrame:
        """A row for each candidate of each session."""
        return self._frame("candidates")

    @property
    def allocations(self) -> pd.DataFrame:
        """A row for each allocation that a client asked a TURN server for."""
        return self._frame("allocations")

    @property
    def permissions(self) -> pd.DataFrame:
        """A row for each permission that was asked for, and each time it was asked for anew after it had lapsed."""
        return self._frame("permissions")

    @property
    def channels(self) -> pd.DataFrame:
        """The same for channels: which peer each number stood for, and when."""
        return self._frame("channels")

    @property
    def flows(self) -> pd.DataFrame:
        """A row for each direction of each 5-tuple."""
        return self._frame("flows")

    @property
    def dtls(self) -> pd.DataFrame:
        """A row for each record of DTLS handshakes, alerts, and the first protected ones."""
        return self._frame("dtls")

    @property
    def handshakes(self) -> pd.DataFrame:
        """A row for each DTLS handshake and vantage, with what it came to."""
        return self._frame("handshakes")

    @property
    def streams(self) -> pd.DataFrame:
        """A row for each direction and SSRC of RTP and RTCP, and for DTLS application data."""
        return self._frame("streams")

    @property
    def activity(self) -> pd.DataFrame:
        """A row for each direction of a flow and second in which media or STUN went."""
        return self._frame("activity")

    @property
    def names(self) -> pd.DataFrame:
        """A row for each `.local` name asked for over mDNS, and who asked."""
        return self._frame("names")

    @property
    def mappings(self) -> pd.DataFrame:
        """A row for each way that somebody saw a local address."""
        return self._frame("mappings")

    @property
    def stages(self) -> pd.DataFrame:
        """The course of each session, stage by stage: what happened, before anything is explained."""
        return self._frame("stages")

    @property
    def icmp(self) -> pd.DataFrame:
        """ICMP errors, one a row: who refused which packet, and which pair that tells of."""
        return self._frame("icmp")

    @property
    def descriptions(self) -> pd.DataFrame:
        """A row for each offer or answer in the signalling that was given, and username fragment in it."""
        return self._frame("descriptions")

    @property
    def stats(self) -> pd.DataFrame:
        """A row for each candidate pair that a browser counted on, beside `pairs`."""
        return self._frame("stats")

    @property
    def signalling(self) -> pd.DataFrame:
        """A row for each file given as signalling and peer connection in it: what it tells, and its clock."""
        return self._frame("signalling")

    @property
    def findings(self) -> pd.DataFrame:
        """A row for each thing that went wrong or is worth knowing: cause, direction, evidence, advice."""
        return self._frame("findings")

    @property
    def vantages(self) -> pd.DataFrame:
        """A row for each capture: what it holds and where it was taken."""
        return self._frame("vantages")

    @property
    def defects(self) -> pd.DataFrame:
        """A row for each thing that was wrong or could not be read."""
        return self._frame("defects")

    @property
    def sources(self) -> tuple[Vantage, ...]:
        """The captures as they were read."""
        return self._vantages

    @property
    def comments(self) -> dict[str, dict[int, list[str]]]:
        """Comments in pcapng captures: vantage -> frame number -> texts (frame 0: of the file itself)."""
        return {vantage.name: dict(vantage.comments) for vantage in self._vantages}

    def message(self, frame: int, *, vantage: str | None = None, number: int = 0) -> Message:
        """One message in full, every attribute in order.

        Parameters
        ----------
        frame
            Frame number, as in Wireshark.
        vantage
            Which capture; may be left out if only one has STUN in that frame.
        number
            Which message of a frame that holds several, from 0.

        Raises
        ------
        UsageError
            There is no such message, or several captures have one.
        """
        found = self.messages_in(frame, vantage=vantage)
        if not 0 <= number < len(found):
            raise UsageError(f"frame {frame} holds {len(found)} STUN messages: there is no number {number}")
        return found[number]

    def messages_in(self, frame: int, *, vantage: str | None = None) -> list[Message]:
        """All messages of one frame, in order; see `message`."""
        known = [one.name for one in self._vantages]
        if vantage is not None and vantage not in known:
            raise UsageError(f"there is no vantage {vantage!r}; there are {', '.join(known)}")
        found: dict[str, list[Message]] = {}
        for one in self._vantages:
            if vantage in (None, one.name):
                rows = np.flatnonzero(one.messages["frame"] == frame)
                if len(rows):
                    found[one.name] = [_message(one, int(row)) for row in rows]
        if not found:
            packets = max((one.packets for one in self._vantages if vantage in (None, one.name)), default=0)
            beyond = f" (the capture has {packets:,} frames)" if frame > packets or frame < 1 else ""
            raise UsageError(f"there is no STUN message in frame {frame}{beyond}")
        if len(found) > 1:
            raise UsageError(f"frame {frame} holds STUN in {' and '.join(found)}: say which vantage you mean")
        return next(iter(found.values()))

    def select(self, *, session: int) -> Trace:
        """A trace of one session only; captures and their defects stay.

        Raises
        ------
        UsageError
            There is no such session.
        """
        count = len(self.tables.sessions)
        if session not in self.tables.sessions["session_id"]:
            raise UsageError(f"there is no session {session}; the trace has {count}")
        selected = Trace(self._vantages, self._pools, self._passwords, self._signalling)
        selected.__dict__["tables"] = self.tables.of_session(session)
        selected._selected = session, self._selected[1] if self._selected else self.tables
        return selected

    def to_pcap(
        self,
        path: str | os.PathLike[str] | IO[bytes],
        *,
        session: int | None = None,
        finding: Any = None,
        frames: Iterable[int] | None = None,
        vantage: str | None = None,
        media: bool = True,
    ) -> Written:
        """Write the packets of a selection as pcapng, with findings as comments at the frames that show them.

        The capture is read a second time for it.  Times, link types and interfaces stay as they were; the frame number
        that a packet had is in its comments and its packet id.  Without a selection all packets are written.

        Parameters
        ----------
        path
            Where to write, other than the capture itself; or an open binary stream.
        session
            All that belongs to this session: checks, what its agents asked servers, relays, ICMP errors, DTLS, media.
        finding
            The frames that show a finding: its name, its row number in `findings`, or a row of that frame.
        frames
            These frames.  With `finding` these and those; then `session` says only whose findings are meant.
        vantage
            Which capture, if several were read.
        media
            False: leave out media and data of the session, so that STUN, DTLS handshakes and TCP remain.

        Raises
        ------
        UsageError
            There is no such session, finding, frame or vantage, or the file cannot be written.
        CaptureError
            The capture was a stream, or is not what it was.
        """
        from stunpcap.extract.out import to_pcap

        number, whole = self._selected or (None, self.tables)
        return to_pcap(
            replace(whole, findings=self.tables.findings),
            self._vantages,
            path,
            session=number if session is None else session,
            finding=finding,
            frames=frames,
            vantage=vantage,
            media=media,
        )

    def to_scapy(self, frames: Iterable[int], *, vantage: str | None = None) -> list[Any]:
        """These frames as scapy packets, in their order, read from the capture a second time.

        Raises
        ------
        EngineError
            scapy is missing.
        UsageError, CaptureError
            As `to_pcap`.
        """
        from stunpcap.extract.out import to_scapy

        return to_scapy(self._vantages, frames, vantage)

    def display_filter(self, finding: Any) -> str:
        """A display filter for Wireshark that shows what a finding rests on.

        Parameters
        ----------
        finding
            Its name (all of that name), its row number in `findings`, or a row of that frame.

        Raises
        ------
        UsageError
            There is no such finding, or nothing to show: it rests on what is missing, or on several captures.
        """
        from stunpcap.extract.out import display_filter, rows_of

        return display_filter(self.tables.findings, rows_of(self.tables.findings, finding), self.tables.flows)

    def __str__(self) -> str:
        """The whole summary, as `stunpcap summary` prints it."""
        from stunpcap.notebook import as_text

        return as_text(self, short=False)

    def __repr__(self) -> str:
        """A few lines: captures, sessions, and the pairs of the worst session."""
        from stunpcap.notebook import as_text

        return as_text(self, short=True)

    def _repr_html_(self) -> str:
        from stunpcap.notebook import as_html

        return as_html(self)

    def to_html(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        session: int | None = None,
        details: int | None = None,
        say: Callable[[str], None] | None = None,
    ) -> str | None:
        """The post-mortem report as one HTML page that needs nothing else (docs/report.md).

        Parameters
        ----------
        path
            Where to write it; None: return it.
        session
            Tell of this session only.
        details
            How many sessions are told in full at most, where there are more than three; default: 8.
        say
            Called with what is being done, for those who wait.

        Raises
        ------
        UsageError
            There is no such session, or the file cannot be written.
        """
        return self._report("to_html", path, session, details, say)

    def to_markdown(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        session: int | None = None,
        details: int | None = None,
        say: Callable[[str], None] | None = None,
    ) -> str | None:
        """The same report as GitHub-flavoured Markdown, for tickets: without figures, and 3 sessions in full."""
        return self._report("to_markdown", path, session, details, say)

    def _report(
        self,
        form: str,
        path: str | os.PathLike[str] | None,
        session: int | None,
        details: int | None,
        say: Callable[[str], None] | None,
    ) -> str | None:
        # By name: the report stands on the plots, which stand on this module.
        report = importlib.import_module("stunpcap.report")
        most = {} if details is None else {"details": details}
        text: str = getattr(report, form)(self, session=session, say=say, **most)
        if path is None:
            return text
        report.write_file(path, text.encode())
        return None


def _message(vantage: Vantage, row: int) -> Message:
    """Decode the message of a row again, in full."""
    from stunpcap.stun.message import Message  # an overview needs none

    offset, captured = vantage.offsets[row].tolist()
    data = vantage.payload[offset : offset + captured]
    size = int(vantage.messages["size_bytes"][row])
    return Message.parse(data, wire_length=min(size, int(vantage.extra["room"][row])))


def read(
    *paths: Source,
    names: Sequence[str] | None = None,
    passwords: Mapping[str, str] | None = None,
    signalling: Sequence[Source] | Source = (),
    engine: str = "native",
    display_filter: str | None = None,
    decode_as: Mapping[str, str] | None = None,
    keylog: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Trace:
    """Read captures.

    Parameters
    ----------
    paths
        One or several pcap or pcapng files, compressed or not; "-" for standard input; open binary streams.  Each is a
        vantage point of its own; one that is given twice counts once.
    names
        What to call the vantage points; default: the stems of the files' names.
    passwords
        ICE passwords by ufrag, TURN passwords by user name, to check MESSAGE-INTEGRITY with.
    signalling
        Files beside the captures that tell of the same calls: descriptions (SDP), logs with candidates, getStats(),
        dumps of webrtc-internals, rtcstats, about:webrtc, HAR; docs/signalling.md says which.  They are read when
        the first frame is asked for.
    engine
        Who dissects: "native", or "pyshark" (tshark), or "scapy"; docs/engines.md says what each can do.
    display_filter
        A filter in Wireshark's language; packets that do not match are left out.  Only with engine="pyshark", as the
        next two.
    decode_as
        Where tshark shall expect which protocol: `{"tcp.port==5555": "stun"}`.
    keylog
        A key log file (SSLKEYLOGFILE) to open TLS and DTLS with, such as TURN over TLS.
    progress
        Called while reading with the bytes read of the file at hand and its size (None if unknown).

    Raises
    ------
    CaptureError
        A capture cannot be read at all; what is damaged further in is kept up to the damage and listed in `defects`.
    UsageError
        Arguments that make no sense.
    EngineError
        What an engine needs is missing: a package, or tshark.
    """
    if not paths:
        raise UsageError("read() needs a capture")
    if any(isinstance(path, list | tuple | set) for path in paths):
        raise UsageError("read() takes captures one by one: read(*paths)")
    read_one = reader(engine, Options(display_filter, decode_as, keylog))
    if names is not None and len(names) != len(paths):
        raise UsageError(f"{len(names)} names for {len(paths)} captures")
    pools = Pools()
    called = _distinct(list(names) if names is not None else [default_name(path) for path in paths], paths)
    vantages = [read_one(path, name, pools, progress) for path, name in zip(paths, called, strict=True)]
    beside = signalling if isinstance(signalling, list | tuple) else [signalling]
    return Trace(_once(vantages), pools, passwords, beside)  # type: ignore[arg-type]


def _once(vantages: list[Vantage]) -> list[Vantage]:
    """Captures without those given before, under whatever name: no two places see the same at the same time."""
    kept: dict[tuple[Any, ...], Vantage] = {}
    for number, one in enumerate(vantages):
        # Addresses, times to live and directions tell two places apart that see the same messages at the same time.
        seen = hash(b"".join(part.tobytes() for part in (one.flows["src"], one.flows["dst"], one.flow_counters)))
        held = (one.packets, one.captured_bytes, one.first_time, one.last_time, hash(one.payload), seen)
        key = held if one.packets else (number,)
        known = kept.setdefault(key, one)
        if known is not one:
            told = (0, 0, f"given twice: {one.path} holds the same packets, which count once")
            kept[key] = replace(known, file_defects=(*known.file_defects, told))
    return list(kept.values())


def _distinct(names: list[str], paths: Sequence[Source]) -> list[str]:
    """Vantage names that differ: with the directory's name where stems are the same, then with numbers."""
    if len(set(names)) < len(names):
        names = [
            f"{os.path.basename(os.path.dirname(os.fspath(path)))}/{name}"  # noqa: PTH119, PTH120
            if isinstance(path, str | os.PathLike) and os.path.dirname(os.fspath(path))  # noqa: PTH120
            else name
            for name, path in zip(names, paths, strict=True)
        ]
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return result
