"""The golden dataset: rows that no model is ever trained on, and that every model is judged by.

`make golden` draws it from the table and writes data/golden.csv. Do it again only when the table
becomes another one, as models are compared on the same golden dataset only. Here too: how a table
becomes the numbers that a model sees.
"""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .data import SCHEMA, load
from .model import ModelError
from .schema import Matrix

GOLDEN = Path("data/golden.csv")
COLUMNS = [*SCHEMA.names, SCHEMA.target]
SHARE = 0.2  # of the table
MOST = 1000  # rows: as many as one request may hold

Target = NDArray[np.float64]  # a class as its index in SCHEMA.classes, or the number itself


def features(table: pd.DataFrame) -> list[dict[str, object]]:
    """The rows of the table as a client would send them."""
    rows = table[SCHEMA.names].itertuples(index=False, name=None)
    return [dict(zip(SCHEMA.names, row, strict=True)) for row in rows]


def encode(table: pd.DataFrame) -> tuple[Matrix, Target]:
    """The table -> float32 [rows, features] and the target [rows].

    Raises ValueError when a row breaks the schema.
    """
    target = table[SCHEMA.target]
    if SCHEMA.classes:
        target = target.map({name: code for code, name in enumerate(SCHEMA.classes)})
    values = target.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{SCHEMA.target} has a value that is no class, or no finite number")
    return SCHEMA.encode(features(table)), values


def fingerprint(table: pd.DataFrame) -> str:
    """SHA-256 of the rows, the same whatever their order."""
    lines = sorted(map(repr, _keys(table[COLUMNS])))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read() -> pd.DataFrame:
    """The golden dataset. Raises FileNotFoundError, and ValueError when its columns do not fit."""
    table = pd.read_csv(GOLDEN, dtype=str, keep_default_na=False)
    if list(table.columns) != COLUMNS:
        raise ValueError(f"the columns of {GOLDEN} are not those that data.py declares")
    kinds = {f.name: int if f.whole else float for f in SCHEMA.features if not f.categories}
    kinds |= {} if SCHEMA.classes else {SCHEMA.target: float}
    return table.astype(dict.fromkeys(kinds, float)).astype(kinds)


def unfetched(paths: list[Path] | None = None) -> Iterator[ModelError]:
    """Data that Git LFS or DVC keep elsewhere: of some files, or of all below data/."""
    for path in paths or sorted(GOLDEN.parent.rglob("*")):
        data = path.with_suffix("") if path.suffix == ".dvc" else path
        if data.is_file() and data.open("rb").read(24) == b"version https://git-lfs.":
            yield ModelError(f"{data} is only a pointer of Git LFS", "git lfs pull; in CI too")
        elif not data.exists() and data.with_name(f"{data.name}.dvc").exists():
            yield ModelError(f"{data} is kept by DVC and not here", "dvc pull; in CI too")


def why(error: Exception, remedy: str, paths: list[Path] | None = None) -> str:
    """What to say of an error: it may only come from data that nobody fetched."""
    if not isinstance(error, ModelError):
        error = next(unfetched(paths), ModelError(str(error), remedy))
    return f"error: {error}\n  try: {error.remedy}"


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
    return table.loc[chosen, COLUMNS].head(MOST)


def _keys(table: pd.DataFrame) -> list[tuple[object, ...]]:
    """What makes two rows equal: 3 and 3.0 are, as a CSV file cannot tell them apart."""
    rows = table.itertuples(index=False, name=None)
    return [tuple(float(v) if isinstance(v, int) else v for v in row) for row in rows]


def main() -> None:
    try:
        for unknown in unfetched([GOLDEN]):
            raise unknown  # its rows are not to be chosen anew
        table = load()
        encode(table)
    except (OSError, ValueError, KeyError, ModelError) as error:
        sys.exit(why(error, "correct load() or SCHEMA in data.py"))
    rows = draw(table)
    GOLDEN.parent.mkdir(exist_ok=True)
    rows.to_csv(GOLDEN, index=False, lineterminator="\n")
    print(f"wrote {GOLDEN}: {len(rows)} of {len(table)} rows, never to be trained on")


if __name__ == "__main__":
    main()
