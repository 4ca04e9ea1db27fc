"""Draw the pages that follow from the code: `python docs/generate.py` writes them all.

- `docs/frames.md`, from `stunpcap.schema`
- `docs/cli.md`, from the commands' own help
- `docs/findings.md`, from the rules in `stunpcap.diagnose`
- `docs/evidence.md`, from `stunpcap.evidence` and the rules in `stunpcap.ice.directions`
- what the README's first command prints, in the README
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from stunpcap.cli.reference import reference
from stunpcap.diagnose.explained import findings_page
from stunpcap.diagnose.rules import all_rules
from stunpcap.evidence import KINDS, MEANING
from stunpcap.ice.directions import CONFIDENCE_RULES, RULES
from stunpcap.schema import DTYPES, FRAMES, Column, Kind

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
FRAMES_PAGE = ROOT / "docs" / "frames.md"
EVIDENCE_PAGE = ROOT / "docs" / "evidence.md"

ROWS = {
    "messages": "A row for each STUN message.",
    "transactions": "A row for each request with what became of it, and for each response whose request was not "
    "captured.",
    "sessions": "A row for each pair of agents (two username fragments).",
    "pairs": "A row for each candidate pair **and direction**, in each capture: the checks that went from `src` to "
    "`dst`, and what came back.",
    "evidence": "A row for each kind of evidence on what became of packets from `src` to `dst`, in each capture; "
    "[evidence](evidence.md) explains the kinds.",
    "candidates": "A row for each candidate of each agent, as far as the captures tell.",
    "allocations": "A row for each allocation that a client asked a TURN server for; [TURN](turn.md) says how it is "
    "followed.",
    "permissions": "A row for each permission of an allocation, from its creation to its expiry; a new row if it is "
    "created again after that.",
    "channels": "A row for each channel of an allocation and what it was bound to; a new row after it expired.",
    "flows": "A row for each direction of each UDP or TCP flow, STUN or not, and of each flow inside TURN.",
    "stages": "A row for each stage of each session, and each agent or direction in it: what happened, before "
    "anything is explained.",
    "icmp": "A row for each ICMP error that quotes a packet of UDP or TCP: who refused what, and of which "
    "pair that tells.",
    "mappings": "A row for each way that a server or a peer saw a local address: the NATs in front of it.",
    "dtls": "A row for each DTLS record of a handshake or an alert, and for the first protected ones; "
    "[media](media.md) says what can be seen of them.",
    "handshakes": "A row for each DTLS handshake: what came of it, and how far it came.",
    "streams": "A row for each direction and SSRC of RTP and RTCP, and for each direction of application data in DTLS.",
    "activity": "A row for each direction of a flow and each second in which something went.",
    "names": "A row for each `.local` name that mDNS was asked for, or announced.",
    "descriptions": "A row for each offer or answer in the files given as signalling, and each username fragment; "
    "[signalling](signalling.md) says which files.",
    "stats": "A row for each candidate pair in a browser's statistics, with the ends and names of `pairs`: "
    '`trace.stats.merge(trace.pairs, on=["session_id", "src", "dst"])` puts both side by side.',
    "signalling": "A row for each file given as signalling and peer connection in it: what it tells, and its clock.",
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


EVIDENCE_HEAD = """\
# Evidence: what became of packets in each direction

<!-- made from stunpcap/evidence.py and stunpcap/ice/directions.py by docs/generate.py: change it there -->

`path` in `pairs` says what became of packets from `src` to `dst`. It is concluded from a list of evidence, which the
frame `evidence` shows (`stunpcap evidence TRACE`): a row for each direction of each pair, kind of evidence, and
capture, with the frames that show it. Directions in which no check was captured have no row in `pairs`; what answers
and media tell of them is in `evidence` all the same.
"""

ACROSS = """
## One capture, and several

Each row of `pairs` and `evidence` speaks for one capture, with its own addresses, frames and times. Read alone, it
rests on that capture. Read with others (`stunpcap evidence offerer.pcap answerer.pcap`), what the others show of the
same messages is added, and names them in `other_vantage`: a row then tells the joint truth about the packets that left
by it, and the same row may say `unknown` when its capture is read alone.

- A message is known by its transaction id and class, whatever NATs made of its addresses. `as_src` and `as_dst` tell
  what it looked like in the other capture: so rows before and behind a NAT are linked, whose `pair_id` differs.
- No clocks are compared. Which capture is further on the way follows from where they were taken, or from the time to
  live. That the other one was running is known where messages captured here before and after are in both. Two captures
  that share no message at all prove nothing about each other.
- A capture that holds only what its own host sent says nothing of what arrived there.

Evidence about an agent's host is not evidence about the agent: a firewall on the host works behind the place where
packets are captured.
"""

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


def evidence_page() -> str:
    """The list of evidence, and how it is weighed."""
    parts = [EVIDENCE_HEAD, "\n## What it says\n\n| says | of packets from `src` to `dst` |\n| --- | --- |\n"]
    parts += [f"| `{says}` | {meaning} |\n" for says, meaning in MEANING.items()]
    parts.append(
        "\n## Kinds\n\n| evidence | says | strength | what was captured | from |\n| --- | --- | --- | --- | --- |\n"
    )
    for kind in KINDS:
        strength = f"{kind.strength}; {kind.weaker}" if kind.weaker else kind.strength
        parts.append(f"| `{kind.name}` | {kind.says} | {strength} | {kind.meaning} | {kind.section} |\n")
    parts.append("\n## How `path` follows\n\nThe first rule that holds decides:\n\n")
    parts += [f"{number}. {rule}\n" for number, rule in enumerate(RULES, 1)]
    parts.append("\n`path_confidence`:\n\n")
    parts += [f"- {rule}\n" for rule in CONFIDENCE_RULES]
    return "".join(parts) + ACROSS


def pages() -> dict[Path, str]:
    """Every page that is made, with what it should hold."""
    readme = readme_page(README.read_text(encoding="utf-8"))
    return {
        FRAMES_PAGE: frames_page(),
        EVIDENCE_PAGE: evidence_page(),
        ROOT / "docs" / "findings.md": findings_page(all_rules()),
        ROOT / "docs" / "cli.md": reference(),
        README: readme,
    }


if __name__ == "__main__":
    for path, content in pages().items():
        path.write_text(content, encoding="utf-8")
        print(path.relative_to(ROOT))
