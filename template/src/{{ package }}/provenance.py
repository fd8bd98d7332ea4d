"""Where a model comes from: the commit it was trained at, and the settings in pyproject.toml."""

import subprocess
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Origin:
    """The commit, when it was made, and when a model made of it should be replaced."""

    commit: str
    created: str
    expires: str


def pyproject() -> dict[str, Any]:
    """The content of pyproject.toml; commands run from the root of the repository."""
    return tomllib.loads(Path("pyproject.toml").read_text("utf-8"))


def origin(expires_after_days: int) -> Origin:
    """The commit that is checked out, marked when there are changes on top of it.

    Times are the commit's, so that training twice from one commit gives the same bytes.
    """
    head = _git("log", "-1", "--format=%H %ct")
    if head is None:
        return Origin("unknown", "1980-01-01T00:00:00Z", "1980-01-01T00:00:00Z")
    commit, seconds = head.split()
    created = datetime.fromtimestamp(int(seconds), UTC)
    expires = created + timedelta(days=expires_after_days)
    dirty = "-dirty" if _git("status", "--porcelain") else ""
    return Origin(commit + dirty, _text(created), _text(expires))


def libraries() -> dict[str, str]:
    """The versions of what shapes the model's bytes."""
    return {name: version(name) for name in ("numpy", "onnx", "scikit-learn", "skl2onnx")}


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _git(*arguments: str) -> str | None:
    """What git says, or None without git or without a commit."""
    try:
        run = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() if run.returncode == 0 else None
