"""Takes the files of one commit of a template out of Git, once a machine, into the cache."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from scaffold.ground import cache, git

_PART = "templates"


def extracted(commit: str, repository: Callable[[], Path], address: str, work: Path) -> Path:
    """Return the folder with the files of a commit.

    Args:
        commit: its full hash; the cache knows it by that.
        repository: where to take it from, called only when the cache has not got it.
        address: what submodules with a relative address are relative to.
        work: a scratch folder, used where there is no cache.

    """
    place = cache.folder(_PART, work)
    entry = place / commit
    if not entry.is_dir():
        made = Path(tempfile.mkdtemp(prefix="making-", dir=place))
        made.chmod(0o755)
        try:
            _extract(commit, repository(), address, made)
            cache.put(made, entry)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    cache.touch(entry)
    return entry


def known(short: str, work: Path) -> str | None:
    """Return the full hash of an extracted commit, from the beginning of it."""
    found = [entry.name for entry in cache.folder(_PART, work).glob(f"{short}*")]
    return found[0] if len(found) == 1 else None


def _extract(commit: str, repository: Path, address: str, folder: Path) -> None:
    """Check the files out, in the way that a clone made by this person would.

    The repository must be one that we made: the settings of a foreign one could run programs.
    """
    with tempfile.TemporaryDirectory(prefix="index-", dir=folder.parent) as scratch:
        env = git.environment(config=[("core.bare", "false")])
        env["GIT_INDEX_FILE"] = str(Path(scratch, "index"))
        here = (f"--git-dir={repository}", f"--work-tree={folder}")
        git.git(*here, "read-tree", "--reset", "-u", commit, env=env, cwd=folder)
    if (folder / ".gitmodules").is_file():
        _clone(commit, repository, address, folder)


def _clone(commit: str, repository: Path, address: str, folder: Path) -> None:
    """Replace the files by a clone's with its submodules."""
    shutil.rmtree(folder)
    git.git("clone", "-q", "--no-checkout", "--template=", "--", str(repository), str(folder))
    git.git("remote", "set-url", "origin", address, cwd=folder)
    git.git("checkout", "-q", "--detach", commit, cwd=folder)
    update = ("submodule", "-q", "update", "--checkout", "--init", "--recursive", "--force")
    git.git(*update, cwd=folder, seconds=git.NETWORK_SECONDS)
    for inside in [*folder.rglob(".git")]:
        shutil.rmtree(inside) if inside.is_dir() else inside.unlink()
