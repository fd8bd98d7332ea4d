"""The suite knows the versions that it runs with, so that it fails for what we changed."""

import os
import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support import KNOWN, ROOT, last_known_day, sh

LINE = re.compile(r"[a-z0-9-]+==[\w.]+( ; [\w. '=<>!]+)?")  # and so no address


def test_they_are_names_and_versions_and_nothing_else() -> None:
    lines = [line for line in KNOWN.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) > 100
    assert [line for line in lines if not LINE.fullmatch(line)] == []


def test_they_are_all_that_we_and_a_new_project_ask_for(tmp_path: Path) -> None:
    """Who adds a dependency renews them; `make constraints` takes the same way."""
    sh(sys.executable, ROOT / "scripts/constraints.py", tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_text() == KNOWN.read_text()


@pytest.mark.skipif(bool(os.environ.get("NEWEST")), reason="make newest takes the newest")
def test_the_projects_of_the_tests_are_made_of_them(project: Path) -> None:
    known = {line.partition(" ;")[0] for line in KNOWN.read_text().splitlines()}
    packages = tomllib.loads((project / "uv.lock").read_text())["package"]
    theirs = {f"{p['name']}=={p['version']}" for p in packages if "registry" in p["source"]}
    assert len(theirs) > 50
    assert theirs <= known
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", last_known_day()["UV_EXCLUDE_NEWER"])
