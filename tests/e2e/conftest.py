"""One shipped project for all end-to-end tests: making one takes longer than most tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.shop import Shop
from tests.support import cli, sh

ENVIRONMENTS = ("test", "staging", "production")


@pytest.fixture
def shop(shipped: Shop) -> Shop:
    """The shipped project with everything up, whatever an earlier test left behind."""
    if any(shipped.status(name)["health"] in ("down", "unwatched") for name in ENVIRONMENTS):
        assert shipped.ops("up").returncode == 0
    return shipped


@pytest.fixture(scope="session")
def shipped(
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
        assert not any(made.processes(name) for name in ENVIRONMENTS)
        assert sh("git", "status", "--porcelain", cwd=path) == ""
