"""What any JSON value holds of ICE: descriptions, candidates, configurations, statistics, at whatever depth.

One walk serves files, log lines, HAR messages and dumps: shapes are those of `RTCSessionDescription`,
`RTCIceCandidate`, `RTCConfiguration`, getStats(), and of ICE parameters as servers hand them out (mediasoup, aioice).
"""

from __future__ import annotations

import json
import re
from typing import Any

from stunpcap.signalling import sdp
from stunpcap.signalling.candidate import candidates_in, is_address, whole
from stunpcap.signalling.model import (
    LOCAL,
    REMOTE,
    Configuration,
    Description,
    Gathering,
    OfferedCandidate,
    Secret,
    Section,
    Server,
    Statistic,
)
from stunpcap.signalling.secrets import scrub, servers_in, without_token
from stunpcap.signalling.times import keep_time, time_of
from stunpcap.table import MISSING, NAT

DEEPEST = 60
KINDS = ("candidate-pair", "local-candidate", "remote-candidate", "transport")
_OLD_KINDS = {
    "candidatepair": "candidate-pair",
    "localcandidate": "local-candidate",
    "remotecandidate": "remote-candidate",
}
"""As the specification called them until 2016."""
_TIMES = ("timestamp", "@timestamp", "time", "ts", "t")
_LOCAL_WORDS = re.compile(
    r"(?i)setLocalDescription|localDescription|onicecandidate\b|\bicecandidate\b|\blocal\b|\bsent\b|\bsend(ing)?\b|\boutgoing\b"
)
_REMOTE_WORDS = re.compile(
    r"(?i)setRemoteDescription|remoteDescription|addIceCandidate|\bremote\b|\breceiv(ed|ing|e)\b|\bincoming\b|\bgot\b"
)
_JSON = re.compile(r"\{\s*[\"}]|\[\s*[\"{\[]")
_decode = json.JSONDecoder().raw_decode


def side_in(text: str) -> str:
    """Whose what follows is, if the words before it say so, and do not say both."""
    local, remote = _LOCAL_WORDS.search(text), _REMOTE_WORDS.search(text)
    return "" if bool(local) == bool(remote) else LOCAL if local else REMOTE


def harvest(value: Any, here: Gathering, depth: int = 0) -> None:
    """Keep whatever of use a JSON value holds; what holds for it (time, side, agent) is in `here`."""
    if depth > DEEPEST:
        return
    match value:
        case dict():
            _harvest_object(value, here, depth)
        case list():
            for item in value:
                if isinstance(item, dict | list) or (isinstance(item, str) and len(item) > 8):
                    harvest(item, here, depth + 1)
        case str():
            harvest_text(value, here, depth)


def harvest_text(text: str, here: Gathering, depth: int = 0) -> bool:
    """Keep what a text holds that stands alone, as a value in JSON or a message does; whether that was something."""
    before = here.found()
    stripped = text.strip()
    if stripped.startswith("v=0") and "\n" in stripped:
        sdp.describe(stripped, "", here)
    elif whole(stripped):
        here.candidates += candidates_in(stripped, here)
    elif (start := _JSON.search(text)) and depth < DEEPEST:
        try:
            value, _ = _decode(text, start.start())
        except (ValueError, RecursionError):
            return False
        harvest(value, here, depth + 1)
    return here.found() > before


def _harvest_object(value: dict[str, Any], here: Gathering, depth: int) -> None:
    kept = here.time, here.side
    time = next((time for name in _TIMES if (time := time_of(value.get(name))) != NAT), NAT)
    if time != NAT:
        keep_time(here, time, "utc")
    try:
        if _taken(value, here):
            return
        for name, inner in value.items():
            if isinstance(inner, dict | list) or (isinstance(inner, str) and len(inner) > 8):
                outer = here.side
                here.side = outer or side_in(str(name))
                harvest(inner, here, depth + 1)
                here.side = outer
    finally:
        here.time, here.side = kept


def _taken(value: dict[str, Any], here: Gathering) -> bool:
    """Whether an object is one of those that are looked for; then it is kept, as far as it makes sense."""
    kind = value.get("type")
    if isinstance(text := value.get("sdp"), str) and text.lstrip().startswith("v=0"):
        sdp.describe(text, kind if isinstance(kind, str) else "", here)
        return True
    if isinstance(text := value.get("candidate"), str):
        return take_candidate(value, here)
    taken = False
    if isinstance(servers := value.get("iceServers"), list):
        take_configuration(value, servers, here)
        taken = True
    if isinstance(kind, str) and (kind in KINDS or kind in _OLD_KINDS) and len(value) > 2:
        take_statistic(value, here)
        return True
    return _parameters(value, here) or (taken and set(value) <= {"iceServers", "iceTransportPolicy", "bundlePolicy"})


