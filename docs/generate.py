"""Draw the pages that follow from the code: `python docs/generate.py` writes them all.

- `docs/frames.md`, from `stunpcap.schema`
- `docs/cli.md`, from the commands' own help
- what the README's first command prints, in the README
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from stunpcap.cli.reference import reference
from stunpcap.schema import DTYPES, FRAMES, Column, Kind

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
FRAMES_PAGE = ROOT / "docs" / "frames.md"

ROWS = {
    "messages": "A row for each STUN message.",
    "transactions": "A row for each request with what became of it, and for each response whose request was not "
    "captured.",
    "sessions": "A row for each pair of agents (two username fragments).",
    "pairs": "A row for each candidate pair **and direction**, in each capture: the checks that went from `src` to "
    "`dst`, and what came back.",
    "candidates": "A row for each candidate of each agent, as far as the captures tell.",
    "allocations": "A row for each allocation that a client asked a TURN server for; [TURN](turn.md) says how it is "
    "followed.",
    "permissions": "A row for each permission of an allocation, from its creation to its expiry; a new row if it is "
    "created again after that.",
    "channels": "A row for each channel of an allocation and what it was bound to; a new row after it expired.",
    "flows": "A row for each direction of each UDP or TCP flow, STUN or not, and of each flow inside TURN.",
    "mappings": "A row for each way that a server or a peer saw a local address: the NATs in front of it.",
    "findings": "A row for each thing that went wrong or is worth knowing, what explains a session first; "
    "[findings](findings.md) says what each means.",
    "vantages": "A row for each capture that was read.",
    "defects": "A row for each thing that was damaged, odd or not read: in the file, in packets, in messages.",
}

HEAD = """\
# The frames

<!-- made from stunpcap/schema.py by docs/generate.py: change it there -->

`stunpcap.read(...)` gives a `Trace`; each of its frames is a pandas `DataFrame`, and a command of the same name prints
it (`stunpcap pairs TRACE`). Column names and meanings are a contract: more may come, these stay.

- `src`, `dst` and other addresses are text: `192.0.2.1:5000`, `[2001:db8::1]:5000`.
- Times are `datetime64[ns, UTC]`; columns whose names end in `_s` are seconds.
- Categories have all their levels, whether they occur or not. Empty frames have the same columns and dtypes.
- Frame numbers are Wireshark's `frame.number`, counted from 1 in each capture.
- What cannot be known from a capture is missing (`NaN`, `NaT`, `<NA>`), not guessed.

How rows come about, and what `state` and `path` mean and do not mean: [concepts](concepts.md).
"""


def frames_page() -> str:
    """The reference of all frames."""
    parts = [HEAD]
    for frame, columns in FRAMES.items():
        parts.append(f"\n## {frame}\n\n{ROWS[frame]}\n\n| column | dtype | meaning |\n| --- | --- | --- |\n")
        parts += [f"| `{one.name}` | {_dtype(one)} | {_meaning(one)} |\n" for one in columns]
    return "".join(parts)


def _dtype(one: Column) -> str:
    return "category" if one.kind is Kind.CATEGORY else DTYPES[one.kind]


def _meaning(one: Column) -> str:
    levels = f": {', '.join(f'`{level}`' if level else 'empty' for level in one.levels)}" if one.levels else ""
    return f"{one.meaning}{levels}" if ":" not in one.meaning else f"{one.meaning}{levels.replace(': ', ' — ', 1)}"


BLOCK = re.compile(
    r"(<!-- what (?P<command>stunpcap [^>]+?) prints(, from (?P<start>[^>]+?))? -->\n+```\n)(?:(?!```).*\n)*?(?=```\n)"
)


def readme_page(text: str) -> str:
    """The README with what its commands print."""
    return BLOCK.sub(lambda match: match[1] + _output(match["command"], match["start"]), text)


def _output(command: str, start: str | None) -> str:
    program = [sys.executable, "-X", "utf8", "-c", "import stunpcap.cli as cli; raise SystemExit(cli.main())"]
    arguments = [*program, *command.split()[1:]]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True)
    lines = [line.rstrip() for line in done.stdout.strip("\n").splitlines()]
    if start:
        lines = lines[next(number for number, line in enumerate(lines) if line.startswith(start)) :]
    return "\n".join(lines) + "\n"


def pages() -> dict[Path, str]:
    """Every page that is made, with what it should hold."""
    readme = readme_page(README.read_text(encoding="utf-8"))
    return {FRAMES_PAGE: frames_page(), ROOT / "docs" / "cli.md": reference(), README: readme}


if __name__ == "__main__":
    for path, content in pages().items():
        path.write_text(content, encoding="utf-8")
        print(path.relative_to(ROOT))
