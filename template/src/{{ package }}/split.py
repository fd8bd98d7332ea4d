"""How golden, validation and training rows are told apart; `SPLIT` in data.py chooses one way."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Split:
    """What is alike must not lie on both sides: equal rows, or those of a group, or a time."""

    kind: Literal["random", "group", "time"] = "random"
    column: str = ""  # a feature, or a column of the table that no model sees

    def marks(self, table: pd.DataFrame) -> pd.Series:
        """What the rows are told apart by: the name of their group, or their time."""
        values = table[self.column]
        if self.kind == "group":  # 7 and 7.0 are one
            return (values.astype(float) if values.dtype.kind in "iuf" else values).astype(str)
        if not pd.api.types.is_datetime64_any_dtype(values.dtype):
            numbers = pd.to_numeric(values, errors="coerce")
            if numbers.notna().all():
                return numbers
        return pd.to_datetime(values, utc=True, format="ISO8601")

    def last(self, table: pd.DataFrame, share: float) -> Mask:
        """Of which rows it is true that they are in the newest share [rows]."""
        marks = self.marks(table)
        return np.asarray(marks >= marks.sort_values().iloc[int(len(table) * (1 - share))])

    def since(self, table: pd.DataFrame, start: str) -> Mask:
        """Which rows are of a time or later [rows]; the time as `window` wrote it."""
        return np.asarray(self.marks(table) >= self.marks(pd.DataFrame({self.column: [start]}))[0])

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
