"""Labelled captures of ICE calls, one directory a scenario, and the lab that makes them."""
