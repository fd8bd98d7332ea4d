"""`mlops-scaffold status`: which version a project has, how far behind it is, how it differs.

It never imports copier. Where this machine has not kept the rendering to compare with, another
process makes it, once.
"""

import json
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from scaffold.ground import console
from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.ground.scratch import scratch
from scaffold.ground.store import Store
from scaffold.merging.drift import Difference, differences, kept_tree
from scaffold.origin import trust
from scaffold.origin.address import open_recorded
from scaffold.origin.rendered import cache_store
from scaffold.origin.source import Source, Template
from scaffold.origin.standing import Standing, lacking, recorded, standing
from scaffold.project import history
from scaffold.project.project import Project, find_project
from scaffold.project.record import Record

if TYPE_CHECKING:
    from scaffold.merging.plan import AnswerChange

SECONDS = 120.0


@dataclass(frozen=True)
class Status:
    """What is known of a project. None: it could not be found out, `problem` says why."""

    name: str
    record: Record
    standing: Standing | None
    differing: list[Difference] | None
    conflicts: int
    edited: tuple["AnswerChange", ...] = ()
    problem: str | None = None
    remedy: str | None = None

    @property
    def line(self) -> str:
        """The one line that is printed."""
        parts = [f"template {self.record.version}"]
        if self.standing is None:
            parts.append("its newest version is unknown")
        elif self.standing.behind:
            parts.append(f"newest {self.standing.newest}, {self.standing.distance}")
        else:
            after = f"after the newest {self.standing.unit} {self.standing.newest}"
            parts.append(after if self.standing.ahead else "the newest")
        text = f"{self.name}: {', '.join(parts)}; answers file valid; "
        if self.conflicts:
            text += f"{self.conflicts} conflict{'s'[: self.conflicts != 1]} to resolve; "
        if self.differing is None:
            return f"{text}files not compared"
        number = len(self.differing)
        counted = "no file differs" if not number else f"{number} file{'s'[: number != 1]} differ"
        return f"{text}{counted}{'s' if number == 1 else ''} from the template"

    def as_data(self, path: str) -> dict[str, object]:
        """Return it in the form that --json prints; docs/json.md describes it."""
        files, found = self.differing, self.standing
        return {
            "schema": 1,
            "command": "status",
            "path": path,
            "project": self.name,
            "template": {
                "url": self.record.url,
                "version": self.record.version,
                "newest": found and found.newest,
                "behind": found and found.behind,
                "unit": found and found.unit,
                "prerelease": found and found.prerelease,
            },
            "answers": "valid",
            "conflicts": self.conflicts,
            "files": files and [{"path": d.path, "state": d.state} for d in files],
            "edited": _as_data(self.edited),
            "problem": self.problem,
        }


def status(
    path: Path, as_json: bool, trusted: bool = False, answers_file: str | None = None
) -> int:
    """Print the status and return the exit code: 5 when behind, 1 when that is not known.

    `trusted` lets the template's Jinja extensions run; `answers_file` is the path of the answers
    file in the project, where it is not the usual one.
    """
    project = _find(path, answers_file)
    if (project.state / "pending").exists() or (project.state / "making").exists():
        from scaffold.placing.journal import settle  # rarely needed, and not quick to import

        settle(project)
    with scratch() as work:
        found = _status(project, work, trusted)
    if as_json:
        console.say(json.dumps(found.as_data(project.shown), indent=2, default=str))
    else:
        console.say(found.line)
        if found.problem:
            console.note(found.problem)
            if found.remedy:
                console.detail(f"   try: {found.remedy}")
        if found.edited:
            from scaffold.merging.edited import told  # as above

            for change in found.edited:
                console.note(told(change, project))
        if found.standing and not found.problem:
            _show_next(found.standing, project.words)
    if found.standing is None:
        return Exit.ERROR
    return Exit.BEHIND if found.standing.behind else 0


