"""What a person would have of the lab's calls: files made from the agents' own account in `truth.json`.

Each function writes one kind of file as its program does, seen by one agent of the call.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from tests.places import LAB

Truth = dict[str, Any]
AGENTS = ("offerer", "answerer")
SERVERS = [
    {"urls": ["stun:203.0.113.5:3478"]},
    {"urls": "turn:203.0.113.5:3478?transport=udp&token=TOKEN123", "username": "lab", "credential": "CREDENTIAL"},
]


def truth_of(scenario: str) -> Truth:
    """The agents' account of a call."""
    found: Truth = json.loads((LAB / scenario / "truth.json").read_text())
    return found


def scenarios() -> list[str]:
    """All calls whose agents told of themselves."""
    return sorted(path.parent.name for path in LAB.glob("*/truth.json"))


def steps(truth: Truth, who: str) -> list[tuple[float, str, Any]]:
    """(milliseconds since 1970, the W3C's name of the call or event, its value), in order, as one agent lived them."""
    found: list[tuple[float, str, Any]] = []
    for one in truth["signalling"]:
        own = one["from"] == who
        message = one["message"] if own else one.get("delivered", one["message"])
        time = one["t"] + (0 if own else one.get("heldSeconds", 0) * 1000 + 1)
        match message.get("type"):
            case "offer" | "answer":
                found.append((time, "setLocalDescription" if own else "setRemoteDescription", message))
            case "candidate":
                found.append((time, "icecandidate" if own else "addIceCandidate", message["candidate"]))
            case "ice":
                found.append((time, "sent" if own else "received", message))
    states = (event for event in truth["events"] if event.get("who") == who and event.get("kind") == "state")
    found += [(event["t"], event["name"].lower() + "change", event["value"]) for event in states]
    return sorted(found, key=lambda step: step[0])


def console_log(truth: Truth, who: str, shift_ms: float = 0, clock: str = "iso") -> str:
    """The console of a page that logs what it does, as Chrome saves it."""
    lines = []
    for time, what, value in steps(truth, who):
        text = json.dumps(value) if isinstance(value, dict) else value
        lines.append(f"{stamp(time + shift_ms, clock)} app.js:42 {what}: {text}")
    return "\n".join(lines) + "\n"


def stamp(milliseconds: float, clock: str = "iso") -> str:
    """A time as logs write it."""
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)
    match clock:
        case "iso":
            return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case "epoch":
            return f"[{milliseconds:.0f}]"
        case _:
            return moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03}"


def sdp(truth: Truth, who: str, side: str = "local") -> str:
    """The last description of an agent."""
    text: str = [one["sdp"] for one in truth[who]["descriptions"] if one["side"] == side][-1]
    return text


def get_stats(truth: Truth, who: str, form: str = "array") -> str:
    """getStats() as applications save it: an array, an object by id, or a series."""
    stats = truth[who]["stats"]
    match form:
        case "array":
            return json.dumps(stats)
        case "object":
            return json.dumps({one["id"]: one for one in stats}, indent=1)
        case _:
            early = [{**one, "timestamp": one["timestamp"] - 1000} for one in truth[who]["vanished"]]
            return "\n".join(
                json.dumps({"t": time, "stats": part})
                for time, part in ((truth[who]["statsTime"] - 1000, early), (truth[who]["statsTime"], stats))
            )


