"""The table of all scenarios: the modules here hold nothing but data."""

from __future__ import annotations

from dataclasses import replace

from captures.lab.model import Scenario
from captures.lab.network import LabError
from captures.lab.scenarios import (
    after,
    agents,
    course,
    endings,
    firefox,
    herrings,
    ice,
    janus,
    motivating,
    nats,
    paths,
    quality,
    rare,
    reach,
    stun,
    turn,
)

MODULES = (
    motivating, paths, nats, stun, turn, reach, ice, course, after, endings, agents, firefox, janus,
    rare, herrings, quality,
)  # fmt: skip
SCENARIOS: tuple[Scenario, ...] = tuple(
    replace(scenario, group=module.GROUP) for module in MODULES for scenario in module.SCENARIOS
)


def by_name(name: str) -> Scenario:
    """Return a scenario.

    Raises
    ------
    LabError
        There is none of that name.
    """
    for scenario in SCENARIOS:
        if scenario.name == name:
            return scenario
    raise LabError(f"no scenario is called {name!r}; `list` names them all")
