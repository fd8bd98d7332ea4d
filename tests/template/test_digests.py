"""By which digest a registry has an image: the engine tells it in more than one way.

Docker Hub cannot be reached from everywhere, so a program plays the engine that has pushed to it.
The test of a real registry is `tests/e2e/test_push.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import run, sh
from tests.template.conftest import python

PUSH = "from ops import image; print(image._push('churn-model:r', 'docker.io/team', ''))"
DIGEST = f"sha256:{'d' * 64}"


def engine(folder: Path, *known: str) -> dict[str, str]:
    """An engine that knows an image by some names with a digest."""
    names = ", ".join(f'"{name}@{DIGEST}"' for name in known)
    (folder / "engine").write_text(
        f"#!/bin/sh\n[ $1 = inspect ] && echo '[{{\"RepoDigests\": [{names}]}}]'\nexit 0\n"
    )
    (folder / "engine").chmod(0o755)
    return {"DOCKER": str(folder / "engine")}


@pytest.mark.parametrize("known", ["team/churn-model", "docker.io/team/churn-model"])
def test_docker_hub_may_be_left_out(project: Path, known: str, tmp_path: Path) -> None:
    env = engine(tmp_path, "ghcr.io/team/churn-model", known)
    said = sh(python(project), "-c", PUSH, cwd=project, env=env)
    assert said == f"docker.io/team/churn-model@{DIGEST}\n"


def test_an_engine_that_tells_none_is_an_error_with_a_remedy(project: Path, tmp_path: Path) -> None:
    done = run(python(project), "-c", PUSH, cwd=project, env=engine(tmp_path))
    assert "OpsError: the engine does not tell the digest" in done.stderr
