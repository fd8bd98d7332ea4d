"""Makes the place of a scenario, and takes stock of it before and after."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.scenarios.model import Edits, Place, Scenario, environment, put, version
from tests.support import commit, run, sh
from tests.warm import cli

_MINE = re.compile(rb"mine: [^\r\n]*")
_MISSING = re.compile(rb"^[0-9a-f]+ missing$", re.MULTILINE)
_QUIET = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
_OURS = ("mlops-scaffold", "index", "objects")  # what may change in a git folder


def template(folder: Path, scenario: Scenario) -> Path:
    """Make the template's repository, one commit and one tag a version."""
    for number, files in enumerate(scenario.versions, start=1):
        put(folder, version(files, base=number == 1))
        commit(folder, tag=f"v{number}.0.0")
    return folder


def build(scenario: Scenario, folder: Path) -> Place:
    """Make template and project, and do what the person did."""
    place = LAYOUTS[scenario.layout](scenario, folder, template(folder / "template", scenario))
    apply(place, scenario.edits)
    if scenario.edits and (place.repository / ".git").exists():
        place.git(*_QUIET, "add", "-A")
        place.git(*_QUIET, "commit", "-q", "--allow-empty", "-m", "What the person did")
    apply(place, scenario.dirty)
    place.witness.unlink(missing_ok=True)
    return place


def apply(place: Place, edits: Edits) -> None:
    """Do what a person did: files changed or deleted, or anything else."""
    if callable(edits):
        edits(place)
    else:
        put(place.project, edits)


def _new(scenario: Scenario, folder: Path, source: Path, project: Path, *options: str) -> Path:
    argv = (project, "--template", source, "--defaults", "--no-setup")
    done = cli("new", *argv, *options, *scenario.new, env=environment(folder))
    assert done.returncode == 0, done.stderr
    return project


def _own(scenario: Scenario, folder: Path, source: Path) -> Place:
    """The project is a repository."""
    project = _new(scenario, folder, source, folder / "churn-model")
    return Place(folder, source, project, project)


def _plain(scenario: Scenario, folder: Path, source: Path) -> Place:
    """The project is in no repository."""
    project = _new(scenario, folder, source, folder / "churn-model", "--no-git")
    return Place(folder, source, project, project)


def _unborn(scenario: Scenario, folder: Path, source: Path) -> Place:
    """The project is in a repository without a commit."""
    place = _plain(scenario, folder, source)
    sh("git", "init", "-q", place.project)
    return place


def _copied(scenario: Scenario, folder: Path, source: Path) -> Place:
    """The project was made by `copier copy`, in a repository of its own."""
    project = folder / "churn-model"
    sh("copier", "copy", "-q", "--defaults", "--vcs-ref", "v1.0.0", source, project)
    commit(project)
    return Place(folder, source, project, project)


def _subfolder(scenario: Scenario, folder: Path, source: Path) -> Place:
    """The project is a folder of a larger repository."""
    repository = folder / "company"
    put(repository, {"a.txt": "mine: another a\n", "services/other/a.txt": "mine: a third a\n"})
    project = _new(scenario, folder, source, repository / "services" / "churn-model", "--no-git")
    commit(repository)
    return Place(folder, source, project, repository)


def _worktree(scenario: Scenario, folder: Path, source: Path) -> Place:
    """The project is a linked worktree."""
    place = _own(scenario, folder, source)
    linked = folder / "linked"
    place.git("worktree", "add", "-q", "-b", "topic", linked)
    return Place(folder, source, linked, linked)


def _submodule(scenario: Scenario, folder: Path, source: Path) -> Place:
    """The project is a submodule of another repository."""
    origin = _own(scenario, folder, source)
    above = folder / "above"
    commit(above, {"README.md": "mine: above\n"})
    allow = ("-c", "protocol.file.allow=always")
    sh("git", *allow, "submodule", "--quiet", "add", origin.project, "inner", cwd=above)
    commit(above)
    return Place(folder, source, above / "inner", above / "inner")


def _shallow(scenario: Scenario, folder: Path, source: Path) -> Place:
    """The project is a clone without history."""
    origin = _own(scenario, folder, source)
    origin.git("commit", "-q", "--allow-empty", "-m", "A second commit")
    clone = folder / "clone" / "churn-model"
    sh("git", "clone", "-q", "--depth", "1", origin.project.as_uri(), clone)
    return Place(folder, source, clone, clone)


def _sha256(scenario: Scenario, folder: Path, source: Path) -> Place:
    """The project is a repository of the newer object format."""
    place = _plain(scenario, folder, source)
    sh("git", "init", "-q", "--object-format=sha256", place.project)
    commit(place.project)
    return place


