"""What the lab needs of a machine, and a clear refusal where it is not there.

The tables here are the whole list; `captures/README.md` repeats it as install commands, and a test holds the
two together.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable

from captures.lab.agents.process import node_modules
from captures.lab.network import LabError

APT = {
    "ip": "iproute2", "nft": "nftables", "tcpdump": "tcpdump", "turnserver": "coturn", "chromium": "chromium",
    "ethtool": "ethtool", "conntrack": "conntrack", "sysctl": "procps", "openssl": "openssl",
}  # fmt: skip
"""Debian's package for each program that is always needed."""
PIP = ("playwright", "aiortc", "aioice", "websockets")
"""Python packages that are always needed."""
GSTREAMER = (
    "python3-gi", "gir1.2-gst-plugins-bad-1.0", "gstreamer1.0-nice", "gstreamer1.0-plugins-bad",
    "gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good",
)  # fmt: skip
"""Debian packages for agents of the kind webrtcbin."""
NODE = ("nodejs", "npm")
"""Debian packages for agents that run under Node.js."""
NODE_KINDS = {"werift": "werift", "datachannel": "node-datachannel"}
"""The npm package of each kind of agent that runs under Node.js."""
NPM = tuple(NODE_KINDS.values())
OTHERS = {"firefox": ("firefox-esr", "firefox-esr"), "janus": ("janus", "janus")}
"""For further kinds of agents: the program, and Debian's package for it."""
PROBE = """
import gi
gi.require_version("GstWebRTC", "1.0")
from gi.repository import Gst, GstWebRTC
Gst.init(None)
raise SystemExit(0 if Gst.ElementFactory.find("webrtcbin") and Gst.ElementFactory.find("nicesrc") else 1)
"""


def preflight(kinds: Iterable[str] = ()) -> None:
    """Refuse to start where the lab cannot work.

    Parameters
    ----------
    kinds
        The kinds of agents that are wanted; some need more than the rest.

    Raises
    ------
    LabError
        Not root, or a program or package is missing; the message says how to get it.
    """
    missing = problems(kinds)
    if missing:
        raise LabError("the lab cannot run here:\n" + "\n".join(f"  - {line}" for line in missing))


def problems(kinds: Iterable[str] = ()) -> list[str]:
    """List what keeps the lab from working, one line each; empty when nothing does."""
    if sys.platform != "linux":
        return ["it needs Linux (network namespaces)"]
    found = []
    if os.geteuid() != 0:
        found.append("it must be run as root: it makes network namespaces")
    apt = sorted({package for tool, package in APT.items() if shutil.which(tool) is None})
    if apt:
        found.append(f"programs are missing: apt-get install {' '.join(apt)}")
    pip = [name for name in PIP if importlib.util.find_spec(name) is None]
    if pip:
        found.append(f"Python packages are missing: pip install {' '.join(pip)}")
    wanted = set(kinds)
    if "webrtcbin" in wanted and not _gstreamer():
        found.append(f"GStreamer's webrtcbin is missing: apt-get install {' '.join(GSTREAMER)}")
    for kind, (tool, package) in OTHERS.items():
        if kind in wanted and shutil.which(tool) is None:
            found.append(f"{tool} is missing: apt-get install {package}")
    npm = [package for kind, package in NODE_KINDS.items() if kind in wanted]
    if npm and shutil.which("node") is None:
        found.append(f"Node.js is missing: apt-get install {' '.join(NODE)}")
    if not all((node_modules() / package).is_dir() for package in npm):
        found.append(f"npm packages are missing: npm install --prefix {node_modules().parent} {' '.join(NPM)}")
    return found


def _gstreamer() -> bool:
    try:
        done = subprocess.run(["/usr/bin/python3", "-c", PROBE], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0
