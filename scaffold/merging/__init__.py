"""Three trees into one, and what that means for a project: plan, report, choice, outcome.

Knows no command line: whatever verb brings a change, it goes through here.
"""
