"""A project on disk: where it lies in its repository, and what Git knows of it. Reads only."""

import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scaffold.ground import git
from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.ground.store import Entry, Tree, parse_tree
from scaffold.project import record
from scaffold.project.record import Record


@dataclass(frozen=True)
class Project:
    """A project in a repository with at least one commit.

    `folder` is where it is, `shown` how the person called it, `top` the repository's root, `prefix`
    the way from there to the project (`services/churn/`, or nothing), `git_dir` the repository's
    own folder (a linked worktree has one of its own), `objects` where its objects are.
    """

    folder: Path
    shown: str
    top: Path
    prefix: str
    git_dir: Path
    objects: Path
    form: str
    head: str
    answers_file: str

    @property
    def name(self) -> str:
        """The folder's name, which the template sees."""
        return self.folder.name

    @property
    def place(self) -> str:
        """The folder in a sentence."""
        return named(self.shown)

    @property
    def words(self) -> str:
        """What a command needs to find it again, with a space before it; nothing for `.`."""
        file = f" -a {shlex.quote(self.answers_file)}" if self.answers_file != record.NAME else ""
        return f"{'' if self.shown == '.' else f' {shlex.quote(self.shown)}'}{file}"

    @property
    def state(self) -> Path:
        """Where the journal and what `undo` needs are kept."""
        return self.git_dir / "mlops-scaffold"

    def git(self, *argv: str, stdin: str | None = None) -> str:
        """Run git in the repository's root, with the person's settings and nobody's programs."""
        return git.git(*argv, cwd=self.top, stdin=stdin, env=self.environment)

    @cached_property
    def environment(self) -> dict[str, str]:
        """What git runs in: every filter's program is taken away, which Git runs unexpectedly."""
        return git.environment(config=git.without_filters(self.settings))

    @cached_property
    def committed_tree(self) -> str:
        """The tree of the last commit that is this project; an empty one if it is not there."""
        try:
            return self.git("rev-parse", f"{self.head}:{self.prefix.rstrip('/')}").strip()
        except git.GitError:
            return self.git("hash-object", "-t", "tree", "--stdin", stdin="").strip()

    @cached_property
    def committed(self) -> Tree:
        """The files of the last commit, by path in the project."""
        return parse_tree(self.git("ls-tree", "-r", "-z", "--full-tree", self.committed_tree))

    def index(self, prefix: str | None = None) -> dict[str, dict[int, Entry]]:
        """Return what is staged, by path and stage: in the project, or in another folder of it."""
        inside = self.prefix if prefix is None else prefix
        found: dict[str, dict[int, Entry]] = {}
        listing = ("--literal-pathspecs", "ls-files", "-s", "-z", "--", inside or ".")
        for line in filter(None, git.git(*listing, cwd=self.top).split("\0")):
            facts, path = line.split("\t", 1)
            mode, oid, stage = facts.split(" ")
            found.setdefault(path.removeprefix(inside), {})[int(stage)] = Entry(mode, oid)
        return found

    def attributes(self, paths: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return what .gitattributes says of paths, as far as it concerns an update."""
        names = ("filter", "working-tree-encoding", "ident", "text", "eol", "merge")
        stdin = "".join(f"{self.prefix}{path}\0" for path in paths)
        if not stdin:
            return {}
        fields = self.git("check-attr", "-z", "--stdin", *names, stdin=stdin).split("\0")
        found: dict[str, dict[str, str]] = {}
        for path, name, value in zip(fields[0::3], fields[1::3], fields[2::3], strict=False):
            if value != "unspecified":
                found.setdefault(path.removeprefix(self.prefix), {})[name] = value
        return found

    def hashes(self, paths: Iterable[str]) -> Tree:
        """Return what Git would store of the files in the work tree; nothing for what is not there.

        Only for paths without a filter: those would run a program.
        """
        found: Tree = {}
        plain = []
        for path in paths:
            file = self.folder / path
            if not is_inside(self.folder, path):
                continue
            if file.is_symlink():
                target = os.fsencode(file.readlink())
                said = git.raw("hash-object", "--stdin", stdin=target, cwd=self.top)
                found[path] = Entry("120000", said.decode().strip())
            elif file.is_file():
                plain.append(path)
        if not plain:
            return found
        # Git reads a line that begins with a quote as quoted.
        easy = [p for p in plain if "\n" not in p and not f"{self.prefix}{p}".startswith('"')]
        oids = self.git(
            "hash-object", "--stdin-paths", stdin="".join(f"{self.prefix}{p}\n" for p in easy)
        ).split()
        others = [path for path in plain if path not in set(easy)]
        for path in others:
            oids.append(self.git("hash-object", "--", f"{self.prefix}{path}").strip())
        ordered = easy + others
        for path, oid in zip(ordered, oids, strict=True):
            runs = (self.folder / path).stat().st_mode & 0o100
            found[path] = Entry("100755" if runs else "100644", oid)
        return found

    @cached_property
    def settings(self) -> dict[str, str]:
        """The Git settings that hold here: the person's, the machine's and the repository's."""
        return git.settings(self.top)

    def setting(self, name: str) -> str:
        """Return a Git setting, or nothing."""
        return self.settings.get(name.lower(), "")

    def recorded(self) -> Record:
        """Return what the answers file in the work tree says."""
        file = self.folder / self.answers_file
        if not is_inside(self.folder, self.answers_file) and file.exists():
            raise ScaffoldError(
                f"the answers file {self.answers_file} lies behind a link, and could be anything",
                "put the folder itself in its place",
                Exit.UNSAFE,
            )
        return record.parse(record.read(file), Path(self.shown, self.answers_file))


def find_project(path: Path, named: str | None = None, *, answers: bool = True) -> Project:
    """Find the project and its repository, or say what is missing.

    Args:
        path: the project's folder, or its answers file.
        named: the answers file's path in the folder, where it is not the usual one.
        answers: it must have an answers file.

    """
    found, answers_file = record.locate(path, named, exists=answers)
    folder, shown = Path(os.path.realpath(found)), str(found)
    if "\n" in str(folder):
        raise ScaffoldError(f"{shown!r} has a line break in its name", "rename the folder")
    wanted = ("--show-toplevel", "--absolute-git-dir", "--show-object-format", "--show-prefix")
    try:
        said = git.git("rev-parse", *wanted, "--git-path", "objects", "HEAD^{commit}", cwd=folder)
    except git.GitError as error:
        raise _explained(folder, shown, error) from error
    top, git_dir, form, prefix, objects, head = said.rstrip("\n").split("\n")
    return Project(
        folder=folder,
        shown=shown,
        top=Path(top),
        prefix=prefix,
        git_dir=Path(git_dir),
        objects=(folder / objects).resolve(),
        form=form,
        head=head,
        answers_file=answers_file,
    )


def _explained(folder: Path, shown: str, error: git.GitError) -> ScaffoldError:
    if "HEAD^{commit}" in error.stderr:
        return ScaffoldError(
            f"the repository of {named(shown)} has no commit yet, so nothing could be brought back",
            "commit what you have: `git add -A && git commit`",
        )
    if "dubious ownership" in error.stderr:
        return ScaffoldError(
            f"{named(shown)} belongs to somebody else, so Git does not work in it",
            f"if you trust it: `git config --global --add safe.directory {folder}`",
            Exit.UNSAFE,
        )
    if "this operation must be run in a work tree" in error.stderr:
        return ScaffoldError(f"{named(shown)} is in a bare repository", "work in a clone of it")
    return ScaffoldError(
        f"{named(shown)} is in no Git repository, so no change could be taken back",
        "make it one: `git init && git add -A && git commit`",
    )


def named(shown: str) -> str:
    """Return a folder as a sentence calls it."""
    return "this folder" if shown == "." else shown


def is_inside(folder: Path, path: str) -> bool:
    """Tell whether a path leads only through ordinary folders below this one."""
    at = folder
    for part in Path(path).parts[:-1]:
        at = at / part
        if at.is_symlink() or not at.is_dir():
            return False
    return True
