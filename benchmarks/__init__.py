"""Captures made for measuring, and the commands measured on them."""
