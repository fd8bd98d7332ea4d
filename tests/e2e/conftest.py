"""One shipped project for all end-to-end tests: making one takes longer than most tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import cli, sh
from tests.e2e.shop import Shop


@pytest.fixture(scope="session")
def shop(
    project: Path, tmp_path_factory: pytest.TempPathFactory, ports: Callable[[], int]
) -> Iterator[Shop]:
    """A project in production with a first release, a second one like it, and a faulty third."""
    path = tmp_path_factory.mktemp("shöp with a space") / "churn-model"
    done = cli("new", path, "--defaults", "--ref", "HEAD", "-d", f"port={ports()}", seconds=600)
    assert done.returncode == 0, done.stderr
    made = Shop(path)
    try:
        made.promote(made.build())
        made.commit("Another release")
        made.promote(made.build())
        made.plant_fault()
        made.promote(made.build(), "test", "staging")
        yield made
    finally:
        stopped = made.ops("down")
        assert stopped.returncode == 0, stopped.stderr
        assert not any(made.processes(e) for e in ("test", "staging", "production"))
        assert sh("git", "status", "--porcelain", cwd=path) == ""
