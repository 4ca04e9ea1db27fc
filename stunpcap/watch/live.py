"""Traces of a capture that is still being taken: `stunpcap.live`.

**Bounded work.** What is kept grows with the STUN messages and the flows, as for a file, and correlating takes longer
the more there is.  So there is at least `interval_s` between two looks, and at least `REST` times as long as the last
look took: one that takes a second comes every five seconds.  A look needs a reason: packets came, or so little time
has passed since the last one that silence may still change a verdict.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import IO, Any

from stunpcap.errors import UsageError
from stunpcap.table import Pools
from stunpcap.trace import Trace
from stunpcap.watch.reading import Reading
from stunpcap.watch.tap import Tap
from stunpcap.watch.tee import Tee

INTERVAL = 0.5
"""Seconds between two looks at least."""
REST = 4.0
"""So many times as long as a look took, none follows: looking takes a fifth of a processor at most."""
SILENCE = 60.0
"""Seconds without packets after which time alone changes nothing any more: transactions take 39.5 s, consent 30 s."""
LAST_WORDS = 1.0
"""Seconds that a stream gets to end by itself when it is stopped."""


class Live:
    """An iterator over traces of what was captured so far; a context manager that ends the capture.

    Made by `stunpcap.live`.  Each trace is complete in itself and stays as it is.  The last one is of the whole
    capture; `stop()` ends it early.
    """

    def __init__(
        self,
        source: str | IO[bytes],
        write: str | os.PathLike[str] | None,
        capture_filter: str,
        duration_s: float | None,
        interval_s: float,
        passwords: Mapping[str, str] | None,
    ) -> None:
        self._passwords = passwords
        self._interval = interval_s
        self._tap = None if not isinstance(source, str) or source == "-" else Tap(source, capture_filter)
        self._tee: Tee | None = None
        self._stopped = self._told_end = False
        try:
            # Unbuffered: a thread that waits in a buffered stream holds its lock, even when the process ends.
            stream: Any = self._tap.stream if self._tap else io.FileIO(0, closefd=False) if source == "-" else source
            if not hasattr(stream, "read"):
                raise UsageError(f"{source!r} is neither an interface, nor - for standard input, nor a binary stream")
            if write is not None:
                stream = self._tee = Tee(stream, write)
            called = source if isinstance(source, str) else "(stream)"
            path = called if write is None else os.fspath(write)
            self._reading = Reading(stream, called if self._tap else "live", path)
        except BaseException:
            if self._tap:
                self._tap.stop()
            raise
        self.until = None if duration_s is None else time.monotonic() + duration_s
        self._seen = 0
        self._next = 0.0
        self._reading.start()

    @property
    def program(self) -> str:
        """The program that captures, "" if it is a stream."""
        return self._tap.program if self._tap else ""

    @property
    def packets(self) -> int:
        """How many packets came so far."""
        return self._reading.packets

    @property
    def problem(self) -> str:
        """What is wrong with the file that is written, if anything is."""
        return self._tee.problem if self._tee else ""

    def now(self) -> Trace:
        """A trace of what was captured so far, whether anything changed or not.

        Raises
        ------
        CaptureError
            What comes is no capture.
        UsageError
            Nothing has come yet.
        """
        trace = self._look()
        if trace is None:
            raise UsageError("no packet has been captured yet")
        return trace

    def _look(self) -> Trace | None:
        begun = time.monotonic()
        self._seen = self._reading.packets
        pools = Pools()
        vantage = self._reading.vantage(pools)
        trace = None if vantage is None else Trace([vantage], pools, self._passwords)
        if trace is not None:
            _ = trace.tables
        ended = time.monotonic()
        self._next = ended + max(self._interval, REST * (ended - begun))
        return trace

    def __iter__(self) -> Iterator[Trace]:
        return self

    def __next__(self) -> Trace:
        reading = self._reading
        while True:
            if self.until is not None and time.monotonic() >= self.until:
                self.stop()
            with reading.news:
                if reading.over is None and not self._due():
                    reading.news.wait(self._patience())
                    continue
            if reading.over is not None:
                return self._last()
            trace = self._look()
            if trace is not None:
                return trace

    def _due(self) -> bool:
        """Whether it is time for a look, and there is a reason for it."""
        reading, now = self._reading, time.monotonic()
        new = reading.packets > self._seen
        return now >= self._next and (new or (reading.packets > 0 and now - reading.came < SILENCE))

    def _patience(self) -> float:
        """Seconds to wait for news: not long, lest nobody could interrupt."""
        wait = self._next - time.monotonic()
        return min(max(wait, 0.01), 0.25) if wait > 0 else 0.25

    def _last(self) -> Trace:
        """The whole capture, once; then the iterator is at its end."""
        self._finish()
        if self._reading.failed is not None:
            raise self._reading.failed
        if self._told_end:
            raise StopIteration
        self._told_end = True
        trace = self._look()
        if trace is None:
            raise StopIteration
        return trace

    def stop(self) -> None:
        """End the capture; what was captured so far is there for `now`, and whole in the file that is written."""
        over = self._reading.over
        if not self._stopped:
            # Ctrl-C is for all of a pipeline: who writes the stream may have been quicker to end.
            self._reading.stopped = over is None or time.monotonic() - over < LAST_WORDS
        self._finish()

    def _finish(self) -> None:
        """Let go of everything; what was captured stays."""
        if self._stopped:
            return
        self._stopped = True
        if self._tap:
            self._tap.end()
        self._reading.join(LAST_WORDS)
        self._reading.end()
        if self._tap:
            self._tap.stop()
        if self._tee:
            self._tee.close(self._reading.whole_bytes)
            if self._reading.failed is not None and self._tee.path.is_file():  # no device
                self._tee.path.unlink()

    def __enter__(self) -> Live:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def live(
    source: str | IO[bytes],
    *,
    write: str | os.PathLike[str] | None = None,
    capture_filter: str = "",
    duration_s: float | None = None,
    interval_s: float = INTERVAL,
    passwords: Mapping[str, str] | None = None,
) -> Live:
    """Capture, and look at what was captured so far, again and again.

        with stunpcap.live("eth0", duration_s=60) as calls:
            for trace in calls:
                print(repr(trace))

    Parameters
    ----------
    source
        An interface, for which tcpdump or dumpcap is started; "-" for a pcap or pcapng on standard input; or an open
        binary stream of one.
    write
        A file to keep the capture in.
    capture_filter
        What to capture, in the language of libpcap (`udp or icmp`); only with an interface.
    duration_s
        Seconds after which to stop; default: when the stream ends, or the iteration is left.
    interval_s
        Seconds between two traces at least; more where correlating takes long.
    passwords
        As in `stunpcap.read`.

    Raises
    ------
    EngineError
        Neither tcpdump nor dumpcap is there.
    CaptureError
        They cannot capture there; or, while iterating, what comes is no capture.
    UsageError
        Arguments that make no sense, or a file that cannot be written.
    """
    if capture_filter and (not isinstance(source, str) or source == "-"):
        raise UsageError("a capture filter is for whoever captures: give it to the program that writes the stream")
    for name, value in (("duration_s", duration_s), ("interval_s", interval_s)):
        if value is not None and not 0 <= value < 1e9:
            raise UsageError(f"{name} is {value}: it must be a number of seconds")
    return Live(source, write, capture_filter, duration_s, interval_s, passwords)
