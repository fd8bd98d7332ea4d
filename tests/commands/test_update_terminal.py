"""`update` at a terminal: the plan, one question, the conflicts one by one; elsewhere none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kills import State, look
from tests.support import (
    ANSWERS_FILE,
    clean_environment,
    cli,
    commit,
    sh,
    template,
    write,
)
from tests.terminal import CTRL_C, CTRL_D, DOWN, ENTER, Person
from tests.trials import text

MINE, THEIRS, BOTH, EDIT = 0, 1, 2, 3  # how far down in the list of choices
FILES = {"a.txt": text("a"), "b.txt": text("b"), "c.txt": text("c"), "gone.txt": text("gone")}
ASKED = "What shall be done?"


def clash(name: str, whose: str) -> str:
    return text(name).replace(f"line 5 of {name}", f"{whose}: 5")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A template whose second version changes three files, deletes one, and says what is new."""
    made = template(tmp_path / "template", {"copier.yml": "size: 3\n", **ANSWERS_FILE, **FILES})
    (made / "gone.txt").unlink()
    files = {name: clash(name[0], "theirs") for name in ("a.txt", "b.txt")}
    commit(made, files | {"c.txt": text("c", "theirs\n")}, tag="v2.0.0")
    return made


@pytest.fixture
def project(source: Path, tmp_path: Path, env: dict[str, str]) -> Path:
    return new(source, tmp_path / "churn-model", env)


def new(source: Path, folder: Path, env: dict[str, str]) -> Path:
    argv = ("--template", source, "--ref", "v1.0.0", "--defaults", "--no-setup")
    done = cli("new", folder, *argv, env=env)
    assert done.returncode == 0, done.stderr
    return folder


def edit(project: Path, *names: str) -> State:
    """Edit files where the template does, and return the state."""
    edits = {name: clash(name[0], "mine") for name in names if name != "gone.txt"}
    if "gone.txt" in names:
        edits["gone.txt"] = text("gone", "mine: more\n")
    commit(project, edits)
    return look(project)


def unmerged(project: Path) -> list[str]:
    return sh("git", "diff", "--name-only", "--diff-filter=U", cwd=project).split()


def test_the_plan_is_shown_and_enter_applies_it(project: Path, env: dict[str, str]) -> None:
    person = Person(project, "update", env=env)
    person.see("v1.0.0 -> v2.0.0").see("The plan").see("changed").see("c.txt").see("deleted")
    person.see("gone.txt").see("Apply? (Y/n").press(ENTER)
    person.see("Everything is staged").see("mlops-scaffold undo")
    assert person.end() == 0
    assert (project / "c.txt").read_text() == text("c", "theirs\n")


@pytest.mark.parametrize("keys", [("n", ENTER), ("No", ENTER), (CTRL_C,), (CTRL_D,)])
def test_no_changes_nothing(project: Path, env: dict[str, str], keys: tuple[str, ...]) -> None:
    before = look(project)
    person = Person(project, "update", env=env).see("Apply?").press(*keys)
    person.see("nothing was changed" if ENTER in keys else "interrupted")
    assert person.end() == (0 if ENTER in keys else 130)
    assert look(project) == before


def test_conflicts_are_offered_one_by_one(project: Path, env: dict[str, str]) -> None:
    edit(project, "a.txt", "b.txt", "gone.txt")
    person = Person(project, "update", env=env).see("Apply?").press(ENTER)
    person.see("conflict 1 of 3: a.txt").see("mine: 5").see("theirs: 5").see(ASKED)
    person.press(ENTER)
    person.see("conflict 2 of 3: b.txt").see(ASKED).press(DOWN, ENTER)
    person.see("conflict 3 of 3: gone.txt").see("you changed it, the template deleted it")
    person.see(ASKED).press(ENTER)
    assert person.see("Everything is staged").end() == 0
    assert (project / "a.txt").read_text() == clash("a", "mine")
    assert (project / "b.txt").read_text() == clash("b", "theirs")
    assert "mine: more" in (project / "gone.txt").read_text()
    assert unmerged(project) == []
    staged = sh("git", "diff", "--cached", "--name-only", cwd=project).split()
    assert staged == [".copier-answers.yml", "b.txt", "c.txt"]


def test_a_conflict_may_be_left_and_a_deletion_be_taken(project: Path, env: dict[str, str]) -> None:
    edit(project, "a.txt", "gone.txt")
    person = Person(project, "update", env=env).see("Apply?").press(ENTER)
    person.see("conflict 1 of 2").see(ASKED).press(*[DOWN] * BOTH, ENTER)
    person.see("conflict 2 of 2").see("delete it, as the template does").press(DOWN, ENTER)
    assert person.see("Resolve the conflicts").end() == 3
    assert unmerged(project) == ["a.txt"]
    assert "<<<<<<< project\nmine: 5" in (project / "a.txt").read_text()
    assert ">>>>>>> template-v2.0.0" in (project / "a.txt").read_text()
    assert not (project / "gone.txt").exists()


