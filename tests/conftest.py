"""What the tests share: the command line, a generated project made once, and cheap private copies.

The projects come from the work tree's template (`--ref HEAD`), uncommitted changes included.
"""

import itertools
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from xdist.scheduler import LoadFileScheduling

from tests.support import IDENTITY, clean_environment, cli, run, sh

__all__ = ["clean_environment", "cli", "run", "sh"]

# A suite that a shell started in the background ignores Ctrl-C, and so would all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The longest begin, so that no worker is left alone with one; but the two vendors one after the
# other, or they would fetch the same things at the same time.
FIRST = ("tests/vendors/test_gitlab.py", "tests/e2e/", "tests/template/", "tests/vendors/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest where they are in nobody's way."""

    def place(item: pytest.Item) -> int:
        return next((n for n, name in enumerate(FIRST) if item.nodeid.startswith(name)), len(FIRST))

    items.sort(key=place)


class Together(LoadFileScheduling):
    """A file's tests stay with one worker, and so do all end-to-end tests: they share a project."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "e2e" if file.startswith("tests/e2e/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Tell xdist who runs what."""
    return Together(config, log)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that every worker of this run sees; TEST_RUN names it for several sessions."""
    base = tmp_path_factory.getbasetemp()
    run_folder = os.environ.get("TEST_RUN") or (base if worker_id == "master" else base.parent)
    folder = Path(run_folder) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def project(shared: Path) -> Path:
    """A project named churn-model, set up and committed. Read only: all tests share it."""
    made = shared / "churn-model"
    with FileLock(shared / "churn-model.lock"):
        if not (shared / "churn-model.done").exists():
            shutil.rmtree(made, ignore_errors=True)
            done = cli("new", made, "--defaults", "--ref", "HEAD", seconds=900)
            assert done.returncode == 0, done.stderr
            (shared / "churn-model.done").touch()
    return made


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What our commands are run with: a cache that a file's tests share, and somebody's name."""
    return {"MLOPS_SCAFFOLD_CACHE": str(tmp_path_factory.mktemp("cache")), **IDENTITY}


@pytest.fixture
def fresh_project(project: Path, tmp_path: Path, ports: Callable[[], int]) -> Path:
    """A private copy of `project` to change at will, clean, set up, and with ports of its own."""
    made = tmp_path / "churn-model"
    options = ("--defaults", "--ref", "HEAD", "--no-setup", "-d", f"port={ports()}")
    done = cli("new", made, *options)
    assert done.returncode == 0, done.stderr
    shutil.copy(project / "uv.lock", made)
    sh("git", "add", "uv.lock", cwd=made)
    sh("git", "commit", "-q", "--no-verify", "-m", "Lock", cwd=made, env=IDENTITY)
    sh("uv", "sync", "-q", "--locked", "--offline", cwd=made)
    assert sh("git", "status", "--porcelain", cwd=made) == ""
    return made


@pytest.fixture(scope="session")
def ports(worker_id: str) -> Callable[[], int]:
    """Hands out base ports, each the first of three free ones that no other worker is given."""
    first = int(os.environ.get("TEST_PORTS", "20001"))  # two suites at once take others
    worker = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    bases: Iterator[int] = itertools.count(first + 800 * worker, 10)

    def is_free(port: int) -> bool:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
        return True

    return lambda: next(base for base in bases if all(is_free(base + i) for i in range(3)))
