"""Makes a small Git history of the template's versions from this repository's own history.

A release is a commit that changed `version` in pyproject.toml to a final one; it becomes one commit
here, with only what a template needs, tagged `v<version>`. The same history in gives the same bytes
out. This module needs the standard library and git, nothing else: the build imports it.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scaffold.ground import git
from scaffold.ground.errors import ScaffoldError
from scaffold.ground.store import parse_batch

NAME = "template.bundle"
CONTENTS = ("copier.yml", "template", "CHANGELOG.md", "LICENSE")
BRANCH = "refs/heads/main"
WHO = "mlops-scaffold <mlops-scaffold@users.noreply.github.com>"
EPOCH = "0 +0000"
FINAL = re.compile(r"\d+(\.\d+)*(\.post\d+)?")


@dataclass(frozen=True)
class Release:
    """One version of the template: the commit that released it, and when (`seconds +zone`)."""

    commit: str
    version: str
    date: str

    @property
    def tag(self) -> str:
        """The name under which the version is asked for."""
        return f"v{self.version}"


def write(checkout: Path, file: Path, work: Path) -> None:
    """Write the bundle of the checkout's released versions, using `work` for scratch."""
    repository = work / "history.git"
    build_history(checkout, repository)
    env = git.environment(private=True, config=[("pack.threads", "1")])
    here = f"--git-dir={repository}"
    # Packed from scratch, so that the bytes do not depend on how the checkout is packed.
    git.git(here, "repack", "-a", "-d", "-F", "-q", env=env)
    git.git(here, "bundle", "create", "-q", str(file), "HEAD", "--branches", "--tags", env=env)


def build_history(checkout: Path, repository: Path) -> list[Release]:
    """Create a bare repository that holds one tagged commit a release, and return the releases.

    Before the first release there is one version: what HEAD holds, as pyproject.toml names it.
    """
    if git.git("rev-parse", "--is-shallow-repository", cwd=checkout).strip() == "true":
        raise ScaffoldError(
            f"{checkout} is a shallow clone: the template's earlier versions are not in it",
            "run `git fetch --unshallow --tags` there first",
        )
    history = _versions(checkout)
    releases = _finals(history) or history[-1:]
    if not releases:
        raise ScaffoldError(
            f"{checkout} has no commit yet, so the template has no version",
            "commit first, or use the work tree as it stands with `--ref HEAD`",
        )
    create(checkout, repository)
    contents = _contents(checkout, releases)
    stream = "".join(
        _commit(release, mark, contents[release.commit])
        for mark, release in enumerate(releases, start=1)
    )
    git.git(f"--git-dir={repository}", "fast-import", "--quiet", stdin=stream, env=_private())
    return releases


def create(checkout: Path, repository: Path) -> None:
    """Create an empty bare repository that borrows the checkout's objects."""
    git.git("init", "-q", "--bare", "--template=", str(repository), env=_private())
    git.git(f"--git-dir={repository}", "symbolic-ref", "HEAD", BRANCH, env=_private())
    bare = git.environment(config=[("safe.bareRepository", "all")])  # we mean this one
    objects = git.git("rev-parse", "--git-path", "objects", cwd=checkout, env=bare).strip()
    alternates = repository / "objects" / "info" / "alternates"
    alternates.parent.mkdir(exist_ok=True)
    alternates.write_text(f"{(checkout / objects).resolve()}\n")


def add_work_tree(checkout: Path, repository: Path, names: Sequence[str] = CONTENTS) -> str:
    """Add the work tree as it stands, uncommitted changes included, as a commit on top.

    It carries no tag, so that git describes it by the version it comes after. Returns the commit.
    """
    here = f"--git-dir={repository}"
    env = git.environment(private=True, config=[("core.bare", "false")])
    env["GIT_INDEX_FILE"] = str(repository / "index")
    present = [name for name in names if (checkout / name).exists()]
    git.git(here, f"--work-tree={checkout}", "add", "-A", "--", *present, env=env, cwd=checkout)
    tree = git.git(here, "write-tree", env=env).strip()
    if not git.succeeds(here, "rev-parse", "--verify", "-q", BRANCH, env=env):
        root = Release("", "0.0.0", EPOCH)
        git.git(here, "fast-import", "--quiet", stdin=_commit(root, 1, []), env=env)
    stream = (
        f"commit {BRANCH}\nmark :1\ncommitter {WHO} {EPOCH}\ndata 9\nWork tree\n"
        f'from {BRANCH}^0\nM 040000 {tree} ""\n\n'
    )
    git.git(here, "fast-import", "--quiet", stdin=stream, env=env)
    return git.git(here, "rev-parse", BRANCH, env=env).strip()


def _private() -> dict[str, str]:
    return git.environment(private=True)


def _versions(checkout: Path) -> list[Release]:
    """Return the first-parent commits that touched pyproject.toml, oldest first, then HEAD."""
    if not git.succeeds("rev-parse", "--verify", "-q", "HEAD^{commit}", cwd=checkout):
        return []
    form = "--format=%H %cd"
    log = ("log", "--first-parent", "--reverse", "--date=raw", form)
    lines = git.git(*log, "--", "pyproject.toml", cwd=checkout).splitlines()
    lines += git.git("log", "-1", "--date=raw", form, cwd=checkout).splitlines()
    entries = [tuple(line.split(" ", 1)) for line in lines]
    names = "".join(f"{commit}:pyproject.toml\n" for commit, _ in entries)
    texts = parse_batch(git.raw("cat-file", "--batch", stdin=names.encode(), cwd=checkout))
    return [
        Release(commit, _version(text), date)
        for (commit, date), text in zip(entries, texts, strict=True)
    ]


def _version(pyproject: bytes | None) -> str:
    try:
        return str(tomllib.loads((pyproject or b"").decode())["project"]["version"])
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError):
        return "0.0.0.dev0"  # a commit without a readable version releases nothing


def _finals(history: list[Release]) -> list[Release]:
    """Keep the commits that changed the version to a final one, each version once."""
    seen: dict[str, Release] = {}
    before = ""
    for release in history:
        if release.version != before and FINAL.fullmatch(release.version):
            seen.setdefault(release.version, release)
        before = release.version
    return list(seen.values())


def _contents(checkout: Path, releases: list[Release]) -> dict[str, list[str]]:
    """Return, by commit, the fast-import lines that place the template's files."""
    return {
        release.commit: [
            f"M {mode.zfill(6)} {sha} {path}"
            for mode, _, sha, path in (
                line.split(None, 3)
                for line in git.git(
                    "ls-tree", release.commit, "--", *CONTENTS, cwd=checkout
                ).splitlines()
            )
        ]
        for release in releases
    }


def _commit(release: Release, mark: int, contents: list[str]) -> str:
    """Return the fast-import commands for one version: the whole tree, and its tag."""
    message = f"Release {release.version}\n"
    parent = f"from :{mark - 1}\n" if mark > 1 else ""
    return (
        f"commit {BRANCH}\nmark :{mark}\ncommitter {WHO} {release.date}\n"
        f"data {len(message)}\n{message}{parent}deleteall\n"
        + "".join(f"{line}\n" for line in contents)
        + f"\nreset refs/tags/{release.tag}\nfrom :{mark}\n\n"
    )
