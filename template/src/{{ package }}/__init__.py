"""The model. Yours are `data.py` and `train.py`; the rest does the same work for any table."""
