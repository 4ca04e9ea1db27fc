"""Who dissects a capture: stunpcap itself, tshark through pyshark, or scapy.

The other two are for captures that stunpcap cannot read, for what only they can look into, and as a second and third
pair of eyes on the same frames.  Whichever it is, what comes out is a `Vantage`, and everything from there on is the
same.  docs/engines.md says which can do what, and which columns each of them fills.
"""
