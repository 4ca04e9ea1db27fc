"""What could explain a call: one function a hypothesis, one module a family (`stunpcap.diagnose.rules.FAMILIES`).

A hypothesis looks at the tables and proposes; whether a proposal holds is decided by the tests of
`stunpcap.diagnose.trial`, which are the same for all.
"""
