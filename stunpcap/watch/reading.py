"""A stream read in a thread, into a scanner, while others ask what it holds so far.

**The clock.** Silence tells as much as packets do: a check is unanswered once its agent would have given up.  So what a
snapshot takes for the end of the capture is now, told by the clock of the packets: the last packet's time and what has
passed since it came.  A stream with old packets, or from a machine whose clock is wrong, is thus read as if it were
today's.
"""

from __future__ import annotations

import threading
import time
from dataclasses import field
from typing import IO

from stunpcap.capture import Capture, open_capture
from stunpcap.capture.ending import CUT
from stunpcap.capture.records import Defect, Interface
from stunpcap.errors import StunpcapError
from stunpcap.record import record
from stunpcap.table import Pools
from stunpcap.vantage import Vantage, assemble
from stunpcap.wire.scan import Scanner

BLOCK_BYTES = 1 << 18


@record
class _Origin:
    """What is known of a capture besides its packets, as it stood once; see `vantage.Origin`."""

    name: str
    format: str
    compression: str
    interfaces: list[Interface] = field(default_factory=list)
    defects: list[Defect] = field(default_factory=list)
    comments: dict[int, list[str]] = field(default_factory=dict)
    dropped: int | None = None


class Reading:
    """Packets as they come.

    Attributes
    ----------
    packets
        How many came so far.
    came
        When the last ones came (`time.monotonic`).
    over
        When the stream ended, None as long as it goes on.
    failed
        Why there is nothing to be read.
    """

    def __init__(self, stream: IO[bytes], name: str, path: str) -> None:
        self._stream = stream
        self._name = name
        self._path = path
        self._scanner = Scanner()
        self._last_ns = 0
        self._capture: Capture | None = None
        self._thread = threading.Thread(target=self._work, name="stunpcap reads live", daemon=True)
        self.news = threading.Condition()
        """Notified when packets came, and at the end."""
        self.packets = 0
        self.came = time.monotonic()
        self.over: float | None = None
        self.failed: StunpcapError | None = None
        self.stopped = False
        """Somebody did not wait for the end: a record cut in two there is no damage."""

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def _work(self) -> None:
        try:
            self._capture = open_capture(self._stream, block_bytes=BLOCK_BYTES, eager=True)
            for block in self._capture.blocks():
                with self.news:
                    if self.over is not None:
                        return
                    self._scanner.feed(block, self._capture.interfaces)
                    self._last_ns = max(self._last_ns, int(block.time_ns.max()))
                    self.packets += len(block)
                    self.came = time.monotonic()
                    self.news.notify_all()
        except StunpcapError as error:
            self.failed = error
        finally:
            self.end()

    def end(self) -> None:
        """What comes from now on is not looked at any more."""
        with self.news:
            if self.over is None:
                self.over = time.monotonic()
            self.news.notify_all()

    def join(self, seconds: float) -> None:
        """Wait for the end of the stream, not forever."""
        if self._thread.ident is not None:
            self._thread.join(seconds)

    @property
    def whole_bytes(self) -> int | None:
        """Bytes of the stream that are whole records; None where that does not fit what was read, or nobody knows."""
        if self._capture is None:
            return None
        return None if self._capture.compression else self._capture.whole_bytes

    def vantage(self, pools: Pools) -> Vantage | None:
        """The capture as if it ended now; None if nothing has come."""
        with self.news:
            if self._capture is None or not self.packets:
                return None
            now = self._last_ns + int(((self.over or time.monotonic()) - self.came) * 1e9)
            kept = self._scanner.so_far(now)
            known = self._capture
            origin = _Origin(
                self._path,
                known.format,
                known.compression,
                list(known.interfaces),
                [one for one in known.defects if not (self.stopped and one.problem == CUT)],
                dict(known.comments),
                known.dropped,
            )
        return assemble(origin, kept, self._name, pools)