def internals(truth: Truth, who: str, layout: str = "new") -> str:
    """A dump of chrome://webrtc-internals: `new` (JSON values, timestamps), `middle` (M117), `old` (M70)."""
    log = []
    for time, what, value in steps(truth, who):
        entry: dict[str, Any] = {"type": what}
        if layout == "old":
            entry["time"] = stamp(time)
            entry["type"] = {"icecandidate": "onIceCandidate"}.get(what, what)
        else:
            entry["timestamp"] = time
        if isinstance(value, dict) and "sdp" in value:
            new = json.dumps(value)
            entry["value"] = new if layout == "new" else f"type: {value['type']}, sdp: {value['sdp']}"
        elif isinstance(value, dict):
            mid, index = value.get("sdpMid"), value.get("sdpMLineIndex")
            server = ", url: stun:203.0.113.5:3478, relayProtocol: udp" if layout == "middle" else ""
            old = f"sdpMid: {mid}, sdpMLineIndex: {index}, candidate: {value.get('candidate', '')}{server}"
            entry["value"] = json.dumps(value) if layout == "new" else old
        else:
            entry["value"] = json.dumps(value) if layout == "new" else value
        log.append(entry)
    old_text = (
        "{ iceServers: [stun:203.0.113.5:3478, turn:203.0.113.5:3478?transport=udp], iceTransportPolicy: all, "
        "bundlePolicy: balanced, rtcpMuxPolicy: require, iceCandidatePoolSize: 0 }"
    )
    configuration = {"iceServers": SERVERS, "iceTransportPolicy": "all", "bundlePolicy": "balanced"}
    series: dict[str, Any] = {}
    for one in truth[who]["stats"]:
        if layout == "old" and "candidate" not in one["type"] and one["type"] != "transport":
            continue
        prefix = _old_id(one) if layout == "old" else one["id"]
        for name, value in one.items():
            if name in ("id", "type") or (layout == "old" and name == "timestamp"):
                continue
            kind = {} if layout == "old" else {"statsType": one["type"]}
            value = one["type"].startswith("remote") if layout == "old" and name == "isRemote" else value
            if layout == "old" and name.endswith("Id") and isinstance(value, str):
                value = next((_old_id(other) for other in truth[who]["stats"] if other["id"] == value), value)
            series[f"{prefix}-{name}"] = {
                "startTime": stamp(one["timestamp"] - 1000),
                "endTime": stamp(one["timestamp"]),
                **kind,
                "values": json.dumps([value, value]),
            }
    connection = {
        "pid": 1,
        "rid": 2,
        "url": "https://example.test/call?token=TOKEN123",
        "rtcConfiguration": json.dumps(configuration) if layout == "new" else old_text,
        "constraints": "",
        "stats": series,
        "updateLog": log,
    }
    agent = {"UserAgentData": {"brands": []}} if layout == "new" else {}
    return json.dumps({"getUserMedia": [], "PeerConnections": {"7-1": connection}, "UserAgent": "Mozilla", **agent})


def _old_id(one: dict[str, Any]) -> str:
    kinds = {"candidate-pair": "RTCIceCandidatePair", "transport": "RTCTransport", "certificate": "RTCCertificate"}
    return f"{kinds.get(one['type'], 'RTCIceCandidate')}_{one['id']}"


def har(truth: Truth, who: str) -> str:
    """A HAR file with the messages of a WebSocket, some of them as socket.io packs them."""
    messages = []
    for number, one in enumerate(truth["signalling"]):
        text = json.dumps(one["message"])
        messages.append(
            {
                "type": "send" if one["from"] == who else "receive",
                "time": one["t"] / 1000,
                "opcode": 1,
                "data": f'42["message",{text}]' if number % 2 else text,
            }
        )
    entry = {
        "startedDateTime": stamp(truth["signalling"][0]["t"] - 50),
        "time": 9000,
        "request": {"method": "GET", "url": "wss://example.test/ws?token=TOKEN123"},
        "response": {"status": 101},
        "_resourceType": "websocket",
        "_webSocketMessages": messages,
    }
    return json.dumps({"log": {"version": "1.2", "creator": {"name": "WebInspector"}, "entries": [entry]}})


def rtcstats(truth: Truth, who: str, compressed: bool = True) -> str:
    """An rtcstats dump of file format 3, with numbers for names and only what changed, or in full."""
    numbers = {"setLocalDescription": 6, "setRemoteDescription": 8, "addIceCandidate": 10, "icecandidate": 20}
    numbers |= {"iceconnectionstatechange": 24, "connectionstatechange": 25}
    lines = ["RTCStatsDump", json.dumps({"fileFormat": 3, "userAgent": "Mozilla"})]
    clock = 0.0
    events: list[tuple[float, Any, Any]] = [
        (truth["signalling"][0]["t"] - 5, 39 if compressed else "create", {"iceServers": SERVERS})
    ]
    for time, what, value in steps(truth, who):
        full = what if what.startswith(("set", "add")) else f"on{what}"
        events.append((time, numbers.get(what, full) if compressed else full, value))
    stats = {one["id"]: one for one in truth[who]["stats"] if one["type"] != "certificate"}
    time = truth[who]["statsTime"]
    if compressed:
        keys = {"localCandidateId": 148, "remoteCandidateId": 149, "address": 134, "port": 135, "candidateType": 136}
        keys |= {"state": 118, "requestsSent": 156, "responsesReceived": 157, "usernameFragment": 143, "nominated": 150}
        kinds = {"transport": 5, "candidate-pair": 6, "local-candidate": 7, "remote-candidate": 8}
        first: dict[str, Any] = {"t": time - 1000}
        for name, one in stats.items():
            first[name] = {
                str(keys.get(key, key)): kinds.get(value, value) if key == "type" else value
                for key, value in one.items()
                if key not in ("id", "timestamp", "requestsSent")
            }
        second = {name: {"156": one["requestsSent"]} for name, one in stats.items() if "requestsSent" in one}
        events += [(time - 1000, "g", first), (time, "g", {"t": time, **second})]
    else:
        events.append((time, "getStats", stats))
    for when, method, value in sorted(events, key=lambda one: one[0]):
        lines.append(json.dumps([method, "PC_0", value, when - clock]))
        clock = when
    return "\n".join(lines) + "\n"


