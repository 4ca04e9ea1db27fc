"""Whether checks were made with the password of a description: the proof that it is the one that was used."""

from __future__ import annotations

from collections.abc import Callable

from stunpcap.ice.sessions import split_username
from stunpcap.schema import INTEGRITY
from stunpcap.stun.integrity import check_integrity, short_term_key
from stunpcap.table import MISSING, Table

MOST = 12
"""Checks that are tried for each description."""
_ABSENT = INTEGRITY.index("absent")
VALID, INVALID = 0, 1


class Proofs:
    """The checks of a trace, by whom they were sent to."""

    def __init__(self, messages: Table, bytes_of: Callable[[int], bytes]) -> None:
        self._bytes_of = bytes_of
        texts = messages.pools.texts.values
        self._checks: dict[str, list[int]] = {}
        columns = (messages["username"].tolist(), messages["integrity"].tolist(), messages["class"].tolist())
        receivers: dict[int, str] = {}
        for row, (username, integrity, kind) in enumerate(zip(*columns, strict=True)):
            if username < 0 or integrity == _ABSENT or kind != 0:
                continue
            if username not in receivers:
                parts = split_username(texts[username])
                receivers[username] = parts[0] if parts else ""
            rows = self._checks.setdefault(receivers[username], [])
            if len(rows) < MOST:
                rows.append(row)

    def of(self, ufrag: str, password: str) -> int:
        """`valid` if any check to this agent was made with the password; MISSING where there is nothing to try."""
        rows = self._checks.get(ufrag, [])
        if not rows or not password:
            return MISSING
        key = short_term_key(password)
        return VALID if any(check_integrity(self._bytes_of(row), key) == "valid" for row in rows) else INVALID
