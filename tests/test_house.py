"""The rooms of `scaffold/`: each imports only from rooms on a floor below its own."""

import ast
from pathlib import Path

import pytest

from tests.support import ROOT

# From the ground up; rooms on one floor do not know each other.
FLOORS = (
    {"ground"},
    {"project"},
    {"origin", "placing"},
    {"merging"},
    {"checks"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(path for path in (ROOT / "scaffold").rglob("*.py") if path.name != "__init__.py")


def room_of(module: str) -> str:
    """The room that a dotted name of ours lies in."""
    return [*module.split("."), ""][1]


def imported(path: Path) -> set[str]:
    """Every module of ours that a file names in an import, wherever in the file that stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the room"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == "scaffold"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_knows_only_the_rooms_below(path: Path) -> None:
    here = path.relative_to(ROOT / "scaffold").with_suffix("").parts[0]
    assert here in FLOOR, f"{path} lies in no room"
    for name in imported(path):
        there = room_of(name)
        assert there == here or FLOOR[there] < FLOOR[here], f"{here} knows {name}"


def test_every_room_has_a_sign_that_says_what_it_must_not_know() -> None:
    for room in ("ground", "project", "origin", "placing", "merging"):
        sign = ast.get_docstring(ast.parse((ROOT / f"scaffold/{room}/__init__.py").read_text()))
        assert sign is not None
        assert "Knows" in sign, room
