"""What would mend it at a STUN or TURN server, as steps.

Options are coturn's, the server that most will have; other servers call them by other names.
"""

from __future__ import annotations

import re

from stunpcap.diagnose.advice import Steps
from stunpcap.table import when

RESTART = (
    "Let the application restart ICE (`restartIce()`) when the connection state becomes `disconnected` or `failed`"
)


def reach(transport: str, host: str, port: int, clients: str) -> Steps:
    """A server that does not answer."""
    return (
        f"At {host}, see whether a STUN or TURN server runs and listens on port {port} "
        f"({transport.upper()}): `ss -lunt | grep :{port}`; start it, or correct the address in `iceServers`.",
        f"Try it from the client's network:\n    turnutils_stunclient -p {port} {host}",
        f"If it answers elsewhere and not there, open {transport.upper()} port {port} on the way from {clients} to "
        f"{host}, and the way back.",
    )


def other_transports(host: str) -> Steps:
    """Name a TURN server with what firewalls let through."""
    return (
        "Where UDP cannot be opened, name the TURN server with TCP and TLS as well:\n"
        f'    iceServers: [{{\n      urls: ["turn:{host}:3478",\n        "turn:{host}:3478?transport=tcp",\n'
        '        "turns:SERVER:443?transport=tcp"],\n      username: "USER", credential: "PASSWORD"\n    }]',
        "TLS needs a certificate for the server's name (coturn: `cert=`, `pkey=`, `tls-listening-port=443`).",
    )


def open_udp(network: str, host: str, port: int) -> Steps:
    """Let UDP out."""
    return (
        f"Let UDP out of the network of {network}: to {host} port {port} at least, with its answers. Media over TCP "
        "suffers from every lost packet.",
    )


def credentials(server: str, username: str, realm: str, time: int) -> Steps:
    """Wrong user name or password; user names that begin with a time have an end (draft-uberti-behave-turn-rest)."""
    user = username or "USER"
    steps = [
        f"Compare user name and password in `iceServers` with those of the server {server}; "
        f"the client shows user name {user!r} for realm {realm!r}.",
        "coturn with fixed users (turnserver.conf); hashes made with `turnadmin -k` are for one realm only:\n"
        f"    lt-cred-mech\n    realm={realm or 'REALM'}\n    user={user}:PASSWORD",
        "coturn with temporary users: the same secret where they are made and here:\n"
        "    use-auth-secret\n    static-auth-secret=SECRET",
    ]
    expiry = ends_at(username)
    if expiry:
        over = "before" if expiry * 10**9 < time else "after"
        steps.insert(
            0,
            f"The user name says that it is valid until {when(expiry * 10**9)[:19]} UTC, {over} the request"
            + ("; make it anew for each call, and look at the clocks." if over == "before" else "."),
        )
    return tuple(steps)


def ends_at(username: str) -> int:
    """Until when a temporary user name is valid, in seconds since 1970: `1700000000:alice`; 0 if it is none."""
    found = re.fullmatch(r"(\d{9,10})(:.*)?", username)
    return int(found[1]) if found else 0


def fresh_nonces(server: str) -> Steps:
    """A server that does not take the nonce that it gave."""
    return (
        f"See whether {server} is several servers behind one address: each takes only nonces of its own. Send a "
        "client's packets always to the same one (by source address), or look at the servers' clocks.",
    )


def allow_peers(server: str, peers: str) -> Steps:
    """Addresses that a relay does not send to."""
    return (
        f"On the TURN server {server}, see which rules forbid {peers}, and allow what calls need (turnserver.conf):\n"
        "    denied-peer-ip=…          # look here first\n"
        f"    allowed-peer-ip={peers.split(', ')[0].split(' ')[0]}",
        "Go on denying 127.0.0.0/8 and what else nobody should reach through the relay. Allow the relay's own address: "
        "it is the peer's where both agents use this relay.",
    )


