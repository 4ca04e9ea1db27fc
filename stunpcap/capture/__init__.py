"""Files and streams in, blocks of packets as columns out: pcap and pcapng, compressed or not.

`open_capture` is all that the floors below need.  What is wrong with a file never raises once it is open: packets
are given up to the damage, and `Capture.defects` says where and what it is.
"""

from stunpcap.capture.reader import Capture, open_capture
from stunpcap.capture.records import INBOUND, OUTBOUND, UNKNOWN, Block, Defect, Interface

__all__ = ["INBOUND", "OUTBOUND", "UNKNOWN", "Block", "Capture", "Defect", "Interface", "open_capture"]
