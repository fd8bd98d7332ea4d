"""How golden, validation and training rows are told apart; `SPLIT` in data.py chooses one way."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .model import ModelError

Mask = NDArray[np.bool_]
SEE = "correct load() or SPLIT in data.py"


@dataclass(frozen=True)
class Split:
    """What is alike must not lie on both sides: equal rows, or those of a group, or a time."""

    kind: Literal["random", "group", "time"] = "random"
    column: str = ""  # a feature, or a column of the table that no model sees

    def marks(self, table: pd.DataFrame) -> pd.Series:
        """What the rows are told apart by: the name of their group, or their time.

        Raises ModelError for a value that is no time.
        """
        values = table[self.column]
        if self.kind == "group":  # 7 and 7.0 are one
            return (values.astype(float) if values.dtype.kind in "iuf" else values).astype(str)
        if isinstance(values.dtype, pd.PeriodDtype):
            values = values.dt.to_timestamp()
        is_time = pd.api.types.is_datetime64_any_dtype(values.dtype)
        marks = values if is_time else pd.to_numeric(values, errors="coerce")
        if is_time or marks.count() < values.count():  # not all are numbers
            marks = pd.to_datetime(values, utc=True, format="ISO8601", errors="coerce")
        if bad := values[marks.isna()].tolist():
            such = f"{len(bad)} of {len(values)} rows are of no time, such as {bad[0]!r}"
            raise ModelError(f"SPLIT is by {self.column!r}: {such}", SEE)
        return marks

    def last(self, table: pd.DataFrame, share: float) -> Mask:
        """Of which rows it is true that they are in the newest share [rows].

        Raises ModelError when they are all of them.
        """
        marks = self.marks(table)
        start = marks.sort_values().iloc[int(len(table) * (1 - share)) :].min()
        if not (marks < start).any():
            cause = f"SPLIT is by {self.column!r}: no row is older than the newest fifth"
            raise ModelError(cause, SEE)
        return np.asarray(marks >= start)

    def since(self, table: pd.DataFrame, start: str) -> Mask:
        """Which rows are of a time or later [rows]; the time as `window` wrote it.

        Raises ModelError when the column holds times of another kind by now.
        """
        marks, first = self.marks(table), self.marks(pd.DataFrame({self.column: [start]}))
        if marks.dtype.kind != first.dtype.kind and "M" in marks.dtype.kind + first.dtype.kind:
            raise ModelError(f"its window is {start}, and {self.column!r} is of another kind")
        return np.asarray(marks >= first[0])

    def window(self, golden: pd.DataFrame) -> str:
        """The time of the oldest golden row; "" when rows are not split by time."""
        return str(self.marks(golden).min()).replace(" ", "T") if self.kind == "time" else ""

    def apart(self, table: pd.DataFrame, golden: pd.DataFrame) -> Mask:
        """Which rows are of no golden group, or older than every golden row [rows]."""
        if self.kind == "group":
            return ~np.asarray(self.marks(table).isin(self.marks(golden)))
        return np.asarray(self.marks(table) < self.marks(golden).min())


random = stratified = Split  # of each class enough are golden, either way
by_group = partial(Split, "group")
by_time = partial(Split, "time")


def hashed(keys: Iterable[Any]) -> NDArray[np.float64]:
    """A place from 0 to 1 for each key, which depends on nothing but the key itself."""
    digests = (hashlib.sha256(repr(key).encode()).digest() for key in keys)
    return np.array([int.from_bytes(digest[:8]) / 2**64 for digest in digests])
