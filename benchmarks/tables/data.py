"""A large table, made up: 200,000 rows of 20 features, of every kind that a table has."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from .schema import Boolean, Category, Feature, Number, Schema, Text, Timestamp, Whole

ROWS = 200_000
LETTERS = tuple("abcdefgh")
PLANS = ("basic", "plus", "pro")

SCHEMA = Schema(
    target="left",
    classes=("no", "yes"),
    features=(
        *(Number(f"amount_{n}", "", -100, 100, missing=n > 3) for n in range(1, 7)),
        *(Whole(f"count_{n}", "", 0, 10_000, missing=n > 2) for n in range(1, 4)),
        *(Category(f"area_{n}", "", LETTERS, other=True, missing=n > 1) for n in range(1, 4)),
        Category("plan", "", PLANS),
        Feature("code", "", categories=("1", "2", "3")),
        *(Boolean(f"flag_{n}", missing=n > 2) for n in range(1, 4)),
        Timestamp("seen"),
        Timestamp("joined", missing=True),
        Text("note", longest=60, missing=True),
    ),
)

SLICES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "pro": lambda table: table["plan"] == "pro",
    "no fourth amount": lambda table: table["amount_4"].isna(),
}


def load() -> pd.DataFrame:
    """The whole table: a column for each feature and one for the target."""
    chance = np.random.default_rng(0)

    def some(values: Any, share: float = 0.1) -> Any:
        return np.where(chance.random(ROWS) < share, None, values)

    def named(names: tuple[str, ...]) -> Any:
        return chance.choice(np.array(names, object), ROWS)

    found: dict[str, Any] = {f"amount_{n}": chance.normal(0, 10, ROWS) for n in range(1, 7)}
    for n in range(4, 7):
        found[f"amount_{n}"][chance.random(ROWS) < 0.1] = np.nan
    found |= {f"count_{n}": chance.integers(0, 1000, ROWS) for n in range(1, 4)}
    found["count_3"] = pd.array(some(found["count_3"]), "Int64")
    found |= {f"area_{n}": some(named(tuple("abcdefghijkl"))) for n in range(2, 4)}
    found |= {"area_1": named(tuple("abcdefghij")), "plan": named(PLANS)}
    found["code"] = named(("1", "2", "3"))
    found |= {f"flag_{n}": chance.random(ROWS) < 0.5 for n in range(1, 4)}
    found["flag_3"] = some(found["flag_3"])
    minutes = chance.integers(0, 365 * 24 * 60, (2, ROWS))
    found["seen"] = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(minutes[0], unit="min")
    # As a file has them: texts.
    texts = np.datetime_as_string(np.datetime64("2024-01-01T00:00") + minutes[1], timezone="UTC")
    found["joined"] = some(texts.astype(object))
    words, places = chance.integers(0, 3000, (2, ROWS))
    found["note"] = [
        f"call {word} about order {place}" for word, place in zip(words, places, strict=True)
    ]
    left = found["amount_1"] / 10 + (found["plan"] == "pro") + chance.normal(size=ROWS)
    return pd.DataFrame(found).assign(left=np.where(left > 1, "yes", "no"))
