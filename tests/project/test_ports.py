"""A new project's three ports are free, and not those of a project beside it."""

import socket
from pathlib import Path

import pytest

from scaffold.project import ports
from tests.support import write


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch) -> int:
    """A range of ports that this machine's own services do not use."""
    monkeypatch.setattr(ports, "FIRST", 28001)
    monkeypatch.setattr(ports, "LAST", 28031)
    return 28001


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_a_busy_port_of_the_three_moves_all_three(tmp_path: Path, first: int, taken: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", first + taken))
        listener.listen()
        assert ports.free_base(tmp_path) == first + ports.STEP
    assert ports.free_base(tmp_path) == first


def test_a_port_on_all_interfaces_counts_as_busy(tmp_path: Path, first: int) -> None:
    with socket.socket() as listener:
        listener.bind(("", first))
        listener.listen()
        assert ports.free_base(tmp_path) == first + ports.STEP


def test_ports_of_a_stopped_project_beside_are_left_to_it(tmp_path: Path, first: int) -> None:
    write(tmp_path, {"one/.copier-answers.yml": f"_commit: v1\nport: {first - 2}\nteam: x\n"})
    write(tmp_path, {"two/.copier-answers.yml": "port: many\n", ".hidden/x": "", "three": "file"})
    assert ports.free_base(tmp_path) == first + ports.STEP


def test_when_all_are_taken_the_first_is_offered(tmp_path: Path, first: int) -> None:
    for base in range(first, first + 40, ports.STEP):
        write(tmp_path, {f"{base}/.copier-answers.yml": f"port: {base}\n"})
    assert ports.free_base(tmp_path) == first