REFUSED = {
    300: "Let the client follow to the server that is named, or name that one in `iceServers`.",
    400: "Compare client and server: the request is not as the server wants it. The server's log says more.",
    420: "Compare client and server: the server does not know an attribute that the request must have understood.",
    440: "Let the server listen on an address of that family, too, and give relayed ones of it "
    "(coturn: `listening-ip=`, `relay-ip=`, `external-ip=`), or let the client ask for the other family.",
    441: "The request names another user than the allocation was made by: a client must not change its credentials in "
    "the middle. Look for two clients behind one address and port.",
    442: "Allow that transport on the server (coturn: no `no-udp-relay`, no `no-tcp-relay`), or let the client ask for "
    "UDP relays.",
    443: "Let the server give relayed addresses of both families; or other candidates must reach peers of that family.",
    486: "Raise the quota of this user (coturn: `user-quota=`, 0 for none), or give each client a user of its own "
    "(`use-auth-secret`); allocations of clients that went without saying so count until they expire "
    "(`max-allocate-lifetime=`).",
    500: "Look into the server's log; try again.",
    508: "Give the server more to hand out (coturn: wider `min-port=` and `max-port=`, higher `total-quota=`), or add "
    "a second one.",
}
"""Code -> what to try."""


def refused(code: int, server: str, alternate: str) -> Steps:
    """Any other refusal."""
    known = REFUSED.get(code, "Look into the server's log for the reason.")
    return (
        f"On the TURN server {server}: {known}" if code != 300 else known + (f" ({alternate})" if alternate else ""),
    )


def keep_mapping(client: str, server: str) -> Steps:
    """A NAT that changed its mapping under an allocation."""
    return (
        RESTART + ": a new allocation is all that helps now.",
        f"On the NAT between {client} and {server}, look for short timeouts of UDP mappings, for tables that "
        "overflow, for a failover or a change of the uplink; RFC 4787 asks for two minutes at least.",
        f"If the NAT is innocent, see whether the server {server} was restarted: that forgets allocations, too.",
    )


def let_refresh_through(client: str, server: str, lifetime_s: int, refusal: int) -> Steps:
    """Refresh requests that do not get through, are not sent, or are refused with a code."""
    if refusal >= 0:
        return (
            f"Look at why {server} refuses Refresh requests (error {refusal}): credentials must be good for the whole "
            "call, not only at its beginning.",
            RESTART + ", with fresh credentials.",
        )
    return (
        f"On the way from {client} to {server}, look for what drops Refresh requests (STUN type 0x0004) while other "
        "packets pass: an inspecting firewall, a rate limit.",
        f"If the client sends none, look at the client: it must refresh within {lifetime_s} s. A longer lifetime only "
        "puts it off (coturn: `max-allocate-lifetime=`).",
        RESTART + ": that makes a new allocation.",
    )


def keep_running(server: str, host: str) -> Steps:
    """A server that went away."""
    return (
        f"See why the TURN server {server} stopped: its log, `journalctl -u coturn`, a restart or a deployment in "
        "mid-call, memory, the host itself.",
        f"Let it start again by itself, name a second one in `iceServers`, and take {host} out of service only when "
        "its allocations are gone.",
        RESTART + ".",
    )


def ask_permission(peer: str, expired: bool) -> Steps:
    """Data for a peer that the relay drops."""
    return (
        f"The client must ask for a permission for {peer} "
        + ("again before 300 s are over" if expired else "before it sends there")
        + " (CreatePermission, or ChannelBind; RFC 8656 section 9): this is a fault of the client's TURN stack, or its "
        "request was lost. No setting of the server mends it (coturn's `permission-lifetime=` only changes the time).",
    )


def bind_again(channel: int, peer: str, expired: bool) -> Steps:
    """ChannelData that the relay drops."""
    return (
        f"The client must bind channel 0x{channel:04x}"
        + (f" to {peer} again before 600 s are over" if expired else " before it uses it")
        + " (ChannelBind; RFC 8656 section 12): this is a fault of the client's TURN stack, or its request was lost. "
        "coturn's `channel-lifetime=` only changes the time.",
    )
