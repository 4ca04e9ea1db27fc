"""Captures while they are being taken: packets as they come, and what they show so far.

`live` is the library's face (`stunpcap.live`), `stunpcap.cli.live` the command's.
"""
