"""STUN and TURN servers as scenarios name them: the address of the lab's server, and the login."""

from __future__ import annotations

from typing import Any

from captures.lab.model import Turn, Vantage

PUBLIC = "203.0.113.5"
COTURN = Turn("server", PUBLIC)
SERVER = Vantage("server", "server", "public", "on the server's interface")
NAT_A = Vantage("nat-a-outside", "nat-a", "public", "outside the offerer's NAT")
NAT_B = Vantage("nat-b-outside", "nat-b", "public", "outside the answerer's NAT")


def stun(address: str = PUBLIC) -> dict[str, Any]:
    """An `iceServers` entry that names the server for STUN."""
    return {"urls": f"stun:{address}:3478"}


def turn(address: str = PUBLIC, transport: str = "udp", password: str = "secret") -> dict[str, Any]:
    """An `iceServers` entry that names the server for TURN, with the lab's login."""
    url = f"turn:{address}:3478?transport={transport}"
    return {"urls": url, "username": "lab", "credential": password}


def turns(address: str = PUBLIC) -> dict[str, Any]:
    """An `iceServers` entry that names the server for TURN over TLS, with the lab's login."""
    return {"urls": f"turns:{address}:5349?transport=tcp", "username": "lab", "credential": "secret"}