def editor(folder: Path, script: str) -> dict[str, str]:
    """An editor that is a few lines of Python."""
    file = folder / "an editor.py"
    file.write_text(f"import sys\nfrom pathlib import Path\nfile = Path(sys.argv[-1])\n{script}\n")
    return {"EDITOR": f"'{sys.executable}' '{file}' --wait"}


def edited(project: Path, env: dict[str, str]) -> Person:
    """Update, and choose to edit the only conflict."""
    edit(project, "a.txt")
    person = Person(project, "update", env=env).see("Apply?").press(ENTER)
    return person.see(ASKED).press(*[DOWN] * EDIT, ENTER)


def test_a_conflict_that_the_editor_resolves_is_none(
    project: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    script = "assert file.name == 'a.txt' and 'mine: 5' in file.read_text()\n"
    script += "file.write_text('both\\n')"
    person = edited(project, env | editor(tmp_path, script))
    assert person.see("Everything is staged").end() == 0
    assert (project / "a.txt").read_text() == "both\n"
    assert sh("git", "show", ":a.txt", cwd=project) == "both\n"
    assert unmerged(project) == []


@pytest.mark.parametrize(
    "script", ["", "sys.exit(1)", "file.unlink()"], ids=["markers", "failed", "deleted"]
)
def test_a_conflict_that_the_editor_leaves_stays_one(
    project: Path, tmp_path: Path, env: dict[str, str], script: str
) -> None:
    person = edited(project, env | editor(tmp_path, script))
    person.see("a.txt stays a conflict")
    assert person.see("Resolve the conflicts").end() == 3
    assert unmerged(project) == ["a.txt"]
    assert "<<<<<<< project" in (project / "a.txt").read_text()


@pytest.mark.parametrize("name", ["/no/such/editor", "vi 'unbalanced"])
def test_an_editor_that_cannot_be_started_leaves_the_question_open(
    project: Path, env: dict[str, str], name: str
) -> None:
    person = edited(project, env | {"EDITOR": name})
    person.see("cannot be started").see(ASKED).press(DOWN, ENTER)
    assert person.end() == 0
    assert (project / "a.txt").read_text() == clash("a", "theirs")


@pytest.mark.parametrize("at", [1, 2, 3])
def test_ctrl_c_at_any_conflict_changes_nothing(
    project: Path, env: dict[str, str], at: int
) -> None:
    before = edit(project, "a.txt", "b.txt", "gone.txt")
    person = Person(project, "update", env=env).see("Apply?").press(ENTER)
    for _ in range(at - 1):
        person.see(ASKED).press(DOWN, ENTER)
    person.see(f"conflict {at} of 3").see(ASKED).press(CTRL_C)
    assert person.see("interrupted").end() == 130
    assert look(project) == before


def test_ctrl_c_in_the_editor_changes_nothing(
    project: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    script = "import time\nprint('editing', flush=True)\ntime.sleep(60)"
    person = edited(project, env | editor(tmp_path, script))
    before = look(project)
    person.see("editing").press(CTRL_C)
    assert person.see("interrupted").end() == 130
    assert look(project) == before


def test_what_is_edited_while_the_question_waits_is_not_overwritten(
    project: Path, env: dict[str, str]
) -> None:
    person = Person(project, "update", env=env).see("Apply?")
    write(project, {"c.txt": "mine: meanwhile\n", "new.txt": "mine: new\n"})
    now = look(project)
    person.press(ENTER).see("error: ").see("c.txt")
    assert person.end() == 1
    assert look(project) == now


def test_while_the_question_waits_status_answers_and_another_update_does_not(
    project: Path, env: dict[str, str]
) -> None:
    person = Person(project, "update", env=env).see("Apply?")
    assert cli("status", project, env=env).returncode == 5
    assert "is running" in cli("update", project, env=env).stderr
    assert person.press("n", ENTER).end() == 0


COLOUR = "size: 3\ncolour:\n  help: Which colour?\n  type: str\n"


def test_a_new_question_is_asked_after_the_plan_and_enter_takes_its_default(
    source: Path, project: Path, env: dict[str, str]
) -> None:
    questions = f"_message_before_update: Careful.\n{COLOUR}  default: green\n"
    files = {"copier.yml": questions, "colour.txt.jinja": "{{ colour }}\n"}
    news = "# 3.0.0\n\n- Colours.\n"
    commit(source, {**files, "CHANGELOG.md": news}, tag="v3.0.0")
    person = Person(project, "update", env=env).see("What is new").see("- Colours.")
    person.see("colour: 'green' (a new question)").see("colour.txt")
    person.see("Which colour?").press(ENTER).see("Apply?").press(ENTER)
    assert person.end() == 0
    assert "size (int)" not in person.screen  # what has an answer is not asked again
    told = ("- Colours.", "Careful.", "The plan", "a new question", "  c.txt")
    assert [person.screen.count(text) for text in told] == [1] * 5
    assert (project / "colour.txt").read_text() == "green\n"
    assert "colour: green\n" in (project / ".copier-answers.yml").read_text()


def test_answers_that_change_the_plan_show_it_anew(
    source: Path, project: Path, env: dict[str, str]
) -> None:
    files = {"copier.yml": f"{COLOUR}  default: green\n", "CHANGELOG.md": "# 3.0.0\n\n- Colours.\n"}
    named = "{% if colour == 'blue' %}blue.txt{% endif %}"
    commit(source, {**files, named: ""}, tag="v3.0.0")
    person = Person(project, "update", env=env).see("colour: 'green' (a new question)")
    person.see("Which colour?").press(*"\x7f" * 5, "blue", ENTER)
    person.see("colour: 'blue' (a new question)").see("blue.txt").see("Apply?").press(ENTER)
    assert person.end() == 0
    assert person.screen.count("- Colours.") == 1
    assert (project / "blue.txt").exists()


def test_before_a_question_without_a_default_there_is_what_is_new(
    source: Path, project: Path, env: dict[str, str]
) -> None:
    news = "# 3.0.0\n\n- Colours.\n"
    questions = f"_message_before_update: Careful.\n{COLOUR}"
    commit(source, {"copier.yml": questions, "CHANGELOG.md": news}, tag="v3.0.0")
    before = look(project)
    person = Person(project, "update", env=env).see("- Colours.").see("depends on your answers")
    person.see("Careful.")
    person.see("Which colour?").press("red", ENTER).see("The plan").see("colour: 'red'")
    assert person.see("Apply?").press("n", ENTER).end() == 0
    assert [person.screen.count(text) for text in ("- Colours.", "Careful.")] == [1, 1]
    assert look(project) == before


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D])
def test_who_stops_at_a_question_changes_nothing(
    source: Path, project: Path, env: dict[str, str], key: str
) -> None:
    commit(source, {"copier.yml": "size: 3\ncolour:\n  type: str\n"}, tag="v3.0.0")
    before = look(project)
    person = (
        Person(project, "update", env=env).see("depends on your answers").see("colour").press(key)
    )
    assert person.see("interrupted").end() == 130
    assert look(project) == before


