"""What Firefox saves of about:webrtc: a page (HTML, or its text), or the reports behind it as JSON.

Columns of tables are told by what Firefox names them in its own code (`data-l10n-id`), which is the same in every
language, or by their English words.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from stunpcap.signalling import log, sdp
from stunpcap.signalling.candidate import candidates_in, whole
from stunpcap.signalling.documents import load
from stunpcap.signalling.harvest import take_configuration, take_statistic
from stunpcap.signalling.model import LOCAL, REMOTE, Gathering
from stunpcap.signalling.times import keep_time, time_of
from stunpcap.table import NAT

FORMAT = "about:webrtc"
_PAGE = re.compile(rb"about-webrtc-|aboutwebrtc|about:webrtc|id=\"ice-stats|RTCPeerConnection Statistics")
_HTML = re.compile(rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype html|html|div|body)")
_REPORTS = re.compile(rb"(\xef\xbb\xbf)?\s*[\[{]")
_COLUMNS = {
    "ice-state": "state",
    "ice state": "state",
    "nominated": "nominated",
    "selected": "selected",
    "local-candidate": "local",
    "local candidate": "local",
    "remote-candidate": "remote",
    "remote candidate": "remote",
    "priority": "priority",
    "ice-pair-bytes-sent": "bytesSent",
    "bytes sent": "bytesSent",
    "ice-pair-bytes-received": "bytesReceived",
    "bytes received": "bytesReceived",
}
_END = re.compile(
    r"\[?(?P<address>[^\s]{1,255}?)\]?:(?P<port>\d{1,5})/(?P<protocol>\w+)\((?P<type>host|srflx|prflx|relay|serverreflexive|peerreflexive|relayed)(?:-(?P<relay>\w+))?\)"
)
_LONG = {"serverreflexive": "srflx", "peerreflexive": "prflx", "relayed": "relay"}
MOST_CELLS = 1_000_000


def recognise(head: bytes) -> bool:
    """A page that names about:webrtc or its parts, or JSON with its reports."""
    if _HTML.match(head):
        return _PAGE.search(head) is not None
    return _REPORTS.match(head) is not None and b'"iceCandidatePairStats"' in head


def read(text: str, here: Gathering) -> None:
    """The page's tables, descriptions and log; or the reports."""
    if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        document = load(text, here)
        reports = document.get("reports", [document]) if isinstance(document, dict) else document
        here.line = here.offset = -1
        for report in reports if isinstance(reports, list) else ():
            if isinstance(report, dict):
                _report(report, here)
        return
    page = _Page(here)
    page.feed(text)
    page.close()
    page.finish()


def _report(report: dict[str, Any], here: Gathering) -> None:
    """One peer connection."""
    here.agent = str(report.get("pcid", ""))[:80].split(" ")[0]
    here.time = NAT
    keep_time(here, time_of(report.get("timestamp")), "utc")
    for part in ("iceCandidateStats", "trickledIceCandidateStats", "iceCandidatePairStats", "transportStats"):
        for statistic in _list(report.get(part)):
            if isinstance(statistic, dict) and isinstance(statistic.get("type"), str):
                take_statistic(statistic, here)
    if isinstance(configuration := report.get("configuration"), dict):
        take_configuration(configuration, _list(configuration.get("iceServers")), here)
    offerer = report.get("offerer")
    for part in _list(report.get("sdpHistory")):
        if isinstance(part, dict) and isinstance(part.get("sdp"), str):
            local = part.get("isLocal") is True
            here.side, here.time = LOCAL if local else REMOTE, NAT
            keep_time(here, time_of(part.get("timestamp")), "utc")
            kind = "" if offerer is None else "offer" if local == bool(offerer) else "answer"
            sdp.describe(part["sdp"], kind, here)
    here.time = NAT
    for part, here.side in (("rawLocalCandidates", LOCAL), ("rawRemoteCandidates", REMOTE)):
        for line in _list(report.get(part)):
            if isinstance(line, str) and whole(line):
                here.candidates += candidates_in(line, here)
    here.side = here.agent = ""


