"""The message that the next `git commit` finds ready, in the file where Git keeps that of a merge.

Git takes it whether a merge is on or not, and removes it with the commit, a reset or a switch.
"""

from contextlib import suppress

from scaffold.ground.git import encode
from scaffold.project.project import Project

_FILE, _SQUASHED = "MERGE_MSG", "SQUASH_MSG"


def offer(project: Project, text: str) -> None:
    """Lay the message ready, unless one waits there that is not ours."""
    if any((project.git_dir / name).exists() for name in (_FILE, _SQUASHED)):
        return
    scratch = project.state / "message"
    scratch.write_bytes(encode(f"{text}\n"))
    scratch.replace(project.git_dir / _FILE)


def withdraw(project: Project, text: str) -> None:
    """Take the message away, if it is still this one."""
    file = project.git_dir / _FILE
    with suppress(FileNotFoundError):
        if file.read_bytes() == encode(f"{text}\n"):
            file.unlink()
