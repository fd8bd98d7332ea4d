"""The golden dataset: rows that no model is ever trained on, and that every model is judged by.

`make golden` draws it from the table and writes data/golden.csv. Do it again only when the table
becomes another one or, split by time, a longer one: else models are compared on the same rows
only. Here too: how a table becomes the columns that a server makes of a request.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import data, faults, snapshot
from .data import SCHEMA
from .model import ModelError
from .schema import BAD, Columns, Feature, InvalidRowsError
from .split import Split, hashed

SPLIT: Split = getattr(data, "SPLIT", Split())  # tables were once split at random only
SAMPLE_WEIGHT: str = getattr(data, "SAMPLE_WEIGHT", "")  # a column of the table, for fit() alone
GOLDEN = Path("data/golden.csv")
ALSO = [*SCHEMA.targets, *filter(None, [SPLIT.column]), *SCHEMA.beside]
COLUMNS = list(dict.fromkeys([*SCHEMA.names, *ALSO]))
WEIGHT = "stands_for"  # in golden.csv: how many rows of the table a row stands for, if not as many
RARE = 5000  # the same where a class is rare, so that enough of the others stand beside it
ENOUGH = 50  # golden rows of each class, if the table has twice as many
SHARE = 0.2  # of the table
MOST = 1000  # rows: as many as one request may hold
FEWEST = 20  # rows of a table of which some can be held out

Target = NDArray[np.float64]  # a class as its index in SCHEMA.classes, or the number itself


def features(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of the table as a client would send them."""
    return SCHEMA.decode(columns(table))


def columns(table: pd.DataFrame) -> Columns:
    """The features of the table. Raises InvalidRowsError when a row breaks the schema."""
    found: Columns = {f.name: _column(f, table[f.name]) for f in SCHEMA.features}
    SCHEMA.check(found)
    return found


def encode(table: pd.DataFrame) -> tuple[Columns, Target]:
    """The features of the table and its target [rows], or [rows, numbers].

    Raises InvalidRowsError when a row breaks the schema, ModelError when a target does.
    """
    if not SCHEMA.targets:
        return columns(table), np.zeros(len(table))
    values = np.column_stack([_truth(table[name]) for name in SCHEMA.targets])
    return columns(table), values if values.shape[1] > 1 else values[:, 0]


def _truth(column: pd.Series) -> Target:
    told = column
    if SCHEMA.classes:
        column = column.map({name: code for code, name in enumerate(SCHEMA.classes)})
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if len(bad := np.flatnonzero(~np.isfinite(values))):
        what = f"none of the classes {SCHEMA.classes}" if SCHEMA.classes else "no finite number"
        cause = f"row {bad[0]}: {told.name} is {told.tolist()[bad[0]]!r}, {what}"
        raise ModelError(f"{cause}; so are {len(bad)} of {len(told)} rows", InvalidRowsError.remedy)
    return values


