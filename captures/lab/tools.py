"""Programs that run beside the agents: tcpdump, coturn, the signalling server, wires."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from captures.lab.model import Scenario, Turn, Vantage
from captures.lab.network import LabError, Network, run

HERE = Path(__file__).parent


class Background:
    """Processes in namespaces that run while a call does."""

    def __init__(self, network: Network, scratch: Path) -> None:
        self.network, self.scratch = network, scratch
        self._dumps: list[subprocess.Popen[bytes]] = []
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._others: list[subprocess.Popen[bytes]] = []

    def _start(self, namespace: str, argv: list[str], log: str) -> subprocess.Popen[bytes]:
        out = (self.scratch / log).open("wb")
        return subprocess.Popen(
            ["ip", "netns", "exec", namespace, *argv], stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )

    def capture(self, vantage: Vantage) -> Path:
        """Start a capture; the file is complete after `stop_captures`."""
        path = self.scratch / f"{vantage.name}.pcap"
        argv = ["tcpdump", "--immediate-mode", "-U", "-n", "-Z", "root", "-i", vantage.interface]
        argv += ["-s", str(vantage.snaplen), "-Q", vantage.direction, "-w", str(path)]
        argv += ["-c", str(vantage.packets)] if vantage.packets else []
        namespace = self.network.namespace(vantage.node)
        # Router solicitations and the like say nothing about the call.
        quiet = "not icmp6 or icmp6[0] < 133" if vantage.interface != "any" else ""
        filters = [f"({one})" for one in (quiet, vantage.only) if one]
        argv += [" and ".join(filters)] if filters else []
        self._dumps.append(self._start(namespace, argv, f"tcpdump-{vantage.name}.log"))
        self._wait_for(path, vantage.name)
        return path

    def _wait_for(self, path: Path, name: str) -> None:
        for _ in range(100):
            if path.exists() and path.stat().st_size >= 24:
                return
            time.sleep(0.05)
        log = (self.scratch / f"tcpdump-{name}.log").read_text(errors="replace")
        raise LabError(f"tcpdump did not start for {name}: {log}")

    def stop_captures(self) -> None:
        """Let every tcpdump write out what it has and end."""
        for process in self._dumps:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self._dumps:
            process.wait(10)
        self._dumps.clear()

    def turn(self, server: Turn) -> None:
        """Start a coturn."""
        argv = ["turnserver", "-n", "-L", server.listen, "--no-cli", "--no-dtls", "--simple-log"]
        argv += self._certificate() if server.tls else ["--no-tls"]
        argv += ["--log-file", str(self.scratch / f"coturn-{server.node}.log")]
        argv += ["--pidfile", str(self.scratch / f"coturn-{server.node}.pid")]
        if server.user is None:
            argv += ["--no-auth", "--stun-only"]
        else:
            argv += ["-a", "-r", "lab", "--user", server.user]
        argv += server.args
        namespace = self.network.namespace(server.node)
        self._servers[server.node] = self._start(namespace, argv, f"coturn-{server.node}.out")

    def _certificate(self) -> list[str]:
        key, certificate = self.scratch / "key.pem", self.scratch / "certificate.pem"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=lab",
            "-keyout", str(key), "-out", str(certificate))  # fmt: skip
        return ["--cert", str(certificate), "--pkey", str(key)]

    def stop_server(self, node: str) -> None:
        """Kill a server without a word, as a crash would."""
        process = self._servers.pop(node)
        process.kill()
        process.wait()

    def websocket(self, node: str, address: str) -> None:
        """Start the signalling server that passes each message on to the other client."""
        argv = [sys.executable, str(HERE / "websocket_server.py"), address]
        self._others.append(self._start(self.network.namespace(node), argv, "websocket.log"))

    def dns(self, node: str, address: str, how: str) -> None:
        """Start a name server that knows no name."""
        argv = [sys.executable, str(HERE / "dns_server.py"), address, how]
        self._others.append(self._start(self.network.namespace(node), argv, "dns.log"))

    def wires(self, scenario: Scenario) -> None:
        """Start the forwarding process of each wire."""
        for wire in scenario.topology.wires:
            namespace = self.network.add_namespace(wire.name)
            for net in wire.nets:
                self.network.plug_wire(namespace, net, net)
            if wire.vlan:
                self.network.add_trunk(namespace)
            numbers = (wire.delay_ms, wire.jitter_ms, wire.loss, wire.seed, wire.vlan or 0)
            argv = [sys.executable, str(HERE / "wire.py"), *wire.nets, *map(str, numbers)]
            self._others.append(self._start(namespace, argv, f"wire-{wire.name}.log"))

    def close(self) -> None:
        """End everything that is still running."""
        for process in [*self._dumps, *self._servers.values(), *self._others]:
            if process.poll() is None:
                process.kill()
            process.wait()
