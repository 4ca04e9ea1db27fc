"""Captures while they are being taken: packets as they come, and what they show so far."""
