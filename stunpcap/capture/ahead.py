"""Reading ahead: while one block is worked on, a thread reads the next and finds the packets in it.

It pays where both sides spend their time outside Python: in system calls and compiled loops.  So the first blocks come
without a thread, and a small capture never starts one.
"""

from __future__ import annotations

from collections.abc import Iterator

from stunpcap.capture.records import Block

DEPTH = 1
"""Blocks that wait, besides the one that the thread has in hand; each keeps its buffer."""
ALONE = 4
"""Blocks that are handed on before the thread starts."""
PATIENCE = 0.2
"""Seconds for the thread to see that nobody wants more."""


class _Failure:
    """What was raised in the thread, to be raised where the blocks are wanted."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def read_ahead(blocks: Iterator[Block]) -> Iterator[Block]:
    """The same blocks, read in a thread from the fifth on; what the iterator raises is raised here, in its place."""
    for _ in range(ALONE):
        block = next(blocks, None)
        if block is None:
            return
        yield block
    import queue  # small captures need neither
    import threading

    waiting: queue.Queue[Block | _Failure | None] = queue.Queue(DEPTH)
    unwanted = threading.Event()

    def put(item: Block | _Failure | None) -> bool:
        while not unwanted.is_set():
            try:
                waiting.put(item, timeout=PATIENCE)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for block in blocks:
                if not put(block):
                    return
            put(None)
        except BaseException as error:
            put(_Failure(error))

    # A daemon: a pipe in which nothing comes any more must not keep the process alive.
    thread = threading.Thread(target=work, name="stunpcap reads ahead", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        unwanted.set()
        thread.join(PATIENCE)
