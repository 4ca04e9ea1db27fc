"""A name server for the lab that knows no name (a program): it answers NXDOMAIN, or not at all.

Arguments: the address to listen on, and `nxdomain` or `silent`.
"""

from __future__ import annotations

import socket
import sys


def main(argv: list[str]) -> None:
    """Answer until killed."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((argv[0], 53))
    while True:
        query, client = server.recvfrom(4096)
        if argv[1] == "nxdomain" and len(query) > 12:
            # The same question back: QR, RD and RA set, RCODE 3; what came as additional records is left out.
            end = query.index(0, 12) + 5
            server.sendto(query[:2] + b"\x81\x83" + query[4:6] + bytes(6) + query[12:end], client)


if __name__ == "__main__":
    main(sys.argv[1:])
