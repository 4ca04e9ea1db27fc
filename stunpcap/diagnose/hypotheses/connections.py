"""The rule about TCP (and TLS) connections to TURN servers that die in mid-call."""

from __future__ import annotations

from collections.abc import Iterator

from stunpcap.diagnose import servers
from stunpcap.diagnose.facts import Facts
from stunpcap.diagnose.finding import ERROR, SEEN, Hit
from stunpcap.diagnose.rules import rule
from stunpcap.words import many


@rule("turn-connection-lost", ERROR, "RFC 8656 section 2.1", "RFC 9293 section 3.8.1")
def turn_connection_lost(facts: Facts) -> Iterator[Hit]:
    """The TCP connection to the TURN server broke, and the pair inside it with it.

    Evidence: on the connection that carries the pair in use segments are sent again and again and never acknowledged,
    or it is reset; nobody had closed it (FIN).

    Likely cause: a NAT or firewall on the way that forgets connections, or resets them after some time or idleness; the
    server's program was restarted; the client's network changed.

    Not to be confused with: `turn-server-lost`, over UDP; the end of a call, where the client closes the connection.

    What to try: look at timeouts of TCP connections in NATs and firewalls on the way, and at the server's log at that
    time; name the server over UDP as well; restart ICE when the connection is reported as disconnected.
    """
    flows = facts["flows"]
    for number, one in sorted(facts.course.broken.items()):
        forth, back = one.flow, one.back
        if facts.is_server[flows["src"][forth]] and not facts.is_server[flows["dst"][forth]]:
            forth, back = back, forth
        client, server = int(flows["src"][forth]), int(flows["dst"][forth])
        again = int(flows["retransmissions"][forth]) + int(flows["retransmissions"][back])
        how = "was reset" if one.reset else "fell silent: what is sent is repeated and never acknowledged"
        seen = [
            facts.shown_by(
                f"{many(int(flows['retransmissions'][row]), 'segment')} from {facts.text(int(flows['src'][row]))} sent "
                f"again, {many(int(flows['rst'][row]), 'RST')}, "
                f"{many(max(int(flows['unacked_bytes'][row]), 0), 'byte')} "
                "never acknowledged",
                "flows",
                row,
                int(flows["first_frame"][row]),
            )
            for row in (forth, back)
        ]
        yield Hit(
            summary=f"The TCP connection from {facts.text(client)} to the TURN server {facts.text(server)} {how} "
            f"({many(again, 'segment')} sent again, no FIN). The pair inside it died with it.",
            evidence=seen,
            advice=(
                f"On the way from {facts.host(client)} to {facts.host(server)}, look for a NAT or firewall that "
                "forgets "
                "or resets TCP connections (its timeout, its table, a failover), and at the server's log at that time.",
                "Name the TURN server over UDP as well: turn:SERVER:3478?transport=udp",
                servers.RESTART + ".",
            ),
            ground=SEEN,
            session=number + 1,
            src=client,
            dst=server,
            time=int(facts.course.good_until[number]),
        )
