"""What the tests of a generated project's model share: a trained model and a running server."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import clean_environment, sh

PACKAGE = "churn_model"


def python(project: Path) -> Path:
    return project / ".venv" / "bin" / "python"


@dataclass(frozen=True)
class Server:
    """A running server: where it answers and what it wrote."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)


@contextmanager
def serving(project: Path, model: Path, log: Path, **more: str) -> Iterator[Server]:
    """Serve a model with the project's own code on a free port; `more` is for its environment."""
    words = (python(project), "-m", f"{PACKAGE}.serve", "--model", model, "--port", "0")
    argv = [str(word) for word in words]
    environment = clean_environment() | {"RELEASE": "r-1"} | more
    with log.open("wb") as out:
        process = subprocess.Popen(argv, cwd=project, stdout=out, stderr=out, env=environment)
    try:
        deadline = time.monotonic() + 30
        while not (found := re.search(r"http://[0-9.]+:[0-9]+", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield Server(found.group(), process, log)
    finally:
        process.terminate()
        process.wait(timeout=40)


@pytest.fixture(scope="session")
def model(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model of `project`, trained outside of it."""
    folder = tmp_path_factory.mktemp("model")
    sh(python(project), "-m", f"{PACKAGE}.train", "--out", folder, cwd=project)
    return folder


@pytest.fixture(scope="session")
def server(
    project: Path, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with serving(project, model, tmp_path_factory.mktemp("log") / "log") as server:
        yield server


@pytest.fixture(scope="session")
def row(model: Path) -> dict[str, object]:
    """The example row that the model carries."""
    example: dict[str, object] = json.loads((model / "model.json").read_text())["example"]
    return example


@pytest.fixture
def gate(project: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the gate on a folder; its report goes to tmp_path / "report"."""

    def run_gate(model: Path, champion: Path | None = None) -> subprocess.CompletedProcess[str]:
        folders = ["--model", model, "--report", tmp_path / "report"]
        folders += ["--champion", champion or tmp_path / "no-champion"]
        argv = [str(word) for word in (python(project), "-m", f"{PACKAGE}.gate", *folders)]
        return subprocess.run(
            argv, cwd=project, capture_output=True, text=True, env=clean_environment(), check=False
        )

    return run_gate


@pytest.fixture
def clone(project: Path, tmp_path: Path) -> Path:
    """A copy of the project that shares its environment."""
    folder = tmp_path / "clone"
    sh("git", "clone", "-q", project, folder)
    (folder / ".venv").symlink_to(project / ".venv")
    return folder