REFUSING = {
    "choices": "size:\n  type: int\n  choices: [5, 6]\n  default: 6\n",
    "validator": "size:\n  type: int\n  default: 6\n"
    '  validator: "{% if size < 5 %}at least five{% endif %}"\n',
}


@pytest.mark.parametrize("how", REFUSING)
def test_an_answer_that_the_new_version_refuses_is_asked_again(
    source: Path, project: Path, env: dict[str, str], how: str
) -> None:
    commit(source, {"copier.yml": REFUSING[how], "size.jinja": "{{ size }}\n"}, tag="v3.0.0")
    person = Person(project, "update", env=env).see("size (int)").press(ENTER)
    person.see("Apply?")
    assert "size: 3 ->" in person.screen
    person.press(ENTER)
    assert person.end() == 0
    assert (project / "size").read_text() in ("5\n", "6\n")


@pytest.mark.parametrize("option", ["--defaults", "--json", "--dry-run"])
def test_who_says_so_is_asked_nothing_at_a_terminal(
    project: Path, env: dict[str, str], option: str
) -> None:
    edit(project, "a.txt")
    person = Person(project, "update", option, env=env)
    assert person.end() == 3
    assert "?" not in person.screen.replace("Apply?", "?")
    assert unmerged(project) == ([] if option == "--dry-run" else ["a.txt"])


@pytest.mark.parametrize("how", ["closed", "null", "piped", "terminal in, pipe out"])
def test_without_a_terminal_nothing_is_asked(
    source: Path, project: Path, env: dict[str, str], how: str
) -> None:
    commit(source, {"copier.yml": "size: 3\ncolour: green\n"}, tag="v3.0.0")
    edit(project, "a.txt")
    argv = [sys.executable, "-m", "scaffold", "update", str(project)]
    ours, theirs = os.openpty()
    stdin = {"null": subprocess.DEVNULL, "piped": subprocess.PIPE}.get(how, theirs)
    if how == "closed":
        argv = ["sh", "-c", 'exec "$@" <&-', "sh", *argv]
    done = subprocess.run(
        argv,
        env=clean_environment() | env,
        **({"input": "n\n"} if how == "piped" else {"stdin": stdin}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 3, done.stderr
    assert "?" not in done.stdout + done.stderr
    assert "colour: 'green' (a new question)" in done.stderr
    assert unmerged(project) == ["a.txt"]
