"""Rules, to be written."""
