"""What a project has: answers file, repository, hooks, lock, environment."""

import os
import re
import shlex
import shutil
from pathlib import Path

from scaffold.checks import (
    Finding,
    Place,
    list_answers,
    missing,
    ok,
    problem,
    text_of,
)
from scaffold.ground import git
from scaffold.project import record


def answers_file(place: Place) -> Finding:
    """Check that the answers file is there, can be read, and is in Git."""
    file, name = place.answers, place.named or record.NAME
    is_folder = place.named is None and file.is_dir()
    if not os.path.lexists(file) or (is_folder and not list_answers(place.folder)):
        return problem("deleted", place.command(f"git restore {shlex.quote(name)}"))
    file = record.find(file)
    says = record.parse(record.read(file), file)
    name = place.named or file.name
    if "repository" in place.has and not place.tracks(name):
        add = place.command(f"git add {shlex.quote(name)}")
        return problem(f"{name} is not in Git, so nobody else gets it", add)
    return ok(f"{says.url} {says.version}")


def repository(place: Place) -> Finding:
    """Check that the project is in a Git repository into which a merge can be made."""
    from scaffold.merging.proceed import refuse_unfinished  # not on Windows, where doctor runs

    refuse_unfinished(place.repository())
    branch = place.git("branch", "--show-current")
    return ok(f"branch {branch}" if branch else "no branch (detached HEAD)")


def last_update(place: Place) -> Finding:
    """Check that no update was killed half-way."""
    from scaffold.placing.journal import is_pending  # not on Windows, where doctor runs

    words = f" -a {shlex.quote(place.named)}" if place.named else ""
    if is_pending(place.repository()):
        return problem(
            "an update was stopped half-way; the next command completes it",
            place.command(f"mlops-scaffold status{words}"),
        )
    return ok("nothing left half-way")


def hooks(place: Place) -> Finding:
    """Check that the project's hooks run before each commit."""
    if not (place.folder / ".pre-commit-config.yaml").is_file():
        return missing("the project has no .pre-commit-config.yaml")
    if place.repository().prefix:
        return missing("the project is a part of its repository, which has hooks of its own")
    elsewhere = _hooks_path(place)
    common = place.folder / place.git("rev-parse", "--git-common-dir") / "hooks"
    hook = (elsewhere or common) / "pre-commit"
    text = text_of(hook.parent, hook.name)
    is_theirs = bool(re.search("pre[-_]commit", text))
    if elsewhere and not is_theirs:
        return missing(f"not installed: your git runs those in {elsewhere} (core.hooksPath)")
    again = place.command("make setup" if place.ours else "pre-commit install")
    if not text:
        return problem("not installed, so nothing is checked before a commit", again)
    if not is_theirs:
        return missing("not installed: a hook of your own is in their place")
    if not os.access(hook, os.X_OK):
        return problem("not executable, so git leaves them out", again)
    if lost := _lost_python(text):
        return problem(f"their Python is gone: {lost}", again)
    return ok("installed")


def lock(place: Place) -> Finding:
    """Check that the versions of all dependencies are locked."""
    if (place.folder / "uv.lock").is_file():
        return ok("there")
    return place.lacks("not there", place.command("uv lock"))


def venv(place: Place) -> Finding:
    """Check that the project's environment is there, with a Python in it."""
    name = os.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv"
    python = place.folder / name / "bin" / "python"
    again = place.command("make setup")
    if not os.path.lexists(python):
        return place.lacks("not there", again)
    if not python.exists():
        return place.lacks(f"its Python is gone: {python.readlink()}", again)
    return ok("there" if name == ".venv" else f"in {name}")


def _hooks_path(place: Place) -> Path | None:
    """Return where the person or the project sends git for hooks; our own setting is no answer."""
    wanted = ("config", "--show-scope", "--type=path", "--get-all", "core.hooksPath")
    try:
        lines = place.git(*wanted).splitlines()
    except git.GitError:
        return None
    scopes = [line.partition("\t") for line in lines]
    values = [value for scope, _, value in scopes if scope != "command"]
    return place.folder / values[-1] if values else None


def _lost_python(hook: str) -> str | None:
    """Return the Python that a hook of pre-commit calls, if neither it nor pre-commit is there."""
    found = re.search(r"^INSTALL_PYTHON=(.+)$", hook, re.MULTILINE)
    path = "".join(shlex.split(found[1])) if found else ""
    is_lost = bool(path) and not os.access(path, os.X_OK) and not shutil.which("pre-commit")
    return path if is_lost else None