def _show_next(found: Standing, there: str) -> None:
    if found.behind:
        console.detail(f"  mlops-scaffold update --dry-run{there}  # see what is new")
    if pre := found.prerelease:
        console.detail(f"  mlops-scaffold update --dry-run --to {pre}{there}  # a pre-release")


def _find(path: Path, named: str | None) -> Project:
    try:
        return find_project(path, named)
    except ScaffoldError:
        from scaffold.placing.journal import (
            find,  # a killed command may have the answers file to place
        )

        return find(path, named)


def _status(project: Project, work: Path, trusted: bool) -> Status:
    record = project.recorded()
    conflicts = sum(set(stages) != {0} for stages in project.index().values())
    unknown = Status(project.name, record, None, None, conflicts)
    try:
        trust.check(project, record.url, work)
    except trust.Unseen as error:  # nothing is said against the template, so nothing is refused
        return replace(unknown, problem=error.cause, remedy=error.remedy)
    try:
        source = open_recorded(record.url, work, project.folder, trusted=trusted)
        if source.is_moving(record.version):
            moved = f"{record.version} is moved along with newer versions, so the project's is "
            return replace(unknown, problem=f"{moved}not known")
        with lacking(source, record.version, project.shown):
            found = replace(unknown, standing=standing(source, record.version))
    except ScaffoldError as error:
        return replace(unknown, problem=error.cause, remedy=error.remedy)
    try:
        differing, by_hand = _compared(project, source, record, work)
        return replace(found, differing=differing, edited=by_hand)
    except ScaffoldError as error:
        return replace(found, problem=error.cause, remedy=error.remedy)


def _as_data(by_hand: tuple["AnswerChange", ...]) -> list[dict[str, object]]:
    if not by_hand:
        return []
    from scaffold.merging.edited import as_data  # rarely needed, and not quick to import

    return as_data(by_hand)


def _compared(
    project: Project, source: Source, record: Record, work: Path
) -> tuple[list[Difference], tuple["AnswerChange", ...]]:
    """Return the files that differ, and the answers that were changed by hand."""
    store = cache_store(work, project.form)
    template = recorded(source, record.version, project.shown)
    with suppress(ScaffoldError):  # damaged: the other process repairs it
        if tree := kept_tree(template, project, record.answers, store):
            by_hand = _by_hand(project, template, record, store, work)
            if by_hand is not None:
                return differences(project, store.list(tree), store), by_hand
    here = (str(project.folder), "-a", project.answers_file)
    argv = [sys.executable, "-P", "-m", "scaffold", "diff", "--json", *here]
    try:
        done = subprocess.run(
            [*argv, *(["--trust"] if source.trusted else [])],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            check=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        raise _told(error.stderr, record) from error
    except subprocess.SubprocessError as error:
        raise _told("", record) from error
    said = json.loads(done.stdout)
    files = [Difference(file["path"], file["state"]) for file in said["files"]]
    if not said["edited"]:
        return files, ()
    from scaffold.merging.edited import from_data

    return files, from_data(said["edited"])


def _by_hand(
    project: Project, template: Template, record: Record, renderings: Store, work: Path
) -> "tuple[AnswerChange, ...] | None":
    """Return the answers changed by hand, as far as it takes no rendering that is not kept."""
    suspected = history.suspects(project, record)
    if not suspected:
        return ()
    from scaffold.merging import edited

    def render(answers: dict[str, object]) -> str | None:
        return kept_tree(template, project, answers, renderings)

    store = edited.scratch(project, renderings, work)
    return edited.find(project, template, record, suspected, render, store)


def _told(errors: str, record: Record) -> ScaffoldError:
    """Say what the other process said."""
    said = dict(re.findall(r"(?m)^(error| +try): (.+)$", errors))
    remedy = next((said[key] for key in said if key != "error"), "`mlops-scaffold diff` says why")
    without = f"the files could not be compared with {record.version}"
    return ScaffoldError(said.get("error", without), remedy)
