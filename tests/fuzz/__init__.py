"""Captures with lengths and types that lie: `python -m tests.fuzz --minutes N`, and a short part of it as a test."""
