"""Where a project comes from: addresses, versions, answers, trust, renderings.

Knows what a version and answers give as a tree; never what becomes of it in a project.
"""
