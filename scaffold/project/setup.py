"""What turns rendered files into a project that works: lock, environment, hooks, first commit.

Each step is a command that the person could type; a step that fails says which.
"""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from scaffold.ground import console, git
from scaffold.ground.errors import ScaffoldError
from scaffold.project import constraints

FALLBACK = {
    "GIT_AUTHOR_NAME": "mlops-scaffold",
    "GIT_AUTHOR_EMAIL": "mlops-scaffold@localhost",
    "GIT_COMMITTER_NAME": "mlops-scaffold",
    "GIT_COMMITTER_EMAIL": "mlops-scaffold@localhost",
}
# Personal settings that would leave files out of the first commit, or stop it.
_NEUTRAL = (
    ("core.excludesFile", os.devnull),
    ("core.safecrlf", "false"),
    ("commit.gpgSign", "false"),
    ("commit.template", os.devnull),
    ("maintenance.auto", "false"),
    # An identity is what the person set, never what git guesses from the machine's name.
    ("user.useConfigOnly", "true"),
)


class StepError(ScaffoldError):
    """A step that failed: what it said, and what to type to do it."""


def find_uv() -> str:
    """Return uv's path: the one on PATH, else the one installed beside this package."""
    beside = Path(sysconfig.get_path("scripts"), "uv")
    found = shutil.which("uv") or (str(beside) if os.access(beside, os.X_OK) else None)
    if found is None:
        raise ScaffoldError("uv is not installed, or not on PATH", "run `pip install uv`")
    return found


def lock(project: Path) -> None:
    """Write uv.lock, within the constraints of this machine if there are any."""
    _uv(project, "lock", more=constraints.options())


def sync(project: Path) -> None:
    """Make .venv from uv.lock."""
    _uv(project, "sync", "--locked")


def install_hooks(project: Path) -> None:
    """Let pre-commit check every commit from now on."""
    _uv(project, "run", "--locked", "pre-commit", "install")


def hooks_elsewhere(project: Path) -> str | None:
    """Return where the person's own core.hooksPath points; pre-commit does not install there."""
    for scope in ("--global", "--system"):
        if git.succeeds("config", scope, "core.hooksPath", cwd=project):
            return git.git("config", scope, "core.hooksPath", cwd=project).strip()
    return None


def init(project: Path) -> None:
    """Make the project a Git repository on branch main."""
    git.git("init", "-q", "-b", "main", cwd=project)


def commit(project: Path, message: str) -> bool:
    """Commit everything; return False when nobody is configured and a neutral name was used."""
    env = git.environment(config=_NEUTRAL)
    git.git("add", "-A", cwd=project, env=env)
    save = ("commit", "-q", "--no-verify", "-m", message)
    try:
        git.git(*save, cwd=project, env=env)
    except git.GitError as error:
        if "tell me who you are" not in error.stderr:
            raise
        git.git(*save, cwd=project, env=env | FALLBACK)
        return False
    return True


def _uv(project: Path, *argv: str, more: Sequence[str] = ()) -> None:
    """Run uv in the project, with no trace of the environment that this command runs in.

    What is in `more` is not for the person to type, should it fail.
    """
    uv = find_uv()
    env = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    env["PATH"] = os.pathsep.join([env.get("PATH", os.defpath), str(Path(uv).parent)])
    done = subprocess.run(
        [uv, *argv, *more],
        cwd=project,
        env=env | {"NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        console.detail("\n".join(f"    {line}" for line in done.stdout.splitlines()[-12:]))
        command = f"uv {' '.join(argv)}"
        raise StepError(f"`{command}` failed with exit code {done.returncode}", command)


# The last one would let every program compile scikit-learn anew, for seconds.
_LEFT_OUT = (
    *("VIRTUAL_ENV", "UV_RUN_RECURSION_DEPTH", "UV", "PYTHONHOME", "__PYVENV_LAUNCHER__"),
    "PYTHONDONTWRITEBYTECODE",
)
