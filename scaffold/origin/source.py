"""A template with its versions, wherever it lies.

What comes out is a `Template`: the files of one version, under the real URL and version that the
answers file records, never under a place on this machine.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from scaffold.ground import git
from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.origin import bundle, unreachable, versions
from scaffold.origin.extract import extracted, known

HEAD = "HEAD"
CONFIGS = ("copier.yml", "copier.yaml")


@dataclass(frozen=True)
class Template:
    """One version of a template, ready to be rendered.

    `url` and `version` are what the answers file records, `commit` is the full hash, `folder` holds
    the files; `ours` says that it is this project's own template, `trusted` that the person lets
    its Jinja extensions run. `number` is the version as PEP 440 orders it: what migrations go by.
    """

    url: str
    version: str
    commit: str
    folder: Path
    ours: bool = False
    trusted: bool = False
    number: str = "0"

    @property
    def config(self) -> str:
        """Its settings and questions, as text; nothing where it has none."""
        return next(filter(None, map(self.read, CONFIGS)), "")

    def read(self, name: str) -> str | None:
        """Return the text of a file at the template's root, or None when there is none."""
        file = self.folder / name
        return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else None


@dataclass(frozen=True)
class Source:
    """A template with all its versions.

    `address` is what git is given: a URL, or a file or folder on this machine. Of a URL nothing is
    copied before it is needed.
    """

    url: str
    address: str
    work: Path = field(repr=False)
    ours: bool = False
    folder: Path | None = None  # a repository on this machine, used in place
    shipped: bool = False  # it came with this installation
    trusted: bool = False  # the person lets its Jinja extensions run

    @cached_property
    def tags(self) -> dict[str, str]:
        """The commit of each tag."""
        if self._is_copied:
            form = "--format=%(refname:strip=2)%09%(objectname)%09%(*objectname)"
            rows = [
                row.split("\t") for row in self.run("for-each-ref", form, "refs/tags").splitlines()
            ]
            return {tag: peeled or commit for tag, commit, peeled in rows}
        try:
            lines = git.git(
                *("ls-remote", "--tags", "--", self.address),
                env=git.environment(private=self.shipped),
                seconds=git.NETWORK_SECONDS,
            ).splitlines()
        except git.GitError as error:
            raise self._unreachable(error) from error
        found: dict[str, str] = {}
        for line in lines:
            commit, _, tag = line.partition("\trefs/tags/")
            found[tag] = commit
        return {
            tag: found.get(f"{tag}^{{}}", commit)
            for tag, commit in found.items()
            if not tag.endswith("^{}")
        }

    @property
    def releases(self) -> list[str]:
        """The tags that are versions, oldest first."""
        return versions.releases(self.tags)

    @cached_property
    def repository(self) -> Path:
        """The Git repository that holds the versions, copied on first use."""
        if self.folder is not None:
            return self.folder
        copied = self.work / "template.git"
        if copied.exists():
            return copied
        try:
            git.git(
                *("clone", "-q", "--bare", "--template=", "--", self.address, str(copied)),
                env=git.environment(private=self.shipped),
                seconds=git.NETWORK_SECONDS,
            )
        except git.GitError as error:
            raise self._unreachable(error) from error
        return copied

    def run(self, *argv: str) -> str:
        """Run git in the repository, wherever it is, and no program of its settings."""
        return git.git(*argv, cwd=self.repository, env=self._environment)

    def succeeds(self, *argv: str) -> bool:
        """Tell whether git exits 0 in the repository."""
        return git.succeeds(*argv, cwd=self.repository, env=self._environment)

    @cached_property
    def _environment(self) -> dict[str, str]:
        bare = ("safe.bareRepository", "all")  # we mean this one
        found = git.settings(self.repository, env=git.environment(config=[bare]))
        return git.environment(config=[bare, *git.without_filters(found)])

    def is_moving(self, version: str) -> bool:
        """Tell whether a version is a name that moves: a branch, or a tag like v1 or stable."""
        if version in self.tags:
            if version not in versions.aliases(self.tags):
                return False
            line = versions.lines(self.tags).get(version)
            return line is None or self._follows(version, line)
        if versions.is_commit(version):
            return False
        branches = (f"refs/heads/{version}", f"refs/remotes/origin/{version}")
        return version == HEAD or any(
            self.succeeds("show-ref", "--verify", "-q", branch) for branch in branches
        )

    def _follows(self, tag: str, line: list[str]) -> bool:
        """Tell whether a tag has been moved to a version of its line, or past one.

        One that comes before all of them is a version of its own.
        """
        if any(self.tags[other] == self.tags[tag] for other in line):
            return True
        return not set(line).isdisjoint(self.run("tag", "--merged", self.tags[tag]).split())

    def holds(self, commit: str) -> bool:
        """Tell whether a commit is in the repository: one made of a work tree is not."""
        return self.succeeds("cat-file", "-e", f"{commit}^{{commit}}")

    def contains(self, commit: str, other: str) -> bool:
        """Tell whether one commit of the repository has another in its history."""
        return self.succeeds("merge-base", "--is-ancestor", other, commit)

    def newest(self) -> str:
        """Return the newest release; HEAD of a template that has none, as copier does."""
        return versions.newest(self.tags) or HEAD

    def commit(self, ref: str) -> str:
        """Return the commit of a version; refuse what is none."""
        return self.tags.get(ref) or self._known(ref) or self._resolve(ref)

    def at(self, ref: str | None) -> Template:
        """Return one version of the template; the newest for None."""
        if ref is not None and (ref.startswith("-") or not ref.strip()):
            raise ScaffoldError(f"{ref!r} is no version", "give a tag, e.g. v1.0.0", Exit.USAGE)
        ref = self.newest() if ref is None else ref
        commit = self.commit(ref)
        if ref == HEAD and self.folder is not None and self._is_dirty:
            commit = self._with_work_tree(self.folder, commit)
        folder = extracted(commit, self._objects, self.address, self.work)
        version = self.named(commit, ref)
        number = versions.number(version) or self._number(commit, version)
        return Template(self.url, version, commit, folder, self.ours, self.trusted, number)

    @property
    def _is_copied(self) -> bool:
        return self.folder is not None or (self.work / "template.git").exists()

    @property
    def _is_dirty(self) -> bool:
        if self.folder is None or not (self.folder / ".git").exists():
            return False
        return bool(self.run("status", "--porcelain").strip())

    def _known(self, ref: str) -> str | None:
        """Return the commit of a version as git describes it, if this machine has used it before.

        So a version made of a work tree, which no repository holds, is found again.
        """
        found = versions.DESCRIBED.fullmatch(ref)
        return known(found["commit"], self.work) if found else None

    def _resolve(self, ref: str) -> str:
        for name in (ref, f"refs/remotes/origin/{ref}"):
            try:
                wanted = ("rev-parse", "--verify", "-q", "--end-of-options", f"{name}^{{commit}}")
                return self.run(*wanted).strip()
            except git.GitError:
                continue
        known = ", ".join(self.releases[-5:] or sorted(self.tags)[-5:]) or "none"
        raise ScaffoldError(
            f"the template has no version {ref!r}", f"choose one of its tags: {known}", Exit.USAGE
        )

    def named(self, commit: str, ref: str) -> str:
        """Return the version to record: the tag asked for, a release of that commit, or as copier
        would, what git says of it."""
        if ref in self.tags and not self.is_moving(ref):
            return ref
        same = [tag for tag in self.releases if self.tags[tag] == commit]
        if same:
            return same[-1]
        if versions.DESCRIBED.fullmatch(ref):
            return ref
        moved = [f"--exclude={tag}" for tag in versions.aliases(self.tags) if self.is_moving(tag)]
        return self._run_at(commit, "describe", "--tags", "--always", *moved, commit)

    def _number(self, commit: str, version: str) -> str:
        """Return what copier takes for the number of a commit whose version is none: the nearest
        tag that is one and the commits since, or all commits."""
        if not self.holds(commit) and (found := versions.DESCRIBED.fullmatch(version)):
            commit = self.tags.get(found["tag"], commit)  # of a work tree that is gone
        if not self.holds(commit) and not self._scratch.exists():
            return "0"
        numbers = [tag for tag in self.tags if versions.number(tag)]
        with suppress(git.GitError):
            only = [f"--match={tag}" for tag in numbers] or ["--exclude=*"]
            described = self._run_at(commit, "describe", "--tags", "--long", *only, commit)
            return versions.number(described) or "0"
        count = self._run_at(commit, "rev-list", "--count", commit)
        return f"0.0.0.post{count}.dev0+{commit[:7]}"

    def _run_at(self, commit: str, *argv: str) -> str:
        """Run git where a commit is, which may be one of a work tree."""
        here = self.repository if self.holds(commit) else self._scratch
        return git.git(*argv, cwd=here, env=self._environment).strip()

    @property
    def _scratch(self) -> Path:
        return self.work / "work-tree.git"

    def _objects(self) -> Path:
        """Return a repository to take files from; never one whose own settings could run."""
        if self.folder is None:
            return self.repository
        if not self._scratch.exists():
            bundle.create(self.folder, self._scratch)
        return self._scratch

    def _with_work_tree(self, folder: Path, commit: str) -> str:
        """Return a commit on top of another, of the work tree as it stands, as copier makes it."""
        scratch = self._objects()
        refs = "".join(f"update refs/tags/{tag} {at}\n" for tag, at in self.tags.items())
        refs += f"update {bundle.BRANCH} {commit}\n"
        git.git(f"--git-dir={scratch}", "update-ref", "--stdin", stdin=refs)
        return bundle.add_work_tree(folder, scratch, ["."])

    def _unreachable(self, error: git.GitError) -> ScaffoldError:
        return unreachable.explained(self.url, self.address, error)
