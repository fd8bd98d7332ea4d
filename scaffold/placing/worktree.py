"""Single files of a work tree: what is there, and replacing it by one rename."""

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scaffold.ground.errors import ScaffoldError
from scaffold.project.project import is_inside

LINK = 0o120000


@dataclass(frozen=True)
class Side:
    """A file in the work tree at one time: `mode` as Git writes it, and a hash of its content."""

    mode: int
    sha256: str


def made(mode: str, content: bytes) -> Side:
    """Return what a file of this mode, in octal, and content will be."""
    return Side(int(mode, 8), digest(content))


def side(folder: Path, path: str) -> Side | None:
    """Return what is at a path now; None if there is nothing, or nothing reached without a link."""
    file = folder / path
    if not is_inside(folder, path) or not (file.is_symlink() or file.is_file()):
        return None
    if file.is_symlink():
        return Side(LINK, digest(read(file)))
    return Side(0o100755 if file.stat().st_mode & 0o100 else 0o100644, digest(read(file)))


def read(file: Path) -> bytes:
    """Return the content of a file, or where a link points."""
    return os.fsencode(file.readlink()) if file.is_symlink() else file.read_bytes()


def digest(content: bytes) -> str:
    """Return the SHA-256 of some content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def place(folder: Path, path: str, mode: int, content: bytes, scratch: str) -> None:
    """Replace one file by one rename.

    Args:
        folder: the root; the path must lead only through ordinary folders below it.
        path: where the file goes.
        mode: as Git writes it.
        content: of the file, or where the link points.
        scratch: name of a file beside the target that a killed process may leave, and the next
            one writes over.

    """
    target, made = folder / path, list[Path]()
    beside = target.parent / scratch
    try:
        _make_way(folder, path, made)
        try:
            beside.unlink(missing_ok=True)
            _write(beside, mode, content, like=target)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except BaseException:
        for parent in reversed(made):
            with suppress(OSError):
                parent.rmdir()
        raise


def remove(folder: Path, path: str) -> None:
    """Remove a file, and the folders that it leaves empty, as Git does."""
    (folder / path).unlink()
    prune(folder, path)


def prune(folder: Path, path: str) -> None:
    """Remove the folders on the way to a file that is gone, as far as they are empty."""
    at, folders = folder, []
    for part in Path(path).parts[:-1]:
        at = at / part
        if at.is_symlink() or not at.is_dir():
            break
        folders.append(at)
    for at in reversed(folders):
        try:
            at.rmdir()
        except OSError:
            return


def tidy(folder: Path, path: str, scratch: str) -> None:
    """Remove the file beside a path that a killed process may have left."""
    if is_inside(folder, path):
        (folder / path).with_name(scratch).unlink(missing_ok=True)


def _make_way(folder: Path, path: str, made: list[Path]) -> None:
    """Make the folders that lead to a file, noting them; never through a link."""
    at = folder
    for part in Path(path).parts[:-1]:
        at = at / part
        if at.is_symlink() or (at.exists() and not at.is_dir()):
            raise _blocked(path)
        if not at.exists():
            at.mkdir(parents=True)
            made.append(at)
    target = folder / path
    if target.is_dir() and not target.is_symlink():
        raise _blocked(path)


def _write(file: Path, mode: int, content: bytes, like: Path) -> None:
    """Write a file or a link, with the rights of another as far as Git has no say in them."""
    if mode == LINK:
        file.symlink_to(os.fsdecode(content))
        return
    file.write_bytes(content)
    model = like if like.is_file() and not like.is_symlink() else file
    rights = model.stat().st_mode & 0o666
    file.chmod(rights | (rights & 0o444) >> 2 if mode & 0o111 else rights)


def _blocked(path: str) -> ScaffoldError:
    return ScaffoldError(f"{path} cannot be written: something is in its way", "move it, retry")
