"""Data that Git LFS or DVC keep elsewhere is asked for by name, and never written over."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import run
from tests.template.conftest import PACKAGE, python

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
DVC = "outs:\n- md5: a304afb96060aad90176268345e10355\n  size: 12345\n  path: golden.csv\n"
LOAD = """

def load() -> pd.DataFrame:
    return pd.read_csv("data/table.csv")
"""
RUN = """
import contextlib, importlib, io, json, sys
package, *names = sys.argv[1:]
ended = []
for name in names:
    sys.argv, said = [name], io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            code = importlib.import_module(f"{package}.{name}").main() or 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else print(end.code, file=sys.stderr) or 1
    ended.append((code, said.getvalue()))
print(json.dumps(ended))
"""
Program = Callable[..., list[tuple[int, str]]]


@pytest.fixture
def here(project: Path, tmp_path: Path) -> Path:
    """What the programs read of the project, to change at will."""
    for name in ("src", "data"):
        shutil.copytree(project / name, tmp_path / name)
    shutil.copy(project / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture
def program(project: Path, here: Path) -> Program:
    """Runs some programs, in one process: to import what they need takes longest."""

    def ends(*names: str) -> list[tuple[int, str]]:
        env = {"PYTHONPATH": str(here / "src")}
        done = run(python(project), "-c", RUN, PACKAGE, *names, cwd=here, env=env)
        assert done.returncode == 0, done.stderr
        return [(code, said) for code, said in json.loads(done.stdout.splitlines()[-1])]

    return ends


def kept_by_lfs(path: Path) -> str:
    path.write_text(LFS)
    return "git lfs pull"


def kept_by_dvc(path: Path) -> str:
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.dvc").write_text(DVC)
    return "dvc pull"


def asks_for(ended: tuple[int, str], path: str, remedy: str) -> None:
    code, said = ended
    assert code in (1, 2)
    cause, todo = said.splitlines()
    assert cause.startswith(f"error: {path} is ")
    assert todo.startswith(f"  try: {remedy}")
    assert "golden" not in todo


@pytest.mark.parametrize("keep", [kept_by_lfs, kept_by_dvc])
def test_golden_rows_that_are_elsewhere_are_fetched_and_not_drawn_anew(
    here: Path, program: Program, keep: Callable[[Path], str]
) -> None:
    remedy = keep(here / "data/golden.csv")
    before = {path: path.read_bytes() for path in (here / "data").iterdir()}
    for ended in program("train", "gate", "golden"):
        asks_for(ended, "data/golden.csv", remedy)
    assert {path: path.read_bytes() for path in (here / "data").iterdir()} == before


@pytest.mark.parametrize("keep", [kept_by_lfs, kept_by_dvc])
def test_so_is_a_table_that_load_reads(
    here: Path, program: Program, keep: Callable[[Path], str]
) -> None:
    with (here / f"src/{PACKAGE}/data.py").open("a") as file:
        file.write(LOAD)
    remedy = keep(here / "data/table.csv")
    for ended in program("train", "golden"):
        asks_for(ended, "data/table.csv", remedy)


def test_a_pointer_that_nobody_reads_is_in_nobodys_way(here: Path, program: Program) -> None:
    kept_by_lfs(here / "data/pictures.zip")
    kept_by_dvc(here / "data/raw.csv")
    assert program("train", "gate") == [(0, ""), (0, "")]
    text = (here / "pyproject.toml").read_text()
    (here / "pyproject.toml").write_text(text.replace("min_skill", "min_skil"))
    [(code, said)] = program("gate")
    assert code == 2 and "LFS" not in said and "DVC" not in said
