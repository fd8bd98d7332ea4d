"""A person at a terminal: questions are asked with good defaults, and Enter takes them."""

from pathlib import Path

import yaml

from tests.support import ROOT
from tests.terminal import CTRL_C, ENTER, Person

BACKSPACE = "\x7f"
ASKED = [
    question["help"]
    for question in yaml.safe_load((ROOT / "copier.yml").read_text()).values()
    if isinstance(question, dict) and "help" in question
]
NEW = ("--no-setup", "--ref", "HEAD")


def answers(project: Path) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load((project / ".copier-answers.yml").read_text())
    return found


def test_enter_takes_the_defaults_of_at_most_eight_questions(tmp_path: Path) -> None:
    assert len(ASKED) <= 8
    person = Person(tmp_path, "new", "churn-model", *NEW, env={})
    for question in ASKED:
        person.see(question).press(ENTER)
    person.see("make ship")
    assert person.end() == 0
    assert answers(tmp_path / "churn-model")["project_name"] == "churn-model"


def test_a_typed_answer_is_taken_and_a_bad_one_is_asked_again(tmp_path: Path) -> None:
    person = Person(tmp_path, "new", "churn", *NEW, env={})
    person.see(ASKED[0]).press("xxx!", ENTER).see("letters")
    person.press(BACKSPACE, ENTER)
    for question in ASKED[1:]:
        person.see(question).press(ENTER)
    assert person.end() == 0
    assert answers(tmp_path / "churn")["project_name"] == "churnxxx"


def test_ctrl_c_at_a_question_leaves_nothing(tmp_path: Path) -> None:
    person = Person(tmp_path, "new", "churn-model", *NEW, env={})
    person.see(ASKED[0]).press(CTRL_C)
    assert person.end() == 130, person.screen
    assert list(tmp_path.iterdir()) == []
