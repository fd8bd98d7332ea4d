"""The model: its data, its training, its gate and its server.

A first day needs only `data.py` (the table) and `train.py` (the model). The other files do the
same work for any table, and you open them when you want to know how.
"""
