"""Single files of a work tree: what is there, and replacing it by one rename."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from scaffold.errors import ScaffoldError
from scaffold.project import is_inside

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
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if not is_inside(folder, path) or (target.is_dir() and not target.is_symlink()):
        raise ScaffoldError(f"{path} cannot be written: something is in its way", "move it, retry")
    beside = target.parent / scratch
    beside.unlink(missing_ok=True)
    try:
        if mode == LINK:
            beside.symlink_to(os.fsdecode(content))
        else:
            beside.write_bytes(content)
            like = target if target.is_file() and not target.is_symlink() else beside
            rights = like.stat().st_mode & 0o666
            beside.chmod(rights | (rights & 0o444) >> 2 if mode & 0o111 else rights)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def remove(folder: Path, path: str) -> None:
    """Remove a file, and the folders that it leaves empty, as Git does."""
    (folder / path).unlink()
    for parent in (folder / path).parents:
        if parent == folder:
            return
        try:
            parent.rmdir()
        except OSError:
            return
