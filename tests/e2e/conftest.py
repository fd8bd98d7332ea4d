"""One shipped project for all end-to-end tests: making one takes longer than most tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.shop import Shop
from tests.runners import base, engine
from tests.support import cli, sh

ENVIRONMENTS = ("test", "staging", "production")


@pytest.fixture
def runtime() -> str:
    """How releases run. Tests that must hold for containers too are given both."""
    return "process"


@pytest.fixture
def shop(shipped: Shop, runtime: str, request: pytest.FixtureRequest) -> Shop:
    """The shipped project with everything up, whatever an earlier test left behind."""
    if runtime == "container":
        request.getfixturevalue("containers")
    shipped.use(runtime)
    shipped.wake()
    return shipped


@pytest.fixture(scope="session")
def containers() -> str:
    """The image that releases are put on. Needs an engine: CI has one, a laptop may not."""
    try:
        os.environ |= {"DOCKER": engine.ensure(), "CA_BUNDLE": str(base.bundle())}
        os.environ["BASE_IMAGE"] = base.image()
    except engine.Unavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    return os.environ["BASE_IMAGE"]


@pytest.fixture(scope="session")
def stocked(
    project: Path, tmp_path_factory: pytest.TempPathFactory, ports: Callable[[], int]
) -> Iterator[Shop]:
    """A project with two releases that are alike, of which the second is in production."""
    path = tmp_path_factory.mktemp("shöp with a space") / "churn-model"
    done = cli("new", path, "--defaults", "--ref", "HEAD", "-d", f"port={ports()}", seconds=600)
    assert done.returncode == 0, done.stderr
    made = Shop(path)
    made.configure("production", "canary", "[10, 50]")
    for limit, value in {"slack_ms": "1000", "latency_ms": "2000", "ready_seconds": "120"}.items():
        made.configure("verify", limit, value)  # this machine has other things to do as well
    try:
        for number in range(2):
            made.commit(f"Release {number}, with a canary for production")
            made.build()
        made.promote(made.releases[1])
        yield made
    finally:
        made.use("process")
        stopped = made.ops("down")
        assert stopped.returncode == 0, stopped.stderr
        assert not any(made.processes(name) for name in ENVIRONMENTS)
        assert sh("git", "status", "--porcelain", cwd=path) == ""


@pytest.fixture(scope="session")
def shipped(stocked: Shop) -> Shop:
    """The same after both have served, and with a faulty third on its way to production."""
    stocked.promote(stocked.releases[0])
    stocked.plant_fault()
    stocked.promote(stocked.build(), "test", "staging")
    return stocked
