"""A person at a terminal: questions are asked with good defaults, and Enter takes them."""

import os
import pty
import select
import sys
import time
from pathlib import Path

import yaml

from tests.support import clean_environment


def type_at(folder: Path, *argv: str, keys: list[str]) -> tuple[int, str]:
    """Run the command at a terminal, press the keys one by one; its exit code and its screen."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        command = [sys.executable, "-m", "scaffold", *argv]
        os.execve(sys.executable, command, clean_environment() | {"TERM": "xterm"})
    screen, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 0.3)
        if not ready:
            if keys and b"?" in screen:
                os.write(terminal, keys.pop(0).encode())
            continue
        try:
            seen = os.read(terminal, 4096)
        except OSError:  # Linux says so when the other end has closed
            break
        if not seen:
            break
        screen += seen
        if b"\x1b[6n" in seen:  # it asks where the cursor is
            os.write(terminal, b"\x1b[1;1R")
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), screen.decode("utf-8", "replace")


def test_enter_takes_the_defaults_of_at_most_eight_questions(tmp_path: Path) -> None:
    code, screen = type_at(tmp_path, "new", "churn-model", "--no-setup", keys=["\r"] * 8)
    assert code == 0, screen
    answers = yaml.safe_load((tmp_path / "churn-model" / ".copier-answers.yml").read_text())
    assert answers["project_name"] == "churn-model"
    assert "make ship" in screen


def test_a_typed_answer_is_taken_and_a_bad_one_is_asked_again(tmp_path: Path) -> None:
    keys = ["xxx!\r", "\x7f", "\r", "\r", "\r", "\r", "\r"]  # the first Enter is refused
    code, screen = type_at(tmp_path, "new", "churn", "--no-setup", keys=keys)
    assert code == 0, screen
    answers = yaml.safe_load((tmp_path / "churn" / ".copier-answers.yml").read_text())
    assert answers["project_name"] == "churnxxx"


def test_ctrl_c_at_a_question_leaves_nothing(tmp_path: Path) -> None:
    code, screen = type_at(tmp_path, "new", "churn-model", "--no-setup", keys=["\x03"])
    assert code == 130, screen
    assert list(tmp_path.iterdir()) == []
