"""Properties of the diagnosis that hold without labels: `python -m tests.diagnose.properties`.

A capture is changed in a way of which it is known what it may do to a verdict: cut short, thinned out, joined by
another call, its addresses renamed.  What is then said is held against what was said of the capture as it was, and
against the label where there is one.  So every capture is a test, also those that nobody wrote a rule for.

`tapes` holds packets in memory; `cutting`, `joining` and `renaming` change them and know nothing of verdicts; `told` is
what stunpcap says; `compatible` which causes do not contradict each other; `pieces` which changes a capture goes
through; `judging` the properties; `places` what there is to run over; `running` runs it, `chosen` is the part that is a
test, and `known` what does not hold in it yet.
"""
