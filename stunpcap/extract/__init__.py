"""A trace out again: packets of a selection as pcapng with comments, as scapy packets, as a display filter.

A trace does not keep packets.  So the capture is read a second time; whose packets are wanted follows from the tables.
"""
