"""A bare Git repository of ours, for trees that are rendered, compared and merged.

It reads no setting of the person, the machine or the project, so nothing of theirs can run here or
change a result. It may borrow the objects of other repositories, which it never writes to.
"""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scaffold.ground import git
from scaffold.ground.errors import ScaffoldError

ABSENT = "000000"
# Content is kept byte by byte, whatever a .gitattributes among the files asks for.
_AS_IT_IS = "* -text -ident -filter -working-tree-encoding\n"
_CONFIG = (
    ("core.autocrlf", "false"),
    ("core.safecrlf", "false"),
    ("core.fileMode", "true"),
    ("core.symlinks", "true"),
    ("core.protectNTFS", "true"),
    ("core.protectHFS", "true"),
    ("core.bare", "false"),
    ("core.quotePath", "false"),
    ("gc.auto", "0"),
    ("merge.directoryRenames", "true"),
    ("merge.renames", "true"),
    ("merge.renameLimit", "20000"),
    ("diff.renameLimit", "20000"),
)


@dataclass(frozen=True)
class Entry:
    """A file in a tree: its mode in octal, and the name of its content."""

    mode: str
    oid: str

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return self.mode == "120000"


Tree = dict[str, Entry]


@dataclass(frozen=True)
class Store:
    """The repository, and what runs in it. `config` is added to our own settings."""

    path: Path
    config: tuple[tuple[str, str], ...] = ()

    @classmethod
    def create(
        cls,
        path: Path,
        borrows: Iterable[Path] = (),
        *,
        form: str = "sha1",
        config: tuple[tuple[str, str], ...] = (),
    ) -> "Store":
        """Make the repository."""
        argv = ("init", "-q", "--bare", "--template=", f"--object-format={form}", str(path))
        git.git(*argv, env=git.environment(private=True))
        (path / "info").mkdir()
        alternates = "".join(f"{folder}\n" for folder in borrows)
        (path / "objects" / "info" / "alternates").write_text(alternates, encoding="utf-8")
        (path / "info" / "attributes").write_text(_AS_IT_IS)
        return cls(path, config)

    def run(
        self,
        *argv: str,
        stdin: str | None = None,
        index: Path | None = None,
        cwd: Path | None = None,
    ) -> str:
        """Run git in the repository."""
        env = self._environment(index)
        return git.git(f"--git-dir={self.path}", *argv, env=env, stdin=stdin, cwd=cwd or self.path)

    def raw(self, *argv: str, stdin: bytes | None = None, allowed: int = 0) -> bytes:
        """Run git in the repository; bytes in and out, exit codes up to `allowed` are good."""
        here = f"--git-dir={self.path}"
        env = self._environment(None)
        return git.raw(here, *argv, env=env, stdin=stdin, cwd=self.path, allowed=allowed)

    def add(self, folder: Path) -> str:
        """Store a folder as it is, and return its tree."""
        with tempfile.TemporaryDirectory(prefix="index-", dir=self.path) as scratch:
            index = Path(scratch, "index")
            self.run(f"--work-tree={folder}", "add", "-A", "-f", ".", index=index, cwd=folder)
            return self.run("write-tree", index=index).strip()

    def list(self, tree: str) -> Tree:
        """Return the files of a tree by path."""
        return parse_tree(self.run("ls-tree", "-r", "-z", "--full-tree", tree))

    def holds(self, tree: str) -> bool:
        """Tell whether a tree and all its files are there and readable."""
        try:
            oids = "".join(f"{entry.oid}\n" for entry in self.list(tree).values())
            said = self.run("cat-file", "--batch-check=%(objecttype)", stdin=oids)
        except git.GitError:
            return False
        return set(said.splitlines()) <= {"blob"}

    def write(self, files: Mapping[str, Entry]) -> str:
        """Store a tree of files whose content is there already."""
        lines = "".join(f"{e.mode} {e.oid}\t{path}\0" for path, e in files.items())
        with tempfile.TemporaryDirectory(prefix="index-", dir=self.path) as scratch:
            index = Path(scratch, "index")
            self.run("update-index", "-z", "--index-info", stdin=lines, index=index)
            return self.run("write-tree", index=index).strip()

    def read(self, oids: Iterable[str]) -> dict[str, bytes]:
        """Return the content of blobs by name."""
        wanted = list(dict.fromkeys(oids))
        if not wanted:
            return {}
        data = self.raw("cat-file", "--batch", stdin="".join(f"{o}\n" for o in wanted).encode())
        found = {}
        for oid, content in zip(wanted, parse_batch(data), strict=True):
            if content is None:
                raise ScaffoldError(
                    f"the repository lacks the object {oid}",
                    "look with `git fsck`; a partial clone gets it by `git fetch --refetch`",
                )
            found[oid] = content
        return found

    def blob(self, content: bytes) -> str:
        """Store some content and return its name."""
        return self.raw("hash-object", "-w", "--stdin", stdin=content).decode().strip()

    def _environment(self, index: Path | None) -> dict[str, str]:
        env = git.environment(private=True, config=[*_CONFIG, *self.config])
        return env | ({"GIT_INDEX_FILE": str(index)} if index else {})


def parse_tree(listing: str) -> Tree:
    """Read what `ls-tree -r -z` prints."""
    found = {}
    for line in filter(None, listing.split("\0")):
        facts, path = line.split("\t", 1)
        mode, _, oid = facts.split(" ")[:3]
        found[path] = Entry(mode, oid)
    return found


def parse_batch(data: bytes) -> list[bytes | None]:
    """Read what `cat-file --batch` prints; None for what is missing."""
    contents: list[bytes | None] = []
    at = 0
    while at < len(data):
        end = data.index(b"\n", at)
        if data[at:end].endswith(b" missing"):
            contents.append(None)
            at = end + 1
            continue
        size = int(data[at:end].rsplit(b" ", 1)[1])
        contents.append(data[end + 1 : end + 1 + size])
        at = end + 1 + size + 1
    return contents
