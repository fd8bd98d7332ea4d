"""What the tests of CI vendors share: projects by answer, and the image that their jobs run in."""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runners import engine, runner
from tests.support import cli


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Gives the project churn-model with some answers, committed and not set up. Read only."""

    @functools.cache
    def render(**answers: str | int) -> Path:
        made = tmp_path_factory.mktemp("rendered") / "churn-model"
        options = [word for name, value in answers.items() for word in ("-d", f"{name}={value}")]
        done = cli("new", made, "--defaults", "--ref", "HEAD", "--no-setup", *options)
        assert done.returncode == 0, done.stderr
        return made

    return render


@pytest.fixture(scope="session")
def locked(rendered: Callable[..., Path], project: Path) -> Callable[..., Path]:
    """The same with the `uv.lock` of `project` and with more patience, not committed yet."""

    def lock(**answers: str | int) -> Path:
        made = rendered(**answers)
        shutil.copy(project / "uv.lock", made)
        settings = made / "ops/environments.toml"
        text = settings.read_text()
        for limit, value in {"ready_seconds": 120, "slack_ms": 1000}.items():  # we may be busy
            text, count = re.subn(f"(?m)^{limit} = .*", f"{limit} = {value}", text)
            assert count == 1
        settings.write_text(text)
        return made

    return lock


@pytest.fixture(scope="session")
def job_image() -> str:
    """The image that CI jobs run in. Needs a Docker engine: our CI has one, a laptop may not."""
    try:
        return runner.image()
    except engine.Unavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
