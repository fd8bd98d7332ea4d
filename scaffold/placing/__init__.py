"""How an outcome gets onto the disk, whole or not at all: journal, index, work tree.

Knows files and their former state; never why they change.
"""
