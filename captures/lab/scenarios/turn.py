"""TURN: relays over each transport, and servers that refuse or are lost."""

from __future__ import annotations

from captures.lab.model import Agent, Expect, Link, Node, Scenario, Step, Topology, Turn, Until
from captures.lab.servers import COTURN, NAT_A, PUBLIC, SERVER, turn, turns
from captures.lab.topologies import forget_mappings, one_nat, two_nats

GROUP = "TURN servers"

FAILED = Until("failed", hold=1.0, timeout=70.0)
TURN = Agent(ice_servers=(turn(),))
RELAY = Agent(ice_servers=(turn(),), policy="relay")
RELAY_TCP = Agent(ice_servers=(turn(transport="tcp"),), policy="relay")
RELAY_TLS = Agent(ice_servers=(turns(),), policy="relay", options={"any_certificate": True})
RELAY_TLS_KEYS = Agent(ice_servers=(turns(),), policy="relay", options={"any_certificate": True, "log_keys": True})
WRONG = Agent(ice_servers=(turn(password="wrong"),))
BOTH_TRANSPORTS = Agent(ice_servers=(turn(), turn(transport="tcp")))
SYMMETRIC = two_nats(random_a=True, random_b=True)
SHORT_LIFETIME = Turn("server", PUBLIC, ("--max-allocate-lifetime=20",))
HOGGED = Topology(
    (*SYMMETRIC.nodes, Node("other-client", (Link("public", ("203.0.113.90/24",)),))),
    SYMMETRIC.drawing + "  other-client 203.0.113.90 on the public network holds the user's allocations\n",
)
NO_UDP = 'iifname "lan-a" meta l4proto udp drop'
REFRESH = "udp dport 3478 @th,64,16 0x0004 drop"
QUIET = ("icmp-rejected", "bad-credentials", "role-conflict", "one-way-nat")

