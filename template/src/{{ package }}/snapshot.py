"""The table that a training reads: what load() gives, or a snapshot of what it once gave.

`make data` keeps the table in .state/data/ under its fingerprint, and `make train DATA=fingerprint`
trains from it: offline, and the same bytes. Touch this file to keep snapshots elsewhere.
"""

import os
import tomllib
from pathlib import Path

import pandas as pd

from . import faults
from .data import load
from .model import ModelError

FOLDER = Path(".state/data")


def table() -> pd.DataFrame:
    """The snapshot that DATA names, or what load() gives. Raises ModelError without either."""
    name = os.environ.get("DATA", "")
    if not name:
        _require_secrets()
        return load()
    found = sorted(FOLDER.glob("*.parquet"))
    found = [path for path in found if path.stem.startswith(name[:12])]
    if len(found) != 1:
        what = "several snapshots begin" if found else "there is no snapshot that begins"
        raise ModelError(f"{what} with {name!r} in {FOLDER}", "make data, or train without DATA=")
    from . import golden  # it reads a table by way of this module

    rows = pd.read_parquet(found[0])
    if lacking := {*golden.COLUMNS} - {*rows}:
        cause = f"{found[0]} is of another table than data.py declares: it lacks {min(lacking)!r}"
        raise ModelError(cause, "make data, or train without DATA=")
    whole = golden.fingerprint(rows)
    if not whole.startswith(found[0].stem) or not whole.startswith(name):
        remedy = f"rm {found[0]}, then make data"
        raise ModelError(f"{found[0]} holds other rows than its name says ({whole[:12]})", remedy)
    return rows


def keep(rows: pd.DataFrame) -> Path:
    """Write a snapshot, and look whether it reads as the table it was made of."""
    from . import golden

    mark = golden.fingerprint(rows)
    path = FOLDER / f"{mark[:12]}.parquet"
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        rows.to_parquet(beside)
        if golden.fingerprint(pd.read_parquet(beside)) != mark:
            cause = "the table changes when it becomes a Parquet file"
            raise ModelError(cause, "give each column of load() one type")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _require_secrets() -> None:
    """Raise ModelError when a key that load() needs, by [tool.mlops] secrets, is not there."""
    settings = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["mlops"]
    for key in settings.get("secrets", []):
        if not os.environ.get(key):
            remedy = f"put {key}=... into .env; in CI as a secret of that name"
            raise ModelError(f"load() needs {key}, which is not set", remedy)


def main() -> None:
    from . import golden

    os.environ.pop("DATA", None)
    with faults.told():
        rows = golden.table()
        path = keep(rows)
    print(f"kept {len(rows)} rows in {path}: make train DATA={path.stem}")


if __name__ == "__main__":
    main()