class _Page(HTMLParser):
    """The page read from top to bottom."""

    def __init__(self, here: Gathering) -> None:
        super().__init__(convert_charrefs=True)
        self._here = here
        self._names: list[str] = []
        self._row: list[str] = []
        self._cell: list[str] | None = None
        self._in_pre = False
        self._lines: list[str] = []
        self._seen: set[tuple[str, str]] = set()
        self._pairs = self._cells = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag begins."""
        told = dict(attrs)
        name = (told.get("data-l10n-id") or "").removeprefix("about-webrtc-")
        if tag == "table":
            self._names = []
        elif tag == "tr":
            self._row = []
        elif tag in ("td", "th"):
            self._cell = [name] if name else []
        elif tag == "pre":
            self._in_pre, self._cell = True, []
        elif tag in ("h3", "h4", "h5", "p", "span", "div"):
            self._heading(told, name)

    def handle_endtag(self, tag: str) -> None:
        """A tag ends."""
        text = "".join(self._cell or [])
        if tag == "th":
            self._names.append(text)
        elif tag == "td":
            self._row.append(text)
        elif tag == "tr" and self._row:
            self._take_row()
        elif tag == "pre":
            self._in_pre = False
            self._take_description(text)
        elif tag in ("p", "div", "li", "br"):
            return
        if tag in ("th", "td", "pre"):
            self._cell = None

    def handle_data(self, data: str) -> None:
        """Text between tags; a heading's own text, where its cell has a name already, is not wanted."""
        if self._cell is None:
            if data.strip():
                self._lines.append(data.strip())
        else:
            self._cell.append(data)

    def finish(self) -> None:
        """What stood outside of tables: the log."""
        here = self._here
        here.side = here.agent = ""
        known = {(one.address, one.port, one.type) for one in here.candidates}
        kept = len(here.candidates)
        log.read("\n".join(self._lines), here)
        here.candidates[kept:] = [
            one for one in here.candidates[kept:] if (one.address, one.port, one.type) not in known
        ]

    def _heading(self, told: dict[str, str | None], name: str) -> None:
        if "local-sdp" in name or "set-at-timestamp-local" in name:
            self._here.side = LOCAL
        elif "remote-sdp" in name or "set-at-timestamp-remote" in name:
            self._here.side = REMOTE
        identity = told.get("id") or ""
        if identity.startswith("ice-stats: "):
            self._here.agent = identity.removeprefix("ice-stats: ").split(" ")[0][:80]

    def _take_description(self, text: str) -> None:
        here = self._here
        here.line, here.offset = self.getpos()[0], -1
        start = text.find("v=0")
        if start >= 0 and (here.side, text) not in self._seen:
            self._seen.add((here.side, text))
            before = "\n".join(self._lines[-3:]).lower()
            if not here.side and ("local" in before) != ("remote" in before):
                here.side = LOCAL if "local" in before else REMOTE
            kind = "offer" if "offer" in before and "answer" not in before else ""
            sdp.describe(text[start:], kind or ("answer" if "answer" in before and "offer" not in before else ""), here)

    def _take_row(self) -> None:
        here = self._here
        self._cells += len(self._row)
        if self._cells > MOST_CELLS:
            return
        here.line, here.offset = self.getpos()[0], -1
        if len(self._row) == 1 and whole(self._row[0]):
            heading = " ".join(self._names).lower()
            here.side = LOCAL if "local" in heading else REMOTE if "remote" in heading else ""
            here.candidates += candidates_in(self._row[0], here)
            here.side = ""
            return
        named: dict[str, str] = {}
        for name, cell in zip(self._names, self._row, strict=False):
            low = name.lower()
            key = next((key for words, key in _COLUMNS.items() if low.startswith(words) or words in low), "")
            if key:
                named.setdefault(key, cell.strip())
        local, remote = _END.search(named.get("local", "")), _END.search(named.get("remote", ""))
        if not local or not remote:
            return
        self._pairs += 1
        ids = []
        for side, end in (("local", local), ("remote", remote)):
            identity = f"{side}-{end['address']}:{end['port']}/{end['protocol']}"
            ids.append(identity)
            take_statistic(
                {
                    "id": identity,
                    "type": f"{side}-candidate",
                    "address": end["address"],
                    "port": int(end["port"]),
                    "protocol": end["protocol"].lower(),
                    "candidateType": _LONG.get(end["type"], end["type"]),
                    **({"relayProtocol": end["relay"].lower()} if end["relay"] else {}),
                },
                here,
            )
        pair: dict[str, Any] = {
            "id": f"pair-{self._pairs}",
            "type": "candidate-pair",
            "localCandidateId": ids[0],
            "remoteCandidateId": ids[1],
        }
        for key in ("bytesSent", "bytesReceived", "priority"):
            if named.get(key, "").isdigit():
                pair[key] = int(named[key])
        if named.get("state"):
            pair["state"] = named["state"].lower()
        for key in ("nominated", "selected"):
            if key in named:
                pair[key] = named[key].lower() == "true"
        take_statistic(pair, here)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
