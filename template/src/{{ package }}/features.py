"""What the model sees of a row: columns in, columns out. This file is yours.

Training, gate and server all call it, so write here once what a client should not have to send:
ratios, logs, parts of a date. It may import what a release carries, such as numpy.
"""

from .schema import Columns


def features(columns: Columns) -> Columns:
    """The columns that the model learns from; each row from its own values alone."""
    return columns