LAYOUTS: dict[str, Callable[[Scenario, Path, Path], Place]] = {
    made.__name__.removeprefix("_"): made
    for made in (
        _own, _plain, _unborn, _copied, _subfolder, _worktree, _submodule, _shallow, _sha256,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Stock:
    """Everything a command could change."""

    files: dict[str, tuple[int, str]]  # all below the scenario's folder, by path: mode and content
    index: str
    status: str
    unstaged: frozenset[str]
    written: frozenset[bytes]  # lines of people in the work tree, or in conflict in the index
    staged: frozenset[bytes]  # lines of people in the rest of the index

    def lost(self, after: "Stock") -> frozenset[bytes]:
        """Return the lines of people that are no longer where they were, and missing objects."""
        missing = {line for line in after.staged | after.written if _MISSING.fullmatch(line)}
        gone = (self.written - after.written) | (self.staged - after.staged - after.written)
        return gone | (missing - self.staged)

    def outside_git(self) -> dict[str, tuple[int, str]]:
        """Return the files that belong to no git folder."""
        return {name: entry for name, entry in self.files.items() if not _in_git(name)}

    def forbidden(self, place: Place) -> dict[str, tuple[int, str]]:
        """Return the files that no update may touch: outside the project, or Git's own."""
        project = f"{place.project.relative_to(place.folder)}/"
        return {
            name: entry
            for name, entry in self.files.items()
            if ((inner := _in_git(name)) and inner.split("/")[0] not in _OURS)
            or not (inner or name.startswith(project))
        }


def _in_git(name: str) -> str:
    """Return the part of a path below its git folder; empty when it is in none."""
    inner = name.partition(".git/")[2]
    linked = re.match(r"(?:modules|worktrees)/[^/]+/(.*)", inner)
    return linked[1] if linked else inner


def take_stock(place: Place) -> Stock:
    """Look at everything, and change nothing."""
    files: dict[str, tuple[int, str]] = {}
    written: set[bytes] = set()
    for path in place.folder.rglob("*"):
        if path == place.witness:
            continue  # looked for before; git itself runs what the project configures
        shown = str(path.relative_to(place.folder))
        data = _data(path)
        files[shown] = (path.lstat().st_mode, hashlib.sha256(data).hexdigest())
        if not _in_git(shown):
            written.update(_MINE.findall(data))
    if not (place.repository / ".git").exists():
        return Stock(files, "", "", frozenset(), frozenset(written), frozenset())
    index = _ask(place, "ls-files", "-s", "-z")
    entries = [line.split() for line in index.split("\0") if line[:2] in ("10", "12")]
    written |= _lines(place, (blob for _, blob, stage, *_ in entries if stage != "0"))
    staged = frozenset(_lines(place, (blob for _, blob, stage, *_ in entries if stage == "0")))
    status = _ask(place, "status", "--porcelain", "-z", "-uall", "--ignored")
    names = _ask(place, "diff", "--name-only", "-z", "--no-ext-diff").split("\0")
    unstaged = frozenset(name for name in names if name)
    return Stock(files, index, status, unstaged, frozenset(written), staged)


def _data(path: Path) -> bytes:
    if path.is_symlink():
        return os.fsencode(path.readlink())
    return path.read_bytes() if path.is_file() else b""


def _ask(place: Place, *argv: str) -> str:
    done = run("git", *_QUIET, *argv, cwd=place.repository, env={"GIT_OPTIONAL_LOCKS": "0"})
    return done.stdout + done.stderr


def _lines(place: Place, blobs: Iterable[str]) -> set[bytes]:
    """Return the lines of people in Git objects, and a line for each that is not there."""
    names = "".join(f"{blob}\n" for blob in sorted(set(blobs)))
    done = subprocess.run(
        ["git", "cat-file", "--batch"],
        cwd=place.repository,
        input=names.encode(),
        capture_output=True,
        check=False,
    )
    return set(_MINE.findall(done.stdout)) | set(_MISSING.findall(done.stdout))


def stages(place: Place) -> dict[str, str]:
    """Return the unmerged index entries of the project: by path, the digits of their stages."""
    found: dict[str, str] = {}
    done = run("git", "ls-files", "-u", "-z", cwd=place.project)
    for line in filter(None, done.stdout.split("\0")):
        entry, _, name = line.partition("\t")
        found[name] = found.get(name, "") + entry[-1]
    return found


def copy(place: Place, name: str = "copy") -> Place:
    """Return a copy of the repository to try something else on."""
    repository = place.folder.parent / name / place.repository.name
    shutil.copytree(place.repository, repository, symlinks=True)
    project = repository / place.project.relative_to(place.repository)
    return Place(place.folder, place.template, project, repository)
