"""Checks what a template rendered before any of it is put where the person asked.

A template is data from elsewhere: it must not plant a `.git`, nor point out of its own folder.
"""

import os
import re
import unicodedata
from pathlib import Path

from scaffold.ground.errors import Exit, ScaffoldError

# Characters that macOS leaves out of a name when it looks a file up.
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


def is_git_name(name: str) -> bool:
    """Tell whether some file system takes this name for `.git`.

    Covers case, Unicode forms, the characters HFS+ ignores, NTFS short names and streams, and the
    dots and spaces that Windows cuts off at the end.
    """
    plain = _IGNORED.sub("", unicodedata.normalize("NFKC", name)).casefold()
    plain = plain.split(":", 1)[0].rstrip(". ")
    return plain == ".git" or re.fullmatch(r"git~\d+", plain) is not None


def check(root: Path) -> int:
    """Refuse a rendered tree that reaches outside itself or into `.git`; return its file count."""
    count = 0
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = Path(folder, name)
            shown = path.relative_to(root)
            if is_git_name(name) or "\\" in name:
                raise _unsafe(f"the template writes {str(shown)!r}, a name that Git reserves")
            if path.is_symlink() and not _stays_inside(path, root):
                raise _unsafe(f"the template's link {str(shown)!r} points out of the project")
            if not path.is_symlink() and not path.is_file() and not path.is_dir():
                raise _unsafe(f"the template writes {str(shown)!r}, which is no ordinary file")
        count += len(files)
    return count


def _stays_inside(link: Path, root: Path) -> bool:
    return not link.readlink().is_absolute() and link.resolve().is_relative_to(root.resolve())


def _unsafe(cause: str) -> ScaffoldError:
    return ScaffoldError(cause, "do not use this template as it is; tell its owner", Exit.UNSAFE)
