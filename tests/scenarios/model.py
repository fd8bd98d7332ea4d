"""What a scenario is, and the few words in which the table is written.

Lines that a person wrote begin with `mine: `, lines that come with a newer template with
`theirs: `. No `mine: ` line may ever be lost, whatever else a scenario expects.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import ANSWERS_FILE, IDENTITY, Done, sh
from tests.warm import cli

ANSWERS = ".copier-answers.yml"
QUESTIONS = "size:\n  type: int\n  default: 3\n"


@dataclass(frozen=True)
class Link:
    """A symbolic link, in a tree of files."""

    target: str


@dataclass(frozen=True)
class Exec:
    """A text file with the executable bit, in a tree of files."""

    text: str


Content = str | bytes | Link | Exec | None
Files = Mapping[str, Content]


def nine(lines: Mapping[int, str] | None = None) -> str:
    """Return a file of nine lines as the first template version has it, but for these."""
    return "".join(f"{(lines or {}).get(n, f'line {n} of nine')}\n" for n in range(1, 10))


MINE, THEIRS = {1: "mine: at the top"}, {9: "theirs: at the end"}
CLASH, OTHER_CLASH = {5: "mine: in the middle"}, {5: "theirs: in the middle"}


def marked(mine: str, theirs: str, version: str = "v2.0.0") -> str:
    """Return a conflict as the person finds it in a file."""
    return f"<<<<<<< project\n{mine}=======\n{theirs}>>>>>>> template-{version}\n"


CLASHED = nine().replace("line 5 of nine\n", marked(f"{CLASH[5]}\n", f"{OTHER_CLASH[5]}\n"))


def put(folder: Path, files: Files) -> None:
    """Write a tree of files of any kind; None deletes one."""
    for name, content in files.items():
        path = folder / name
        if path.is_symlink() or path.is_file():
            path.unlink()
        if content is None:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            path.symlink_to(content.target)
            continue
        data = content.text if isinstance(content, Exec) else content
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        path.chmod(0o755 if isinstance(content, Exec) else 0o644)


def content(path: Path) -> Content:
    """Return what lies at a path, in the words of `Files`; a folder is told by its slash."""
    if path.is_symlink():
        return Link(str(path.readlink()))
    if path.is_dir():
        return "/"
    if not path.exists():
        return None
    data = path.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    return Exec(text) if os.access(path, os.X_OK) and path.stat().st_mode & 0o100 else text


def environment(folder: Path) -> dict[str, str]:
    """Return what programs are told: who commits, and a cache of the scenario's own."""
    return IDENTITY | {"MLOPS_SCAFFOLD_CACHE": str(folder.parent / "cache")}


@dataclass(frozen=True)
class Place:
    """Where a scenario happens. `project` lies in `repository`, and often is it."""

    folder: Path
    template: Path
    project: Path
    repository: Path

    @property
    def witness(self) -> Path:
        """A file that exists once somebody's code ran that must not run."""
        return self.folder / "witness"

    def git(self, *argv: str | Path, cwd: Path | None = None) -> str:
        """Run git in the repository, as the person does."""
        return sh("git", *argv, cwd=cwd or self.repository, env=IDENTITY)

    def cli(self, *argv: str | Path, cwd: Path | None = None) -> Done:
        """Run `mlops-scaffold`."""
        return cli(*argv, cwd=cwd, env=environment(self.folder))

    def mv(self, old: str, new: str) -> None:
        """Rename or move a file or a folder of the project."""
        (self.project / new).parent.mkdir(parents=True, exist_ok=True)
        self.git("mv", old, new, cwd=self.project)

    def commit(self, files: Files | None = None, *argv: str) -> None:
        """Commit the whole repository after changing files of the project."""
        put(self.project, files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "Change", *argv)

    def config(self, **settings: str) -> None:
        """Set git settings of the repository; `__` stands for a dot."""
        for name, value in settings.items():
            self.git("config", name.replace("__", "."), value)

    def read(self, name: str) -> Content:
        """Return what a file of the project is now."""
        return content(self.project / name)


Edits = Files | Callable[[Place], None]
After = Callable[[Place, Done], None]


@dataclass(frozen=True)
class Scenario:
    """One row: templates, a project, what the person did, what is typed, and what comes of it.

    Expectations name files of the project. With `code` 1, 2 or 4, with `--dry-run`, and with
    `same`, nothing at all may have changed; else `stages` are all of the unmerged entries.
    """

    name: str
    versions: tuple[Files, ...]  # v1.0.0, v2.0.0 ...: what each changes in the one before
    edits: Edits = field(default_factory=dict)  # the person's, committed
    dirty: Edits = field(default_factory=dict)  # the person's, after the last commit
    args: tuple[str, ...] = ()
    layout: str = "own"
    new: tuple[str, ...] = ("--ref", "v1.0.0")
    code: int = 0
    same: bool = False
    then: Files = field(default_factory=dict)
    stages: Mapping[str, str] = field(default_factory=dict)
    plan: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, tuple[str, object, object]] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    json: bool = True
    after: Iterable[After] = ()

    @property
    def unchanged(self) -> bool:
        """Whether the project must be byte for byte as before."""
        return self.same or self.code in (1, 2, 4) or "--dry-run" in self.args


def version(files: Files, *, base: bool = False) -> Files:
    """Return a version's files; the first has questions and an answers file unless it says so."""
    return {"copier.yml": QUESTIONS, **ANSWERS_FILE, **files} if base else files
