"""What a person at a terminal sees of a change before it is made, and what may be chosen."""

import re
from pathlib import Path

import pytest

from tests.commands.test_update_terminal import ASKED, editor, new, unmerged
from tests.kills import look
from tests.support import ANSWERS_FILE, commit, template
from tests.terminal import CTRL_C, DOWN, ENTER, Person

LINES = [f"line {number}\n" for number in range(1, 31)]
IMAGE = b"\x89PNG\0 "
DIFF = ("d", ENTER)


def lines(**changed: str) -> str:
    """Thirty lines, of which some say something else: `line_7="mine"`."""
    new = {int(name.split("_")[1]) - 1: f"{text}\n" for name, text in changed.items()}
    return "".join(new.get(at, line) for at, line in enumerate(LINES))


@pytest.fixture
def project(tmp_path: Path, env: dict[str, str]) -> Path:
    """Clashes with its template in two places of a text, and in an image."""
    files = {"copier.yml": "size: 3\n", **ANSWERS_FILE, "a.txt": lines()}
    source = tmp_path / "template"
    source.mkdir()
    (source / "logo.png").write_bytes(IMAGE)
    template(source, files)
    (source / "logo.png").write_bytes(IMAGE + b"theirs")
    changed = {"a.txt": "# new\n" + lines(line_5="theirs: 5", line_25="theirs: 25")}
    commit(source, changed, tag="v2.0.0")
    project = new(source, tmp_path / "churn-model", env)
    commit(project, {"a.txt": lines(line_5="mine: 5", line_25="mine: 25\nmine: more")})
    return project


def clash_in_image(project: Path) -> None:
    (project / "logo.png").write_bytes(IMAGE + b"mine")
    commit(project)


def offered(person: Person) -> list[str]:
    """The choices of the last question."""
    last = person.press().screen.rpartition(ASKED)[2]
    found = [line.strip(" »\r\b") for line in last.splitlines()[1:]]
    return list(dict.fromkeys(filter(None, found)))


def test_the_diff_is_shown_as_often_as_wanted_before_the_answer(
    project: Path, env: dict[str, str]
) -> None:
    before = look(project)
    person = Person(project, "update", env=env | {"PAGER": "cat", "NO_COLOR": "1"}, size=(50, 30))
    for _ in range(2):
        person.see("Apply?").press(*DIFF).see("+# new").see("+theirs: 25")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", person.raw)
    assert look(project) == before
    person.see("Apply?").press("what", ENTER).see("y, n, or d").press(CTRL_C)
    assert person.see("interrupted").end() == 130
    assert look(project) == before


@pytest.mark.parametrize("ctrl_c", [True, False])
def test_a_long_diff_goes_through_the_pager_and_ctrl_c_there_is_the_pagers(
    project: Path, tmp_path: Path, env: dict[str, str], ctrl_c: bool
) -> None:
    script = "import time\ntext = sys.stdin.buffer.read()\nprint('paged', len(text), flush=True)\n"
    script += "time.sleep(60)" if ctrl_c else ""
    pager = {"PAGER": editor(tmp_path, script)["EDITOR"]}
    person = Person(project, "update", env=env | pager, size=(10, 80))
    person.see("Apply?").press(*DIFF).see("paged").press(*[CTRL_C] * ctrl_c)
    assert person.see("Apply?").press("n", ENTER).see("nothing was changed").end() == 0
    assert "+theirs: 25" not in person.screen


def test_without_its_pager_the_diff_is_printed(project: Path, env: dict[str, str]) -> None:
    person = Person(project, "update", env=env | {"PAGER": "/no/such"}, size=(10, 80))
    person.see("Apply?").press(*DIFF).see("+theirs: 25").see("Apply?").press("n", ENTER)
    assert person.end() == 0


def test_each_place_has_its_line_numbers_and_a_line_around(
    project: Path, env: dict[str, str]
) -> None:
    person = Person(project, "update", env=env).see("Apply?").press(ENTER)
    person.see("place 1 of 2: line 5 of yours, line 6 of the template's")
    person.see("| line 4").see("| <<<<<<< project").see("| mine: 5").see("| theirs: 5")
    person.see(">>>>>>>").see("| line 6")
    person.see("place 2 of 2: lines 25-26 of yours, line 26 of the template's")
    person.see("| line 24").see("| mine: more").see("| line 26").see(ASKED).press(CTRL_C)
    assert "line 7" not in person.screen.partition("conflict 1")[2]
    assert person.end() == 130


def test_places_are_decided_one_by_one_and_the_last_line_counts_what_was_declined(
    project: Path, env: dict[str, str]
) -> None:
    person = Person(project, "update", env=env).see("Apply?").press(ENTER)
    person.see(ASKED).press(*[DOWN] * 4, ENTER).see("place 1 of 2").see(ASKED).press(ENTER)
    person.see("place 2 of 2").see(ASKED).press(DOWN, ENTER).see("1 declined")
    assert person.end() == 0
    assert person.screen.strip().splitlines()[-1] == "1 change of the template was declined: a.txt"
    made = (project / "a.txt").read_text()
    assert made == "# new\n" + lines(line_5="mine: 5", line_25="theirs: 25")


def test_a_place_that_is_left_keeps_the_file_a_conflict(project: Path, env: dict[str, str]) -> None:
    person = Person(project, "update", env=env).see("Apply?").press(ENTER)
    person.see(ASKED).press(*[DOWN] * 4, ENTER).see("place 1 of 2").see(ASKED).press(DOWN, ENTER)
    person.see("place 2 of 2").see(ASKED).press(DOWN, DOWN, ENTER)
    assert person.see("Resolve the conflicts").end() == 3
    made = (project / "a.txt").read_text()
    assert made.startswith("# new\n" + lines(line_5="theirs: 5")[:40])
    assert made.count("<<<<<<< project\nmine: 25\nmine: more\n=======\ntheirs: 25\n>>>>") == 1
    assert made.count("<<<<<<<") == 1
    assert unmerged(project) == ["a.txt"]


def test_of_what_is_no_text_one_side_is_taken_or_it_is_left(
    project: Path, env: dict[str, str]
) -> None:
    clash_in_image(project)
    person = Person(project, "update", env=env).see("Apply?").press(ENTER)
    person.see("a.txt").see(ASKED).press(ENTER)
    person.see("logo.png").see("no text").see("yours: 10 bytes").see("template's: 12 bytes")
    person.see(ASKED)
    assert offered(person) == ["keep yours", "take the template's", "leave it for later"]
    assert person.press(ENTER).see("3 declined").end() == 0
    last = "3 changes of the template were declined: a.txt (2 places), logo.png"
    assert person.screen.strip().splitlines()[-1] == last
    assert (project / "logo.png").read_bytes() == IMAGE + b"mine"


def test_a_file_that_one_side_deleted_has_no_markers_to_leave(
    tmp_path: Path, env: dict[str, str]
) -> None:
    source = template(tmp_path / "template", {"copier.yml": "", **ANSWERS_FILE, "a.txt": lines()})
    (source / "a.txt").unlink()
    commit(source, {"b.txt": ""}, tag="v2.0.0")
    project = new(source, tmp_path / "churn-model", env)
    commit(project, {"a.txt": lines(line_5="mine: 5")})
    person = Person(project, "update", env=env).see("Apply?").press(ENTER).see(ASKED)
    deleted = "delete it, as the template does"
    assert offered(person) == ["keep yours", deleted, "leave it for later", "edit it now"]
    assert person.press(DOWN, ENTER).end() == 0
    assert "declined" not in person.screen
