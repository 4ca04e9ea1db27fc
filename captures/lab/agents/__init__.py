"""ICE agents the lab can put into a namespace: one module for each implementation."""

from __future__ import annotations

from captures.lab.agents.base import AgentHandle, Emit
from captures.lab.agents.chromium import Chromium
from captures.lab.agents.process import ProcessAgent
from captures.lab.model import Agent

__all__ = ["AgentHandle", "Emit", "make"]


def make(role: str, agent: Agent, namespace: str, emit: Emit) -> AgentHandle:
    """Return the handle of an agent, not yet started, that will live in `namespace`."""
    if agent.kind == "chromium":
        return Chromium(role, agent, namespace, emit)
    return ProcessAgent(role, agent, namespace, emit)
