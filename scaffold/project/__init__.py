"""A project on disk, and the making of one: what its answers file records, setup, ports, line ends.

Knows no template, no rendering and no merge.
"""
