"""The model. Yours are `data.py` and `train.py`; the rest does the same work for any table."""

import sys

from . import faults

if sys.argv[:1] == ["-m"]:  # a program of this package starts
    faults.watch()
