"""What the user says of how a capture is to be dissected; nothing heavy is imported here, for `--help` reads it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING

from stunpcap.record import record

if TYPE_CHECKING:
    from stunpcap.table import Pools
    from stunpcap.vantage import Progress, Vantage

    Path = str | os.PathLike[str] | IO[bytes]
    Reader = Callable[[Path, str, Pools, Progress | None], Vantage]
    """Reads one capture: path, name, pools, progress."""

ENGINES = ("native", "pyshark", "scapy")


@record
class Options:
    """What the user wants of an engine; only pyshark's knows these."""

    display_filter: str | None = None
    """A filter in Wireshark's language; packets that do not match do not exist."""
    decode_as: Mapping[str, str] | None = None
    """Where tshark shall expect which protocol: `{"tcp.port==5555": "stun"}`."""
    keylog: str | os.PathLike[str] | None = None
    """A key log file (SSLKEYLOGFILE) to open TLS and DTLS with."""

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the options that were given."""
        return tuple(name for name in ("display_filter", "decode_as", "keylog") if getattr(self, name))
