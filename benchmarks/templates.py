"""One template of any size in two versions, for copier and for cookiecutter, and projects of it.

Both tools get the same files. From the first version to the second a fifth of the files changes,
one file goes and one comes. The person changed other lines of half of those files; in a conflict,
in one of them also the line that the template changes.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.programs import timed
from tests.support import ANSWERS_FILE, commit

LINES = 60
CHANGED = 5  # the template changes each fifth file, the person edits each tenth
OLD, NEW = "v1.0.0", "v2.0.0"
FIRST = "src/part00/file000.py"  # both sides change it
THEIRS, MINE, CLASH = "theirs = 2", "mine = 1", "mine = 3"
_THEIR_LINE, _MY_LINE, _NAME_LINE = 50, 5, 10
_COPIER = {"copier.yml": "project_name:\n  type: str\n  default: '{{ _folder_name }}'\n"}
_COOKIECUTTER = {"cookiecutter.json": '{"project_name": "churn-model"}\n'}


def copier_template(folder: Path, files: int) -> Path:
    """Make a copier template with two tagged versions; a third of its files has a variable."""

    def named(number: int) -> str:
        return f"{_path(number)}{'' if number % 3 else '.jinja'}"

    for version in (OLD, NEW):
        _clear(folder)
        made = {named(n): _text(n, version, "{{ project_name }}") for n in _numbers(files, version)}
        commit(folder, _COPIER | ANSWERS_FILE | made, tag=version)
    return folder


def cookiecutter_template(folder: Path, files: int) -> Path:
    """Make a cookiecutter template with the same files; HEAD is the second version."""
    name = "{{ cookiecutter.project_name }}"
    for version in (OLD, NEW):
        _clear(folder)
        made = {
            f"{{{{cookiecutter.project_name}}}}/{_path(n)}": _text(n, version, name)
            for n in _numbers(files, version)
        }
        commit(folder, _COOKIECUTTER | made, tag=version)
    return folder


def edit(project: Path, files: int, *, clashing: bool = False) -> None:
    """Do in a project what a person did, and commit everything."""
    for number in range(0, files - 2, 2 * CHANGED):
        path = project / _path(number)
        lines = path.read_text("utf-8").splitlines()
        lines[_MY_LINE] = MINE
        if clashing and number == 0:
            lines[_THEIR_LINE] = CLASH
        path.write_text("\n".join(lines) + "\n", "utf-8")
    commit(project, {"notes.md": "My own file.\n"})


def _clear(folder: Path) -> None:
    """Remove the files of the version before."""
    for path in [*folder.rglob("*")]:
        if path.is_file() and ".git" not in path.relative_to(folder).parts:
            path.unlink()


def _numbers(files: int, version: str) -> list[int]:
    """Which files a version has; with the answers file they are as many as wanted.

    The second version has one more at the end and lacks number 1.
    """
    return [*range(files - 1)] if version == OLD else [n for n in range(files) if n != 1]


def _path(number: int) -> str:
    return f"src/part{number // 10:02}/file{number:03}.py"


def _text(number: int, version: str, name: str) -> str:
    lines = [f"value_{line} = {number * line}" for line in range(LINES)]
    if number % 3 == 0:
        lines[_NAME_LINE] = f'project = "{name}"'
    if number % CHANGED == 0 and version == NEW:
        lines[_THEIR_LINE] = THEIRS
    return "\n".join(lines) + "\n"


def refresh(project: Path) -> None:
    """Let Git look at the files of a fresh copy once, so that it need not while it is measured."""
    timed(["git", "status", "--porcelain"], project)
