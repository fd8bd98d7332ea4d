"""Where a model comes from: the commit it was trained at, and the settings in pyproject.toml."""

import subprocess
import tomllib
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any


def pyproject() -> dict[str, Any]:
    """The content of pyproject.toml; commands run from the root of the repository."""
    return tomllib.loads(Path("pyproject.toml").read_text("utf-8"))


def origin(expires_after_days: int) -> dict[str, str]:
    """The commit that is checked out, its time, and when a model made of it should be replaced.

    The time is the commit's, so that training twice from one commit gives the same bytes.
    """
    head = _git("log", "-1", "--format=%H %ct")
    if head is None:
        day_one = "1980-01-01T00:00:00Z"
        return {"commit": "unknown", "created": day_one, "expires": day_one}
    commit, seconds = head.split()
    created = datetime.fromtimestamp(int(seconds), UTC)
    expires = created + timedelta(days=expires_after_days)
    changed = "-dirty" if _git("status", "--porcelain") else ""
    times = {"created": f"{created:%Y-%m-%dT%H:%M:%SZ}", "expires": f"{expires:%Y-%m-%dT%H:%M:%SZ}"}
    return {"commit": commit + changed, **times}


def libraries() -> dict[str, str]:
    """The versions of what shapes the model's bytes."""
    return {name: version(name) for name in ("numpy", "onnx", "scikit-learn", "skl2onnx")}


def _git(*arguments: str) -> str | None:
    """What git says, or None without git or without a commit."""
    try:
        run = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() if run.returncode == 0 else None