def take_candidate(value: dict[str, Any], here: Gathering) -> bool:
    """An `RTCIceCandidate` or what is like it; the empty one ends candidates."""
    text = value["candidate"]
    if not text.strip():
        here.event("end-of-candidates", _text(value.get("sdpMid")))
        return True
    if not whole(text):
        if "candidate:" in text:
            here.flaw("a candidate that does not follow RFC 8839")
        return False
    mid = value.get("sdpMid", value.get("mid", value.get("id")))
    here.candidates += candidates_in(
        text,
        here,
        mid=_text(mid),
        ufrag=_text(value.get("usernameFragment")),
        url=_text(value.get("url")),
    )
    return True


def take_configuration(value: dict[str, Any], servers: list[Any], here: Gathering) -> None:
    """An `RTCConfiguration`."""
    found = []
    for server in servers:
        if isinstance(server, str):
            found.append(Server(tuple(servers_in(server))))
        elif isinstance(server, dict):
            urls = server.get("urls", server.get("url", []))
            named = urls if isinstance(urls, list) else [urls]
            credential = server.get("credential")
            found.append(
                Server(
                    tuple(url for one in named if isinstance(one, str) and (url := without_token(one))),
                    _text(server.get("username")),
                    Secret(credential) if isinstance(credential, str) and credential else None,
                )
            )
    policy, bundle = value.get("iceTransportPolicy"), value.get("bundlePolicy")
    here.configurations.append(
        Configuration(tuple(found), scrub(_text(policy)), scrub(_text(bundle)), here.agent, here.time, here.here())
    )


def take_statistic(value: dict[str, Any], here: Gathering) -> None:
    """An object of getStats(); a later one of the same id takes its place."""
    kind = str(value["type"])
    kind = _OLD_KINDS.get(kind, kind)
    name = _text(value.get("id"))
    plain = {key: one for key, one in value.items() if isinstance(one, str | int | float | bool)}
    if isinstance(url := plain.get("url"), str):
        plain["url"] = without_token(url)
    before = here.statistics.get((here.agent, name))
    if before is None or before.time <= here.time:
        here.statistics[here.agent, name] = Statistic(name, kind, plain, here.agent, here.time, here.here())


def _parameters(value: dict[str, Any], here: Gathering) -> bool:
    """ICE parameters and candidates of a server's own making; a description in effect."""
    ufrag = value.get("ufrag", value.get("usernameFragment"))
    pwd = value.get("pwd", value.get("password"))
    inner = value.get("iceParameters")
    if isinstance(inner, dict):
        ufrag, pwd = inner.get("usernameFragment"), inner.get("password")
    if not (isinstance(ufrag, str) and isinstance(pwd, str) and ufrag and pwd):
        return False
    before = len(here.candidates)
    listed = value.get("iceCandidates", value.get("candidates", []))
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, str) and whole(item):
            here.candidates += candidates_in(item.strip(), here, ufrag=ufrag)
        elif isinstance(item, dict) and (one := _from_object(item, ufrag, here)):
            here.candidates.append(one)
    section = Section("", "", ufrag, Secret(pwd), "", "", False, tuple(here.candidates[before:]))
    kind = value.get("type")
    lite = bool((inner if isinstance(inner, dict) else value).get("iceLite"))
    here.descriptions.append(
        Description(
            kind if kind in ("offer", "answer") else "",
            (section,),
            ice_lite=lite,
            side=here.side,
            agent=here.agent,
            time=here.time,
            how=here.how,
            origin=here.here(),
        )
    )
    return True


def _from_object(value: dict[str, Any], ufrag: str, here: Gathering) -> OfferedCandidate | None:
    """A candidate written as an object, as mediasoup does."""
    address, port, kind = value.get("address", value.get("ip")), value.get("port"), value.get("type")
    if not (isinstance(address, str) and is_address(address) and isinstance(port, int) and isinstance(kind, str)):
        return None
    priority = value.get("priority")
    return OfferedCandidate(
        _text(value.get("foundation")),
        1,
        _text(value.get("protocol")).lower() or "udp",
        priority if isinstance(priority, int) else MISSING,
        address,
        port if 0 <= port < 65536 else MISSING,
        kind,
        tcptype=_text(value.get("tcpType")),
        ufrag=ufrag,
        side=here.side,
        agent=here.agent,
        time=here.time,
        origin=here.here(),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
