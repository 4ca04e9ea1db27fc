"""Which ICE candidate pairs failed, in which direction, and why: from a packet capture."""

__version__ = "0.1.0"
