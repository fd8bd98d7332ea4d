"""The golden dataset: rows that no model is ever trained on, and that every model is judged by.

`python -m <package>.golden` draws it from the table and writes data/golden.csv, which is
committed. Do it once, and again only when the table itself becomes another one: a model is
compared with the champion only on the same golden dataset.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .data import SCHEMA, load
from .schema import InvalidRowsError, Matrix, plain

GOLDEN = Path("data/golden.csv")
SHARE = 0.2  # of the table
MOST = 1000  # rows: as many as one request may hold

Row = dict[str, object]


def features(table: pd.DataFrame) -> list[Row]:
    """The rows of the table as a client would send them."""
    records = table[SCHEMA.names].to_dict("records")
    return [{str(name): plain(value) for name, value in record.items()} for record in records]


def encode(table: pd.DataFrame) -> tuple[Matrix, NDArray[np.float64]]:
    """The table -> float32 [rows, features] and the target [rows], a class as its index.

    Raises InvalidRowsError when a row breaks the schema.
    """
    matrix = SCHEMA.encode(features(table))
    if not SCHEMA.classes:
        return matrix, table[SCHEMA.target].to_numpy(dtype=np.float64)
    codes = pd.Categorical(table[SCHEMA.target], categories=list(SCHEMA.classes)).codes
    if (codes < 0).any():
        classes = ", ".join(SCHEMA.classes)
        raise ValueError(f"{SCHEMA.target} holds a value that is none of {classes}")
    return matrix, codes.astype(np.float64)


def fingerprint(table: pd.DataFrame) -> str:
    """SHA-256 of the rows, the same whatever their order."""
    lines = sorted(repr(row) for row in _keys(table[[*SCHEMA.names, SCHEMA.target]]))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read(path: Path = GOLDEN) -> pd.DataFrame:
    """The golden dataset. Raises FileNotFoundError, and ValueError when its columns do not fit."""
    types = {f.name: str for f in SCHEMA.features if f.categories}
    if SCHEMA.classes:
        types[SCHEMA.target] = str
    table = pd.read_csv(path, dtype=types, float_precision="round_trip", keep_default_na=False)
    if list(table.columns) != [*SCHEMA.names, SCHEMA.target]:
        raise ValueError(f"the columns of {path} are not those that data.py declares")
    return table


def training_rows(table: pd.DataFrame, golden: pd.DataFrame) -> pd.DataFrame:
    """The table without every row whose features are those of a golden row."""
    held_out = set(_keys(golden[SCHEMA.names]))
    return table[[key not in held_out for key in _keys(table[SCHEMA.names])]]


def draw(table: pd.DataFrame) -> pd.DataFrame:
    """Choose the golden rows by the hash of their features.

    So the choice does not depend on the order of the table, equal rows stay together, and a row
    that was golden stays golden when the table grows.
    """
    share = min(SHARE, MOST / len(table))
    hashes = [hashlib.sha256(repr(key).encode()).digest() for key in _keys(table[SCHEMA.names])]
    chosen = [int.from_bytes(digest[:8]) < share * 2**64 for digest in hashes]
    return table.loc[chosen, [*SCHEMA.names, SCHEMA.target]].head(MOST)


def _keys(table: pd.DataFrame) -> list[tuple[object, ...]]:
    """Each row as a tuple of plain values; 3 and 3.0 are one, as a CSV file cannot tell them."""
    return [
        tuple(float(v) if isinstance(v, int) else v for v in map(plain, row))
        for row in table.itertuples(index=False, name=None)
    ]


def main() -> int:
    table = load()
    try:
        encode(table)
    except (InvalidRowsError, ValueError, KeyError) as error:
        print(f"error: the table breaks its own schema: {error}", file=sys.stderr)
        print("  try: correct load() or SCHEMA in data.py", file=sys.stderr)
        return 1
    rows = draw(table)
    GOLDEN.parent.mkdir(exist_ok=True)
    rows.to_csv(GOLDEN, index=False, lineterminator="\n")
    print(f"wrote {GOLDEN}: {len(rows)} of {len(table)} rows, never to be trained on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
