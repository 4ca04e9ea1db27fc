"""Make one scenario: network up, captures on, call, captures off, everything written to its directory."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from captures.lab import write
from captures.lab.call import check, make_call
from captures.lab.model import ANSWERER, OFFERER, Scenario, Vantage
from captures.lab.network import LabError, Network
from captures.lab.tools import Background


def all_vantages(scenario: Scenario) -> list[Vantage]:
    """The vantages of a scenario: the agents' own first, then its own."""
    own = []
    for role, name in ((OFFERER, scenario.offerer_node), (ANSWERER, scenario.answerer_node)):
        node = next(node for node in scenario.topology.nodes if node.name == name)
        own.append(Vantage(role, name, node.links[0].net, f"on the {role}'s own interface"))
    return [*(own if scenario.own_vantages else []), *scenario.vantages]


def make(scenario: Scenario, corpus: Path, say: Callable[[str], None], keep_logs: Path | None = None) -> None:
    """Make a scenario's directory anew below `corpus`.

    Raises
    ------
    LabError
        The network or the programs could not be set up, or the agents' own account is not the one
        expected; the directory is left as it was.
    """
    scratch = Path(tempfile.mkdtemp(prefix="stunlab"))
    try:
        with Network(scenario.topology) as network:
            background = Background(network, scratch)
            try:
                background.wires(scenario)
                for server in scenario.servers:
                    background.turn(server)
                if scenario.dns is not None:
                    background.dns(*scenario.dns)
                if scenario.websocket:
                    background.websocket("server", scenario.websocket)
                time.sleep(0.5)
                paths = [background.capture(v) for v in all_vantages(scenario) if not v.start]
                paths += [scratch / f"{v.name}.pcap" for v in scenario.vantages if v.start]
                truth = make_call(scenario, network, background)
                time.sleep(1.0)
                background.stop_captures()
            finally:
                background.close()
        problems = check(scenario, truth)
        if keep_logs is not None:
            shutil.copytree(scratch, keep_logs / scenario.name, dirs_exist_ok=True)
            (keep_logs / scenario.name / "truth.json").write_text(write.json_text(truth))
        if problems:
            raise LabError("; ".join(problems))
        write.directory(scenario, corpus / scenario.name, truth, paths)
        say(f"{scenario.name}: {write.outcome(truth)}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
