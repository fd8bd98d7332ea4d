"""Flights, made up: gaps, a category that grows, a boolean, a whole number, a time and a text."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from .schema import Boolean, Category, Number, Schema, Text, Timestamp, Whole
from .split import random

SCHEMA = Schema(
    target="late",
    classes=("no", "yes"),
    features=(
        Number("distance", "miles", 0, 6000),
        Number("wind", "mph", 0, 150, missing=True),
        Whole("seats", "", 1, 2**53, missing=True),
        Category("carrier", "two letters", ("AA", "UA"), other=True, missing=True),
        Boolean("weekend"),
        Boolean("full", missing=True),
        Timestamp("departure"),
        Text("note", longest=60, missing=True),
    ),
)

SPLIT = random()

SLICES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "weekend": lambda table: table["weekend"],
    "no wind known": lambda table: table["wind"].isna(),
}


def load() -> pd.DataFrame:
    """The whole table: a column for each feature and one for the target."""
    chance, rows = np.random.default_rng(0), 2000
    gap = chance.random((4, rows)) < 0.1
    wind = chance.gamma(4, 5, rows)
    carrier = chance.choice(np.array(["AA", "UA", "DL", "WN"], object), rows)
    note = chance.choice(np.array(["on time", "late crew", "storm, late", ""], object), rows)
    minutes = pd.to_timedelta(chance.integers(0, 365 * 24 * 60, rows), unit="min")
    departure = pd.Timestamp("2024-01-01", tz="America/New_York") + minutes
    late = wind / 10 + (carrier == "UA") + (note == "storm, late") * 2 + chance.normal(size=rows)
    table = pd.DataFrame(
        {
            "distance": chance.integers(100, 3000, rows),
            "wind": np.where(gap[0], np.nan, wind),
            "seats": pd.array(np.where(gap[1], None, chance.integers(50, 300, rows)), "Int64"),
            "carrier": np.where(gap[2], None, carrier),
            "weekend": departure.day_of_week >= 5,
            "full": np.where(gap[3], None, chance.random(rows) < 0.5),
            "departure": departure,
            "note": note,
            "late": np.where(late > 2.5, "yes", "no"),
        }
    )
    return pd.concat([table, table.tail(200)], ignore_index=True)  # some rows come twice
