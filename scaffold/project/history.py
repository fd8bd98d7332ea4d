"""What Git's history says of a project's answers file: when it was written, and with what in it.

Nothing is fetched for it: a clone without its history just knows less.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import yaml

from scaffold.ground import git
from scaffold.ground.errors import ScaffoldError
from scaffold.ground.store import parse_batch
from scaffold.project.project import Project
from scaffold.project.record import Record, answers_in, read

ABSENT = object()  # in place of an answer
_STEPS = 20  # times that the answers file was written, from the newest
_SECONDS = 5.0  # a file that changes seldom takes long to find in a very long history
_STAMP = re.compile(r"(?m)^_commit:(.*)$")
_QUIET = {"GIT_NO_LAZY_FETCH": "1"}


@dataclass(frozen=True)
class Written:
    """The text of the answers file as one commit wrote it; empty where it took it away."""

    commit: str
    text: str

    @property
    def stamp(self) -> str:
        """The line of the version. To read YAML takes its time."""
        found = _STAMP.search(self.text)
        return found[1].strip() if found else ""


def writings(project: Project) -> list[Written]:
    """Return the commits that wrote the answers file, from the newest, as far as is seen here."""
    path = f"{project.prefix}{project.answers_file}"
    log = ("--literal-pathspecs", "log", f"-{_STEPS}", "--no-renames", "--format=%H", "--", path)
    try:
        commits = _ask(project, *log).decode().split()
        names = "".join(f"{commit}:{path}\n" for commit in commits)
        texts = parse_batch(_ask(project, "cat-file", "--batch", stdin=git.encode(names)))
    except ScaffoldError:  # too long, or not all of it is here
        return []
    pairs = zip(commits, texts, strict=False)
    return [Written(commit, git.decode(text or b"")) for commit, text in pairs]


def suspects(project: Project, record: Record) -> dict[str, object]:
    """Return answers as they were before they changed without a new version, as far as is known.

    Quick, and nothing in nearly every project. It may have been `update --data`, or a hand.
    """
    text = read(project.folder / project.answers_file)
    found: dict[str, object] = {}
    for newer, older in pairwise([Written("", text), *writings(project)]):
        if newer.text == older.text or newer.stamp != older.stamp:
            continue
        try:
            answers, before = (answers_in(w.text, Path(w.commit)) for w in (newer, older))
        except ScaffoldError:  # it was damaged then
            continue
        for question in {**answers, **before}:
            was = before.get(question, ABSENT)
            if question not in found and differ(answers.get(question, ABSENT), was):
                found[question] = was
    now = record.answers
    return {q: was for q, was in found.items() if differ(now.get(q, ABSENT), was)}


def differ(one: object, other: object) -> bool:
    """Tell whether two answers are not the same, where ABSENT is none at all."""
    if ABSENT in (one, other):
        return one is not other
    return as_text(one) != as_text(other)


def as_text(value: object) -> str:
    """Return a form in which 3 and "3" are equal: a question that changes type keeps its answer."""
    return str(value) if isinstance(value, (str, int, float)) else yaml.safe_dump(value)


def content(project: Project, commit: str, path: str) -> bytes | None:
    """Return what a file of the project was in a commit; None where it was none, or is not here."""
    try:
        listed = _ask(project, "ls-tree", "-z", commit, "--", f"{project.prefix}{path}").decode()
        facts = listed.partition("\t")[0].split(" ")
        if len(facts) != 3 or not facts[0].startswith("100"):
            return None
        return _ask(project, "cat-file", "blob", facts[2])
    except ScaffoldError:
        return None


def knows(project: Project, path: str) -> bool:
    """Tell whether a file was ever committed, or may have been."""
    argv = ("--literal-pathspecs", "log", "-1", "--format=%H", "--", f"{project.prefix}{path}")
    try:
        return bool(_ask(project, *argv))
    except ScaffoldError:
        return True


def is_committed(project: Project) -> bool:
    """Tell whether the answers file is as in the last commit; if not, it was written just now."""
    committed = project.committed.get(project.answers_file)
    now = project.hashes([project.answers_file]).get(project.answers_file)
    return committed is not None and now is not None and now.oid == committed.oid


def _ask(project: Project, *argv: str, stdin: bytes | None = None) -> bytes:
    env = project.environment | _QUIET
    if any(name.endswith(".promisor") for name in project.settings):
        raise ScaffoldError("the clone is a partial one", "`git fetch --refetch`")
    return git.raw(*argv, cwd=project.top, env=env, stdin=stdin, seconds=_SECONDS)
