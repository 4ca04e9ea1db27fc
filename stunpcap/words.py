"""Words that findings, summaries, plots and reports share."""

from __future__ import annotations

from stunpcap.stun.registry import ERROR_BY_CODE


def many(number: int, one: str, more: str = "") -> str:
    """`1 check`, `1,200 checks`."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def error_words(code: int) -> str:
    """`401 Unauthenticated`; the number alone where it is not known."""
    known = ERROR_BY_CODE.get(code)
    return f"{code} {known.name}" if known else str(code)
