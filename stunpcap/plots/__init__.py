"""Plots: a trace in, matplotlib's `Axes` out; each preceded by a function that gives the frame it draws.

    import stunpcap
    trace = stunpcap.read("answerer.pcapng")
    stunpcap.plots.pair_matrix(trace)
    stunpcap.plots.pair_matrix_data(trace)

Importing this package imports nothing: matplotlib and pandas come with the first plot or frame.
"""
