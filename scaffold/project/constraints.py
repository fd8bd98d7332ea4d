"""The versions that UV_CONSTRAINT allows, for the first lock of a project.

uv itself heeds that variable for `uv pip` only, and asks for constraints of a lock in the project's
own settings. `uv lock --upgrade-package` takes them without leaving a trace there.
"""

import os
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from scaffold.ground.errors import Exit, ScaffoldError

VARIABLE = "UV_CONSTRAINT"


def options() -> list[str]:
    """Return what `uv lock` is given: nothing, where the variable is not set."""
    names = os.environ.get(VARIABLE, "").split()
    allowed = [requirement for name in names for requirement in _read(Path(name))]
    return [word for requirement in allowed for word in ("--upgrade-package", requirement)]


def _read(path: Path) -> list[str]:
    """Return the requirements in a constraints file, hashes left out; uv.lock has its own."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ScaffoldError(
            f"{VARIABLE} names {path}, which cannot be read: {why}",
            f"set it to files on this machine, or unset {VARIABLE}",
            Exit.USAGE,
        ) from None
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        wanted = f" {line}".partition(" #")[0].partition(" --hash")[0].strip()
        if not wanted:
            continue
        try:
            found.append(str(Requirement(wanted)))
        except InvalidRequirement:
            raise ScaffoldError(
                f"{path}: a line is no name with versions: {wanted[:80]}",
                "write one package a line, like numpy==2.4.6",
                Exit.USAGE,
            ) from None
    return found