def about_webrtc(truth: Truth, who: str) -> str:
    """What Firefox's page would hold of the same: its element `content`, as `Save Page` writes it."""
    stats = {one["id"]: one for one in truth[who]["stats"]}
    heads = ("ice-state", "nominated", "selected", "local-candidate", "remote-candidate", "ice-component-id")
    heads += ("priority", "ice-pair-bytes-sent", "ice-pair-bytes-received")
    rows = []
    for one in stats.values():
        if one["type"] == "candidate-pair":
            ends = [
                f"{end.get('address') or '(redacted)'}:{end['port']}/{end['protocol']}({end['candidateType']})"
                for end in (stats[one["localCandidateId"]], stats[one["remoteCandidateId"]])
            ]
            cells = (one["state"], str(one["nominated"]).lower(), str(one["nominated"]).lower(), ends[0])
            cells += (ends[1], "1", "7", str(one["bytesSent"]), str(one["bytesReceived"]))
            rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    names = "".join(f'<th data-l10n-id="about-webrtc-{head}">x</th>' for head in heads)
    raw = ""
    for side, own in (("local", True), ("remote", False)):
        lines = [
            one["message"]["candidate"]["candidate"]
            for one in truth["signalling"]
            if one["message"]["type"] == "candidate" and (one["from"] == who) is own
        ]
        cells = "".join(f"<tr><td>{line}</td></tr>" for line in lines)
        head = f'<tr><th data-l10n-id="about-webrtc-raw-{side}-candidate">x</th></tr>'
        raw += f'<table class="raw-candidate">{head}{cells}</table>'
    pages = ""
    for side in ("local", "remote"):
        text = sdp(truth, who, side).replace("\r\n", "\n")
        pages += f'<h4 data-l10n-id="about-webrtc-{side}-sdp-heading">SDP</h4><pre>{text}</pre>'
    return (
        f'<div id="content"><h3>RTCPeerConnection</h3><div id="ice-stats: 12884901889 (id=1 url=https://a.test/)">'
        f"<table><tr>{names}</tr>{''.join(rows)}</table>{raw}</div>{pages}</div>"
    )


def aioice_log(pcap: Path, agent: str, shift_s: float = 0.0) -> str:
    """The debug log that aioice would have written of the checks that one address sent and received."""
    import stunpcap

    lines = []
    for row in stunpcap.read(pcap).messages.sort_values("time").itertuples():
        sent = row.src.startswith(agent)
        other = row.dst if sent else row.src
        address, _, port = other.rpartition(":")
        kind = {"request": "REQUEST", "success": "RESPONSE", "error": "ERROR", "indication": "INDICATION"}[row[8]]
        moment = (row.time + datetime.timedelta(seconds=shift_s)).strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
        lines.append(
            f"{moment} DEBUG aioice.ice Connection(0) protocol(1) {'>' if sent else '<'} ('{address}', {port}) "
            f"Message(message_method=Method.BINDING, message_class=Class.{kind}, "
            f"transaction_id={row.transaction_id}, attributes={{}})"
        )
    lines.append(
        f"{lines[0][:23]} INFO aioice.ice Connection(0) Check CandidatePair(('192.168.10.10', 5000) -> "
        "('10.20.0.20', 6000)) State.FROZEN -> State.WAITING"
    )
    return "\n".join(lines) + "\n"
