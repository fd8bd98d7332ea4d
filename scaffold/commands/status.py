"""`mlops-scaffold status`: which version a project has, how far behind it is, how it differs.

It never imports copier. Where this machine has not kept the rendering to compare with, another
process makes it, once.
"""

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scaffold.ground import console
from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.ground.scratch import scratch
from scaffold.merging.drift import Difference, differences, kept_tree
from scaffold.origin import trust, versions
from scaffold.origin.address import open_recorded
from scaffold.origin.rendered import cache_store
from scaffold.origin.source import Source
from scaffold.project.project import Project, find_project
from scaffold.project.record import Record

SECONDS = 120.0


@dataclass(frozen=True)
class Status:
    """What is known of a project. None: it could not be found out, `problem` says why."""

    name: str
    record: Record
    newest: str | None
    behind: int
    differing: list[Difference] | None
    conflicts: int
    problem: str | None = None

    @property
    def line(self) -> str:
        """The one line that is printed."""
        parts = [f"template {self.record.version}"]
        if self.newest is None:
            parts.append("its newest version is unknown")
        else:
            releases = f"{self.behind} release{'s'[: self.behind != 1]} behind"
            parts.append(f"newest {self.newest}, {releases}" if self.behind else "the newest")
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
        files = self.differing
        return {
            "schema": 1,
            "command": "status",
            "path": path,
            "project": self.name,
            "template": {
                "url": self.record.url,
                "version": self.record.version,
                "newest": self.newest,
                "behind": self.behind if self.newest is not None else None,
            },
            "answers": "valid",
            "conflicts": self.conflicts,
            "files": files and [{"path": d.path, "state": d.state} for d in files],
            "problem": self.problem,
        }


def status(path: Path, as_json: bool) -> int:
    """Print the status and return the exit code: 5 when behind, 1 when that is not known."""
    project = _find(path)
    if (project.state / "pending").exists() or (project.state / "making").exists():
        from scaffold.placing.journal import settle  # rarely needed, and not quick to import

        settle(project)
    with scratch() as work:
        found = _status(project, work)
    if as_json:
        console.say(json.dumps(found.as_data(project.shown), indent=2, default=str))
    else:
        console.say(found.line)
        if found.problem:
            console.note(found.problem)
        elif found.behind:
            there = "" if project.shown == "." else f" {project.shown}"
            console.detail(f"  mlops-scaffold update --dry-run{there}  # see what is new")
    if found.newest is None:
        return Exit.ERROR
    return Exit.BEHIND if found.behind else 0


def _find(path: Path) -> Project:
    try:
        return find_project(path)
    except ScaffoldError:
        from scaffold.placing.journal import (
            find,  # a killed command may have the answers file to place
        )

        return find(path)


def _status(project: Project, work: Path) -> Status:
    record = project.recorded()
    trust.check(project, record.url)
    conflicts = sum(set(stages) != {0} for stages in project.index().values())
    try:
        source = open_recorded(record.url, work)
        newest = source.newest()
        if source.is_moving(record.version):
            moved = (
                f"{record.version} is a tag that is moved, so the project's version is not known"
            )
            return Status(project.name, record, None, 0, None, conflicts, moved)
    except ScaffoldError as error:
        return Status(project.name, record, None, 0, None, conflicts, error.cause)
    # A bare hash is how Git describes a commit before the first tag.
    known = versions.parse(record.version) is not None
    behind = len(versions.after(record.version, source.tags) if known else source.releases)
    try:
        differing = _differing(project, source, record, work)
    except ScaffoldError as error:
        return Status(project.name, record, newest, behind, None, conflicts, error.cause)
    return Status(project.name, record, newest, behind, differing, conflicts)


def _differing(project: Project, source: Source, record: Record, work: Path) -> list[Difference]:
    store = cache_store(work, project.form)
    template = source.at(record.version)
    with suppress(ScaffoldError):  # damaged: the other process repairs it
        if tree := kept_tree(template, project, store):
            return differences(project, store.list(tree), store)
    file = project.folder / project.answers_file
    argv = [sys.executable, "-P", "-m", "scaffold", "diff", "--json", str(file)]
    try:
        done = subprocess.run(
            argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=SECONDS, check=True
        )
    except subprocess.SubprocessError as error:
        raise ScaffoldError(
            f"the files could not be compared with {record.version}",
            "`mlops-scaffold diff` says why",
        ) from error
    return [Difference(file["path"], file["state"]) for file in json.loads(done.stdout)["files"]]