def fingerprint(table: pd.DataFrame) -> str:
    """SHA-256 of the rows, the same whatever their order."""
    kind: Any = str if SCHEMA.classes else float
    truth = (map(kind, table[name].tolist()) for name in SCHEMA.targets)
    lines = sorted(repr((*key, *values)) for key, *values in zip(_keys(table), *truth, strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def write(rows: pd.DataFrame) -> None:
    """Keep the golden dataset, a group by its mark."""
    GOLDEN.parent.mkdir(exist_ok=True)
    others = {str(name): rows[name].to_numpy() for name in rows if name not in SCHEMA.names}
    if SPLIT.kind == "group" and SPLIT.column in others:
        others[SPLIT.column] = SPLIT.marks(rows).to_numpy()
    pd.DataFrame(features(rows)).assign(**others).to_csv(GOLDEN, index=False, lineterminator="\n")


def read() -> pd.DataFrame:
    """The golden dataset. Raises ModelError when it is not there, or does not fit data.py."""
    for elsewhere in unfetched([GOLDEN]):
        raise elsewhere
    if not GOLDEN.exists():
        raise ModelError(f"there is no {GOLDEN}", "make golden train")
    table = pd.read_csv(GOLDEN, dtype=str, keep_default_na=False)
    if list(table.columns) not in (COLUMNS, [*COLUMNS, WEIGHT]):
        cause = f"the columns of {GOLDEN} are not those that data.py declares"
        raise ModelError(cause, "make golden train, if the table is another one")
    for feature in SCHEMA.features:
        table[feature.name] = _typed(feature, table[feature.name])
    numbers = [] if SCHEMA.classes else SCHEMA.targets
    numbers += [WEIGHT] if WEIGHT in table else []
    for name in SCHEMA.beside:
        with contextlib.suppress(ValueError, TypeError):
            table[name] = pd.to_numeric(table[name])
    try:
        table = table.astype({name: float for name in numbers})
        encode(table)
    except (InvalidRowsError, ModelError, ValueError) as error:
        remedy = "correct SCHEMA in data.py or, if the table is another one, make golden train"
        raise ModelError(f"{GOLDEN}: {error}", remedy) from None
    return table


def _typed(feature: Feature, texts: pd.Series) -> Any:
    """A column of the file as the table has it."""
    if feature.kind == "number":
        return texts.replace("", "nan").astype(float)
    if feature.kind == "timestamp":
        return pd.to_datetime(texts.where(texts != ""), utc=True, format="ISO8601")
    if feature.kind in ("boolean", "vector"):
        return [json.loads(text.lower()) if text else None for text in texts]
    return texts.where(texts != "", None) if feature.missing else texts


def _column(feature: Feature, values: pd.Series) -> NDArray[Any]:
    """A column of the table as the schema has it, whatever type of pandas' or numpy's it is."""
    if feature.kind == "number" and values.dtype.kind in "iuf":
        return values.to_numpy(np.float64, na_value=np.nan)
    if feature.kind == "timestamp" and isinstance(values.dtype, pd.DatetimeTZDtype):
        since = values - pd.Timestamp(0, tz="UTC")
        return (since / pd.Timedelta(seconds=1)).to_numpy(np.float64, na_value=np.nan)
    items = values.astype(object).where(values.notna(), None).tolist()
    if not {*map(type, items)} <= {str, bool, int, float, type(None)}:
        items = [*map(_plain, items)]
    column = feature.many(items)
    if column is None:
        bad = [row for row, item in enumerate(items) if feature.read(item) is BAD]
        raise InvalidRowsError([(row, feature.name, feature.rule) for row in bad])
    return column


def _plain(value: Any) -> Any:
    """What a value of pandas' or numpy's looks like to a client."""
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(one) for one in value]
    if pd.isna(value):
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value


def unfetched(paths: list[Path] | None = None) -> Iterator[ModelError]:
    """Data that Git LFS or DVC keep elsewhere: of some files, or of all below data/."""
    for path in paths or sorted(GOLDEN.parent.rglob("*")):
        file = path.with_suffix("") if path.suffix == ".dvc" else path
        if file.is_file() and file.open("rb").read(24) == b"version https://git-lfs.":
            yield ModelError(f"{file} is only a pointer of Git LFS", "git lfs pull; in CI too")
        elif not file.exists() and file.with_name(f"{file.name}.dvc").exists():
            yield ModelError(f"{file} is kept by DVC and not here", "dvc pull; in CI too")


def table() -> pd.DataFrame:
    """What load() returns, or the snapshot. Raises ModelError when that is no table of SCHEMA."""
    try:
        found = snapshot.table()
        if cause := next(_doubts(found), ""):
            raise ModelError(cause, InvalidRowsError.remedy)
        for name in SCHEMA.targets:
            _truth(found[name])
    except Exception:
        for elsewhere in unfetched():  # which may be all that is wrong
            raise elsewhere from None
        raise
    return found


def _doubts(table: Any) -> Iterator[str]:
    """What is wrong with a table, as a whole."""
    if not isinstance(table, pd.DataFrame):
        yield f"load() returns a {type(table).__name__}, no pandas.DataFrame"
        return
    names = table.columns.tolist()
    for name in COLUMNS:
        if names.count(name) != 1:
            there = ", ".join(map(str, names))[:200]
            yield f"load() returns {names.count(name)} columns {name!r} where one is due: {there}"
    if len(table) < FEWEST:
        yield f"load() returns {len(table)} rows, and a model needs {FEWEST}"
    for name in SCHEMA.targets:
        if table[name].nunique(dropna=False) == 1:
            yield f"every row has the same {name}: {table[name].tolist()[0]!r}"


def training_rows(table: pd.DataFrame, golden: pd.DataFrame) -> pd.DataFrame:
    """The table without rows that equal a golden one, and without what SPLIT holds back."""
    held_out = set(_keys(golden))
    free = table[[key not in held_out for key in _keys(table)]]
    return free if SPLIT.kind == "random" else free[SPLIT.apart(free, golden)]


def draw(table: pd.DataFrame) -> pd.DataFrame:
    """Choose the golden rows by the hash of their features, or of their group.

    So the choice does not depend on the order of the table, equal rows stay together, and a row
    that was golden stays golden when the table grows. By time they are of the newest fifth. They
    hold ENOUGH of each class; in a large table of a rare one more than of the others, and WEIGHT
    says how many rows each stands for.
    """
    share = SHARE
    if SPLIT.kind == "time":
        table, share = table[SPLIT.last(table, SHARE)], 1.0
    places = hashed(marks(table))
    limit = np.full(len(table), min(share, np.sort(places)[:MOST][-1]))
    for name in SCHEMA.classes:
        mine = np.asarray(table[SCHEMA.target] == name)
        enough = np.sort(places[mine])[: min(ENOUGH, int(mine.sum() * max(share, 0.5)))]
        limit[mine] = np.maximum(limit[mine], enough[-1] if len(enough) else 0)
    if SPLIT.kind == "group" or (places <= limit.max()).sum() <= MOST:
        limit[:] = limit.max()  # of all classes as much: a small table, or groups that stay whole
    elif limit.min() < limit.max():  # ranks are judged too well where a row stands for hundreds
        limit = np.maximum(limit, min(share, np.sort(places)[:RARE][-1]))
    found: pd.DataFrame = table[places <= limit][COLUMNS]
    if limit.min() == limit.max():
        return found
    names = found[SCHEMA.target]
    stands = names.map(table[SCHEMA.target].value_counts()) / names.map(names.value_counts())
    return found.assign(**{WEIGHT: stands.round(4)})


def weights(rows: pd.DataFrame) -> Target:
    """How many rows of the table each stands for [rows]."""
    return rows[WEIGHT].to_numpy() if WEIGHT in rows else np.ones(len(rows))


def units(rows: pd.DataFrame) -> NDArray[Any]:
    """A number for each row, the same for those that are equal, or of one group [rows]."""
    numbers = dict[Any, int]()
    return np.array([numbers.setdefault(mark, len(numbers)) for mark in marks(rows)], int)


def marks(table: pd.DataFrame) -> list[Any]:
    """What a row is chosen by: its group, or its features."""
    return SPLIT.marks(table).tolist() if SPLIT.kind == "group" else _keys(table)


def _keys(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    """What makes two rows equal: 3 and 3.0 are, and so are two gaps."""
    found, lists = columns(table), []
    for feature in SCHEMA.features:
        values = found[feature.name]
        if feature.kind == "vector":
            lists.append([*map(tuple, values.tolist())])
            continue
        if feature.kind == "code":  # a gap is -1, the last
            places = np.nan_to_num(values, nan=-1).astype(int)
            values = np.array([*feature.categories, None], object)[places]
        plain = values.astype(object)
        plain[pd.isna(values)] = None
        lists.append(plain.tolist())
    return list(zip(*lists, strict=True))


def main() -> None:
    with faults.told():
        for unknown in unfetched([GOLDEN]):
            raise unknown  # its rows are not to be chosen anew
        whole = table()
        encode(whole)
        rows = draw(whole)
        if not 0 < len(rows) < len(whole):
            cause = f"{len(rows)} of {len(whole)} rows would be golden: too many are equal, or of"
            raise ModelError(f"{cause} one group", "see load() and SPLIT in data.py")
        write(rows)
    print(f"wrote {GOLDEN}: {len(rows)} of {len(whole)} rows, never to be trained on")
    since = f" since {start}" if (start := SPLIT.window(rows)) else ""
    print(f'  git commit -m "Golden rows{since}" {GOLDEN}')


if __name__ == "__main__":
    main()
