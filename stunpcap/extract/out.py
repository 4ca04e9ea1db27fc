"""What `Trace.to_pcap`, `Trace.to_scapy` and `Trace.display_filter` do."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

import stunpcap
from stunpcap.capture.writing import PcapngWriter
from stunpcap.errors import UsageError
from stunpcap.extract.findings import comments, display_filter, rows_of
from stunpcap.extract.packets import chosen, opened_again, read_by_others
from stunpcap.extract.select import Selection, of_all, of_frames, of_session
from stunpcap.files import whole_file, written
from stunpcap.record import record
from stunpcap.vantage import Vantage

if TYPE_CHECKING:
    from stunpcap.analysis import Tables

__all__ = ["Written", "display_filter", "rows_of", "to_pcap", "to_scapy"]


@record
class Written:
    """What an extract came to."""

    packets: int
    commented: int
    "Packets with comments of ours."


def to_pcap(
    tables: Tables,
    sources: Sequence[Vantage],
    path: str | os.PathLike[str] | IO[bytes],
    *,
    session: int | None = None,
    finding: Any = None,
    frames: Iterable[int] | None = None,
    vantage: str | None = None,
    media: bool = True,
) -> Written:
    """See `Trace.to_pcap`."""
    rows = rows_of(tables.findings, finding, session)
    source = _source(tables, sources, vantage, rows if finding is not None else None)
    selection = _selection(tables, source, rows if finding is not None else None, session, frames, media)
    file = Path(source.path).name
    told = comments(tables.findings, rows, source.name, file)
    packets = commented = 0
    with opened_again(source) as capture, _target(path, [one.path for one in sources]) as target:
        about = [f"From {file} by stunpcap: {selection.said}.", *source.comments.get(0, ())]
        writer = PcapngWriter(target, f"stunpcap {stunpcap.__version__}", about, source.first_time)
        for packet in chosen(capture, source, selection):
            writer.interfaces(capture.interfaces)
            ours = told.get(packet.frame, [])
            writer.packet(
                packet.data,
                packet.wire_length,
                packet.time_ns,
                interface=packet.interface,
                direction=packet.direction,
                number=packet.frame,
                comments=[*capture.comments.get(packet.frame, ()), *ours],
            )
            packets += 1
            commented += bool(ours)
        writer.interfaces(capture.interfaces)
    return Written(packets, commented)


def to_scapy(sources: Sequence[Vantage], frames: Iterable[int], vantage: str | None) -> list[Any]:
    """See `Trace.to_scapy`."""
    from stunpcap.extract.with_scapy import as_scapy

    source = _source(None, sources, vantage, None)
    wanted = of_frames(_numbers(frames, source), "")
    with opened_again(source) as capture:
        return [as_scapy(packet, capture.interfaces[packet.interface]) for packet in chosen(capture, source, wanted)]


def _source(tables: Tables | None, sources: Sequence[Vantage], vantage: str | None, rows: Any) -> Vantage:
    """The capture that is meant."""
    known = {one.name: one for one in sources}
    if vantage is not None:
        if vantage not in known:
            raise UsageError(f"there is no vantage {vantage!r}; there are {', '.join(known)}")
        return known[vantage]
    if len(known) == 1:
        return sources[0]
    if tables is not None and rows is not None:
        where = {name for name in tables.findings.take(rows).values("vantage") if name in known}
        if len(where) == 1:
            return known[where.pop()]
    raise UsageError(f"say which vantage you mean, of {' and '.join(known)}: packets of one capture are written")


def _selection(
    tables: Tables, source: Vantage, rows: Any, session: int | None, frames: Iterable[int] | None, media: bool
) -> Selection:
    if frames is None and rows is None:
        return of_all("all packets") if session is None else of_session(tables, source, session, media=media)
    parts, said = [np.zeros(0, np.int64)], []
    if rows is not None:
        findings = tables.findings.take(rows)
        here = findings["vantage"] == findings.pools.texts.number(source.name)
        parts += [np.array(shown, np.int64) for shown in findings["frames"][here]]
        said.append(f"the frames that show {', '.join(dict.fromkeys(findings.values('name')))}")
        if not any(map(len, parts)) and frames is None:
            raise UsageError(f"no frame of {source.name} shows it: there is nothing to write")
    if frames is not None:
        parts.append(_numbers(frames, source))
        said.append(f"{len(parts[-1])} frames by their numbers")
    return of_frames(np.concatenate(parts), " and ".join(said))


def _numbers(frames: Iterable[int], source: Vantage) -> Any:
    """Frame numbers, all of which exist."""
    try:
        numbers = np.unique(np.array(list(frames), np.int64))
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError("frames are given by their numbers: frames=[1, 2, 5]") from error
    if len(numbers) and (numbers[0] < 1 or (numbers[-1] > source.packets and not read_by_others(source))):
        wrong = int(numbers[0]) if numbers[0] < 1 else int(numbers[-1])
        raise UsageError(f"there is no frame {wrong}: {source.name} has {source.packets:,} frames, from 1")
    return numbers


@contextlib.contextmanager
def _target(path: str | os.PathLike[str] | IO[bytes], inputs: Sequence[str]) -> Iterator[IO[bytes]]:
    """Where to write: a stream, or a file that appears whole or not at all."""
    if not isinstance(path, (str, os.PathLike)):
        yield path
        return
    target = Path(path)
    with written(target):
        itself = any(target.exists() and Path(one).exists() and target.samefile(one) for one in inputs)
    if itself:
        raise UsageError(f"{target} is what is read: write to another file")
    with whole_file(target) as file:
        yield file
