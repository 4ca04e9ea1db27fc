"""What is gathered beside the packets while a capture is read: interfaces, defects, comments, the frame number."""

from __future__ import annotations

from dataclasses import dataclass, field

from stunpcap.capture.records import Defect, Interface

ELSEWHERE = 'engine="pyshark", --engine pyshark for the command, may read it, as Wireshark does'
"""What is said of captures that are beyond this reader."""
MOST_DEFECTS = 100
MOST_COMMENT_CHARACTERS = 16 << 20
"""Beyond these a file is not read by people; without them a hostile one would fill the memory."""


@dataclass(slots=True, eq=False, repr=False)
class Notes:
    """Grows while the capture is read."""

    interfaces: list[Interface] = field(default_factory=list)
    defects: list[Defect] = field(default_factory=list)
    comments: dict[int, list[str]] = field(default_factory=dict)
    frame: int = 0
    """Frames handed on so far, which is the number of the last one."""
    drops: dict[int, int] = field(default_factory=dict)
    """Packets that each interface's statistics say were dropped, up to the last ones read."""
    lost: int = -1
    """Packets that packets say were lost before them; -1 as long as none says anything."""
    _told: set[str] = field(default_factory=set)
    _characters: int = 0

    def defect(self, offset: int, problem: str, *, frame: int | None = None, once: bool = False) -> None:
        """Note that something is wrong at `offset`; with `once`, only the first time."""
        if once and problem in self._told:
            return
        if once:
            self._told.add(problem)
        if len(self.defects) == MOST_DEFECTS:
            problem = "further defects of this file are not listed"
        if len(self.defects) <= MOST_DEFECTS:
            self.defects.append(Defect(offset, self.frame if frame is None else frame, problem))

    @property
    def dropped(self) -> int | None:
        """Packets that were dropped while capturing, as the file says; None if it says nothing.

        Statistics and packets say it each in their own way of the same packets.
        """
        if not self.drops and self.lost < 0:
            return None
        return max(sum(self.drops.values()), self.lost)

    def comment(self, frame: int, text: str, offset: int) -> None:
        """Keep a comment on a frame, or with frame 0 on the capture."""
        self._characters += len(text)
        if self._characters > MOST_COMMENT_CHARACTERS:
            self.defect(offset, "more comments than can be kept: those from here on are dropped", once=True)
        else:
            self.comments.setdefault(frame, []).append(text)
