"""The capture lab: networks of namespaces, real ICE agents in them, captures and truth out of them.

The lab knows nothing of stunpcap. What it writes down as expected is what the network was built to do
and what the agents themselves reported, so that it can judge a diagnosis.
"""
