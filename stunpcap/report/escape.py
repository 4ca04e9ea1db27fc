"""Text from anywhere in Markdown, where it shall say what it says and do nothing.

GitHub and GitLab read Markdown, then HTML, and then look through the text for mentions, issue numbers, addresses and
emoji.  The last step knows no escape, but it does not look into code; and a comment (`<!-- -->`), which is not shown,
takes such words apart.
"""

from __future__ import annotations

import re

from stunpcap.stun.render import printable

_BREAK = "<!-- -->"
_SPECIAL = re.compile(r"([\\`*_{}\[\]|~$!^=])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ACTING = re.compile(
    r"@|#|://|\bwww\.|\bGH-|\bmailto:|:(?=[\w\\+-]*[A-Za-z_+-][\w\\+-]*:)|:(?=(?:100|1234):)",
    re.IGNORECASE,
)
"""Mentions, issues, addresses, and emoji by name, whose underscores have a backslash in front of them by then."""
_ENDPOINT = re.compile(
    r"(?<![\w.:\[`])(?:\[[0-9A-Fa-f:.]+(?:%[\w.]+)?\](?::\d+)?|\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?"
    r"|(?=[0-9A-Fa-f:]*::|(?:[0-9A-Fa-f]+:){7})(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4})(?![\w\]]|[:.]\w)"
)
_NUMBERED = re.compile(r"^(\d+)(?=[.)](?:\s|$))")


def plain(text: str) -> str:
    """A text by itself: every character that could mean something is escaped."""
    return _begun(_escaped(text))


def _escaped(text: str) -> str:
    """Text between other words."""
    escaped = "".join(_ENTITIES.get(c, c) for c in printable(text))
    escaped = _SPECIAL.sub(r"\\\1", escaped)
    return _ACTING.sub(lambda found: found.group()[0] + _BREAK + found.group()[1:], escaped)


def _begun(escaped: str) -> str:
    """Text at the beginning of a line, where it would begin a list, a rule, or a block of code."""
    escaped = escaped.strip()
    if escaped[:1] in ("-", "+"):
        return f"\\{escaped}"
    return _NUMBERED.sub(lambda found: found.group() + _BREAK, escaped)


def code(text: str, *, cell: bool = False) -> str:
    """Text as code, in a fence longer than any in it; in a `cell` of a table bars are escaped once more."""
    safe = printable(text)
    if not safe.strip():
        return ""
    longest = max((len(run) for run in re.findall("`+", safe)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if safe[0] in "` " or safe[-1] in "` " else ""
    marked = f"{fence}{pad}{safe}{pad}{fence}"
    return marked.replace("|", "\\|") if cell else marked


def prose(text: str) -> str:
    """A sentence of ours with words from the wire in it: what is in backticks, and addresses, become code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        parts = [*parts[:-2], "`".join(parts[-2:])]
    return _begun("".join(code(part) if number % 2 else _with_addresses(part) for number, part in enumerate(parts)))


def _with_addresses(text: str) -> str:
    done, out = 0, []
    for found in _ENDPOINT.finditer(text):
        out += [_escaped(text[done : found.start()]) if found.start() > done else "", code(found.group())]
        done = found.end()
    return "".join(out) + (_escaped(text[done:]) if done < len(text) else "")


def block(text: str, language: str = "") -> list[str]:
    """Lines of a block of code; its fence is longer than any in it."""
    lines = [printable(line) for line in text.split("\n")]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence + language, *lines, fence]