SCENARIOS = (
    Scenario(
        name="turn-udp",
        title="relay to relay over UDP",
        story="Both agents use relayed candidates only: each packet passes the TURN server twice.",
        topology=SYMMETRIC,
        servers=(COTURN,),
        offerer=RELAY,
        answerer=RELAY,
        vantages=(SERVER,),
        expect=Expect("connected", never=(*QUIET, "turn-unauthorized", "turn-refused", "relay-needed")),
    ),
    Scenario(
        name="turn-tcp",
        title="relay to relay over TCP",
        story="As `turn-udp`, with TCP between the agents and the server.",
        topology=SYMMETRIC,
        servers=(COTURN,),
        offerer=RELAY_TCP,
        answerer=RELAY_TCP,
        vantages=(SERVER,),
        expect=Expect("connected", never=(*QUIET, "turn-unauthorized", "udp-blocked", "relay-needed")),
    ),
    Scenario(
        name="udp-blocked",
        title="UDP blocked at one end, TURN over UDP only",
        story="The offerer's router lets no UDP out. The TURN server is named with UDP only.",
        topology=two_nats(extra_a=NO_UDP),
        servers=(COTURN,),
        offerer=TURN,
        answerer=TURN,
        vantages=(SERVER,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="stun-server-unreachable",
            never=(*QUIET, "turn-unauthorized", "symmetric-nat"),
            mended_by="udp-blocked-tcp",
            change="name the TURN server with TCP as well",
        ),
    ),
    Scenario(
        name="udp-blocked-tcp",
        title="UDP blocked at one end, TURN over TCP carries the call",
        story="As `udp-blocked`, with the server named for UDP and TCP. The TCP allocation carries the call.",
        topology=two_nats(extra_a=NO_UDP),
        servers=(COTURN,),
        offerer=BOTH_TRANSPORTS,
        answerer=BOTH_TRANSPORTS,
        vantages=(NAT_A, SERVER),
        expect=Expect("connected", also=("udp-blocked",), never=(*QUIET, "turn-unauthorized")),
    ),
    Scenario(
        name="turn-wrong-password",
        title="TURN with a wrong password",
        story="""
Both agents log in at the TURN server with a wrong password: 401, and 401 again. The NATs are symmetric, so
the server-reflexive candidates it still tells them do not help.
""",
        topology=SYMMETRIC,
        servers=(COTURN,),
        offerer=WRONG,
        answerer=WRONG,
        vantages=(SERVER,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="turn-unauthorized",
            never=(*QUIET, "turn-refused", "stun-server-unreachable"),
            mended_by="nats-symmetric-turn",
            change="give the agents the right TURN password",
        ),
    ),
    Scenario(
        name="turn-forbidden",
        title="the TURN server forbids every peer",
        story="""
The server grants allocations, but its configuration denies all peer addresses: each CreatePermission is
answered with 403. The NATs are symmetric, so nothing but the relay could have helped.
""",
        topology=SYMMETRIC,
        servers=(Turn("server", PUBLIC, ("--denied-peer-ip=0.0.0.0-255.255.255.255",)),),
        offerer=TURN,
        answerer=TURN,
        vantages=(SERVER,),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="turn-forbidden",
            never=(*QUIET, "turn-unauthorized", "host-only"),
            mended_by="nats-symmetric-turn",
            change="let the TURN server relay to these peers",
        ),
    ),
    Scenario(
        name="turn-quota",
        title="the TURN server's quota is used up",
        story="""
The server grants two allocations to each user, and another client with the same login holds both. The
agents' requests are answered with 486, allocation quota reached. The NATs are symmetric, so nothing but
a relay could have helped.
""",
        topology=HOGGED,
        servers=(Turn("server", PUBLIC, ("--user-quota=2",)),),
        offerer=TURN,
        answerer=TURN,
        vantages=(SERVER,),
        steps=(
            Step(
                -2.0,
                "exec",
                "other-client",
                f"turnutils_uclient -u lab -w secret -c -y -m 1 -n 2000 -z 1000 {PUBLIC} >/dev/null 2>&1 &",
            ),
        ),
        until=FAILED,
        expect=Expect(
            "failed",
            root_cause="turn-refused",
            never=(*QUIET, "turn-unauthorized", "stun-server-unreachable"),
            mended_by="nats-symmetric-turn",
            change="raise the user's quota, or give each client a user of its own",
        ),
    ),
    Scenario(
        name="turn-killed",
        title="the TURN server dies in mid-call",
        story="""
Five seconds into a relayed call the TURN server's program is killed. Its host is still there and answers
with ICMP port unreachable.
""",
        topology=SYMMETRIC,
        servers=(COTURN,),
        offerer=RELAY,
        answerer=RELAY,
        vantages=(SERVER,),
        steps=(Step(5.0, "stop-server", "server", after="connected"),),
        until=Until("failed", hold=1.0, timeout=60.0),
        expect=Expect(
            "failed",
            root_cause="turn-server-lost",
            never=("bad-credentials", "role-conflict", "one-way-nat", "turn-unauthorized", "host-only"),
            mended_by="turn-udp",
            change="keep the TURN server running",
        ),
    ),
    Scenario(
        name="turn-allocation-expired",
        title="Refresh never arrives, the allocation expires",
        story="""
The server grants allocations for 20 seconds. The offerer's router drops each Refresh request on its way to
the server and lets everything else pass: the allocation expires while traffic goes on.
""",
        topology=two_nats(random_a=True, random_b=True, extra_a=REFRESH),
        servers=(SHORT_LIFETIME,),
        offerer=RELAY,
        answerer=RELAY,
        vantages=(NAT_A, SERVER),
        until=Until("failed", hold=1.0, timeout=75.0),
        expect=Expect(
            "failed",
            ended=("*", "*"),
            root_cause="turn-allocation-expired",
            never=(*QUIET, "turn-unauthorized", "host-only"),
            mended_by="turn-short-lifetime",
            change="let the Refresh requests through",
        ),
    ),
    Scenario(
        name="turn-short-lifetime",
        title="allocations of 20 seconds, refreshed in time",
        story="The healthy twin of `turn-allocation-expired`: the same server, and each Refresh is answered.",
        topology=SYMMETRIC,
        servers=(SHORT_LIFETIME,),
        offerer=RELAY,
        answerer=RELAY,
        vantages=(SERVER,),
        until=Until(hold=45.0),
        expect=Expect("connected", never=(*QUIET, "turn-unauthorized", "turn-allocation-expired")),
    ),
    Scenario(
        name="turn-long",
        title="eleven minutes through a relay: permissions and channels are renewed",
        story="""
As `turn-udp`, for longer than a permission (five minutes) and a channel (ten minutes) last: the agents renew
the permission, the channel and the allocation in time.
""",
        topology=SYMMETRIC,
        servers=(COTURN,),
        offerer=RELAY,
        answerer=RELAY,
        until=Until(hold=670.0, timeout=60.0),
        expect=Expect(
            "connected",
            never=(*QUIET, "turn-permission-missing", "turn-channel-expired", "turn-allocation-expired"),
        ),
    ),
    Scenario(
        name="turn-tls",
        title="relay to relay over TLS",
        story="As `turn-tcp`, with TLS: what passes between the agents and the server cannot be seen.",
        topology=SYMMETRIC,
        servers=(Turn("server", PUBLIC, tls=True),),
        offerer=RELAY_TLS,
        answerer=RELAY_TLS,
        vantages=(SERVER,),
        expect=Expect(
            "connected",
            also=("opaque-turn-tls",),
            unseen="everything between the agents and the server, which is encrypted",
            never=(*QUIET, "turn-unauthorized", "udp-blocked", "relay-needed", "host-only"),
        ),
    ),
    Scenario(
        name="turn-tls-keylog",
        title="relay to relay over TLS, with the keys",
        story="""
As `turn-tls`, and both browsers log the keys of their TLS connections. Whoever has them can look into what passes
between the agents and the server: `stunpcap.read(..., engine="pyshark", keylog="tls-keys.log")`.
""",
        topology=SYMMETRIC,
        servers=(Turn("server", PUBLIC, tls=True),),
        offerer=RELAY_TLS_KEYS,
        answerer=RELAY_TLS_KEYS,
        vantages=(SERVER,),
        expect=Expect(
            "connected",
            also=("opaque-turn-tls",),
            unseen="without the key log: everything between the agents and the server, which is encrypted",
            never=(*QUIET, "turn-unauthorized", "udp-blocked", "relay-needed", "host-only"),
        ),
    ),
    Scenario(
        name="turn-mismatch",
        title="NAT rebinding under a TURN allocation",
        story="""
Six seconds into a relayed call the offerer's NAT forgets its mappings and gives new ports from then on.
The server does not know the offerer's new address: what it sends is dropped, and its next Refresh is
answered with 437, allocation mismatch.
""",
        topology=one_nat(),
        servers=(SHORT_LIFETIME,),
        offerer=RELAY,
        vantages=(NAT_A, SERVER),
        steps=(Step(6.0, "exec", "nat-a", forget_mappings("udp dport 3478"), after="connected"),),
        until=Until("failed", hold=6.0, timeout=60.0),
        expect=Expect(
            "failed",
            ended=("*", "*"),
            root_cause="turn-mismatch",
            never=("bad-credentials", "role-conflict", "one-way-nat", "turn-unauthorized"),
            mended_by="turn-short-lifetime",
            change="keep the NAT's mapping alive (or restart ICE with a new allocation)",
        ),
    ),
)
