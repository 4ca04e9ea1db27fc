"""From frames to findings: what went wrong, in which direction, how that is known, and what would mend it.

A rule is one function over the tables (`paths`, `nats`, `gathering`, `relays`, `checks`, `afterwards`, `capturing`);
`explain` says which of a session's findings explains the others; `run` puts them together.
"""
