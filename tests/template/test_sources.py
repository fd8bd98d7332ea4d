"""docs/sources.md: every load() on the page runs, against the real thing."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT, clean_environment, run, sh
from tests.template.conftest import PACKAGE, python

PAGE = (ROOT / "docs" / "sources.md").read_text()
LOADS = dict(re.findall(r"(?ms)^## ([^\n]+)\n(?:(?!^## ).)*?^```python load\n(.*?)^```", PAGE))
EXTRAS = ("duckdb", "sqlalchemy", "psycopg[binary]")
MAKE = {
    "A package": "",
    "A CSV file": "t.to_csv('data/raw/table.csv', index=False)",
    "A Parquet file": "t.to_parquet('data/raw/table.parquet')",
    "DuckDB": "import duckdb; c = duckdb.connect('data/raw/table.duckdb'); "
    "c.execute('CREATE TABLE tumours AS SELECT * FROM t'); c.close()",
    "SQLite": "import sqlite3; c = sqlite3.connect('data/raw/table.sqlite'); "
    "t.to_sql('tumours', c, index=False); c.close()",
    "PostgreSQL": "import os, sqlalchemy; t.to_sql('tumours', "
    "sqlalchemy.create_engine(os.environ['WAREHOUSE_URL']), index=False)",
}


@pytest.fixture(scope="module")
def libraries(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page tells to add, beside the project's environment and not in it."""
    folder = tmp_path_factory.mktemp("libraries")
    where = ("--python", python(project), "--target", folder)
    sh("uv", "pip", "install", "-q", *where, *EXTRAS, cwd=project)
    return folder


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of the tests' own, on a Unix socket."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found and not os.environ.get("CI"):
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    base = Path(sh("mktemp", "-d", "/tmp/pg-XXXXXX").strip())
    as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    as_user = as_user if os.getuid() == 0 else []
    if as_user:
        os.chown(base, 65534, 65534)
    words = ("-D", str(base / "data"))
    control = [*as_user, str(found[-1].with_name("pg_ctl")), *words]
    try:
        sh(*as_user, found[-1], *words, "-U", "ada", "-A", "trust", "-E", "UTF8", cwd=base)
        options = f"-k {base} -c listen_addresses="
        log = str(base / "log")
        subprocess.run([*control, "-w", "-o", options, "-l", log, "start"], check=True, cwd=base)
        yield f"postgresql+psycopg://ada@/postgres?host={base}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, cwd=base)
        shutil.rmtree(base, ignore_errors=True)


def test_the_page_has_what_is_tested() -> None:
    assert LOADS.keys() == MAKE.keys()


@pytest.mark.parametrize("name", MAKE)
def test_a_load_of_the_page_gives_the_same_model(
    name: str, clone: Path, model: Path, libraries: Path, request: pytest.FixtureRequest
) -> None:
    (clone / "data/raw").mkdir()
    env = {"PYTHONPATH": f"{clone / 'src'}:{libraries}"}
    if name == "PostgreSQL":
        url = request.getfixturevalue("postgres")
        (clone / ".env").write_text(f"# the warehouse\nexport WAREHOUSE_URL='{url}'  # ours\n")
        env["WAREHOUSE_URL"] = url
    code = f"from {PACKAGE}.data import load; t = load(); {MAKE[name]}"
    sh(python(clone), "-c", code, cwd=clone, env=env)
    data = clone / "src" / PACKAGE / "data.py"
    data.write_text(data.read_text().replace("def load()", "def _load()") + "\n\n" + LOADS[name])
    env.pop("WAREHOUSE_URL", None)
    done = run(python(clone), "-m", "ops", "train", cwd=clone, env=env)
    assert done.returncode == 0, done.stderr
    made = clone / "src" / PACKAGE / "artifacts" / "model.onnx"
    assert made.read_bytes() == (model / "model.onnx").read_bytes()


@pytest.mark.parametrize("verb", ["train", "golden", "data", "try"])
def test_a_secret_that_is_missing_is_named(clone: Path, verb: str) -> None:
    settings = clone / "pyproject.toml"
    text = settings.read_text()
    secrets = '[tool.mlops]\nsecrets = ["WAREHOUSE_URL"]\n\n[tool.mlops.model]'
    settings.write_text(text.replace("[tool.mlops.model]", secrets))
    env = {"PYTHONPATH": str(clone / "src")}
    done = run(python(clone), "-m", "ops", verb, cwd=clone, env=env)
    assert done.returncode == 1
    assert "load() needs WAREHOUSE_URL, which is not set" in done.stderr
    assert "put WAREHOUSE_URL=... into .env; in CI as a secret of that name" in done.stderr
    assert "WAREHOUSE_URL" not in clean_environment()
