"""The other half of the evidence: what browsers, applications and their logs say beside the packets.

`sources` finds the reader of a file, each reader fills one `model.Source`, and `join` brings sources and captures
together.  Nothing here is imported unless such a file is given.
"""
