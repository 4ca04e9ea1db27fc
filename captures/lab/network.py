"""Networks of namespaces: everything that touches the kernel is in this file.

Each node is a network namespace, each network a bridge in one further namespace. All names carry a
prefix of their own, so that whatever a run leaves behind can be found and removed. No link leads to
the machine's own network.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from pathlib import Path
from types import TracebackType

from captures.lab.model import Node, Topology

PREFIX = "stunlab"
NETNS_ETC = Path("/etc/netns")


class LabError(Exception):
    """The lab cannot do what was asked; the message says why."""


def run(*argv: str, stdin: str | None = None, check: bool = True) -> str:
    """Run a command and return its output; a failure names the command and what it said."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Network:
    """A topology brought up; leaving the context takes it down again, whatever happened."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.tag = f"{PREFIX}{secrets.token_hex(2)}"
        self._ports = 0
        self._nets: dict[str, str] = {}
        self._switch = f"{self.tag}-switch"
        self.bridge_of_wire: dict[str, str] = {}

    def namespace(self, node: str) -> str:
        """Name of the namespace a node lives in."""
        return f"{self.tag}-{node}"

    def _switched(self, *argv: str) -> None:
        run("ip", "netns", "exec", self._switch, *argv)

    def exec(self, node: str, *argv: str, stdin: str | None = None, check: bool = True) -> str:
        """Run a command inside a node."""
        return run("ip", "netns", "exec", self.namespace(node), *argv, stdin=stdin, check=check)

    def __enter__(self) -> Network:
        try:
            self._add_namespace(self._switch)
            for node in self.topology.nodes:
                self._add_node(node)
            for node in self.topology.nodes:
                self._add_routes(node)
                if node.rules:
                    self.exec(node.name, "nft", "-f", "-", stdin=node.rules)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process in the namespaces and remove them."""
        remove(self.tag)

    def _add_namespace(self, name: str, resolver: str = "127.0.0.1") -> None:
        run("ip", "netns", "add", name)
        # Without this a look-up would name the machine's own resolver in the capture.
        etc = NETNS_ETC / name
        etc.mkdir(parents=True, exist_ok=True)
        (etc / "resolv.conf").write_text(f"nameserver {resolver}\n")
        (etc / "hosts").write_text("127.0.0.1 localhost\n")
        run("ip", "-n", name, "link", "set", "lo", "up")

    def _add_node(self, node: Node) -> None:
        name = self.namespace(node.name)
        self._add_namespace(name, node.resolver)
        # Strict source filtering would drop asymmetric routes silently.
        sysctls = ["net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0"]
        if node.forward:
            sysctls += ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]
        # A router must not tell hosts of better routes: the asymmetry is meant.
        sysctls += ["net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0"]
        sysctls += ["net.ipv4.conf.all.accept_redirects=0", "net.ipv4.conf.default.accept_redirects=0"]
        if not any(":" in a for link in node.links for a in link.addresses):
            sysctls += ["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"]
        if node.ports:
            sysctls.append(f"net.ipv4.ip_local_port_range={node.ports}")
        self.exec(node.name, "sysctl", "-qw", *sysctls)
        for link in node.links:
            self._plug(name, link.net, link.net, link.mtu)
            for address in link.addresses:
                extra = ("nodad",) if ":" in address else ()
                run("ip", "-n", name, "addr", "add", address, "dev", link.net, *extra)

    def _add_routes(self, node: Node) -> None:
        for route in node.routes:
            family = "-6" if ":" in route else "-4"
            run("ip", family, "-n", self.namespace(node.name), "route", "add", *route.split())
        for rule in node.policy:
            run("ip", "-n", self.namespace(node.name), "rule", "add", *rule.split())

    def _plug(self, namespace: str, interface: str, net: str, mtu: int) -> None:
        if net not in self._nets:
            bridge = self._nets[net] = f"br{len(self._nets)}"
            run("ip", "-n", self._switch, "link", "add", bridge, "type", "bridge", "mcast_snooping", "0")
            self._switched("sysctl", "-qw", f"net.ipv6.conf.{bridge}.disable_ipv6=1")
            run("ip", "-n", self._switch, "link", "set", bridge, "up")
        self._ports += 1
        port = f"port{self._ports}"
        mac = f"02:00:5e:10:00:{self._ports:02x}"
        ours = ("name", interface, "netns", namespace, "mtu", str(mtu), "address", mac)
        run("ip", "link", "add", *ours, "type", "veth", "peer", "name", port, "netns", self._switch)
        self._switched("sysctl", "-qw", f"net.ipv6.conf.{port}.disable_ipv6=1")
        run("ip", "-n", self._switch, "link", "set", port, "master", self._nets[net], "up")
        # Offloading would show unfinished checksums and oversized TCP segments that no wire carries.
        off = ("tx", "off", "gso", "off", "gro", "off")
        run("ip", "netns", "exec", namespace, "ethtool", "-K", interface, *off)
        run("ip", "-n", namespace, "link", "set", interface, "up")

    def plug_wire(self, namespace: str, interface: str, net: str) -> None:
        """Give a forwarding process a port in a network."""
        self._plug(namespace, interface, net, 1500)

    def add_trunk(self, namespace: str) -> None:
        """Give a forwarding process the two ends of a trunk, `trunk-a` and `trunk-b`."""
        run("ip", "-n", namespace, "link", "add", "trunk-a", "type", "veth", "peer", "name", "trunk-b")
        for end in ("trunk-a", "trunk-b"):
            run("ip", "-n", namespace, "link", "set", end, "up")

    def add_namespace(self, node: str) -> str:
        """Make one more namespace, without addresses, and return its name."""
        name = self.namespace(node)
        self._add_namespace(name)
        run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
            "net.ipv6.conf.default.disable_ipv6=1")  # fmt: skip
        return name


def left_behind(tag: str = PREFIX) -> list[str]:
    """Namespaces that carry the lab's prefix."""
    names = [line.split()[0] for line in run("ip", "netns", "list").splitlines() if line.strip()]
    return sorted(name for name in names if name.startswith(tag))


def remove(tag: str = PREFIX) -> list[str]:
    """End what runs in the lab's namespaces and delete them; returns their names."""
    names = left_behind(tag)
    for name in names:
        pids = run("ip", "netns", "pids", name, check=False).split()
        if pids:
            run("kill", "-9", *pids, check=False)
        run("ip", "netns", "delete", name, check=False)
        shutil.rmtree(NETNS_ETC / name, ignore_errors=True)
    return names
