"""An answer that was changed by hand in the answers file is noticed, and what to do is told."""

import json
from pathlib import Path

import pytest

from tests.support import ANSWERS_FILE, IDENTITY, Done, commit, sh, template
from tests.warm import cli

NINE = "".join(f"line {n}\n" for n in range(1, 10))
FILES = {
    "copier.yml": "_skip_if_exists: [own.txt]\nsize:\n  type: int\n  default: 3\n"
    "ci: gitlab\nteam: fraud\ndocker: false\n",
    "about.txt.jinja": "size {{ size }}\n" + NINE,
    "own.txt.jinja": "size {{ size }}\n",
    "who.txt.jinja": "{{ ci }} of {{ team }}\n",
    "extra.txt.jinja": "{{ used | default('nothing') }}\n",
    "{% if docker %}Dockerfile{% endif %}": "FROM scratch\n",
    **ANSWERS_FILE,
}
ANSWERS = ".copier-answers.yml"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]) -> Path:
    folder = tmp_path_factory.mktemp("made")
    source = template(folder / "t", FILES)
    argv = ("--template", source, "--defaults", "--no-setup")
    assert cli("new", folder / "p", *argv, env=env).returncode == 0
    return folder / "p"


@pytest.fixture
def project(made: Path, tmp_path: Path, env: dict[str, str]) -> Path:
    """A project of its own, whose template can get newer versions."""
    sh("cp", "-r", made, made.parent / "t", tmp_path)
    by_hand(tmp_path / "p", str(made.parent / "t"), str(tmp_path / "t"))
    sh("git", "commit", "-q", "-a", "--amend", "-m", "Start", cwd=tmp_path / "p", env=IDENTITY)
    return tmp_path / "p"


def by_hand(project: Path, old: str, new: str, file: str = ANSWERS) -> None:
    text = (project / file).read_text()
    assert old in text
    (project / file).write_text(text.replace(old, new))


def well(done: Done) -> Done:
    assert done.returncode in (0, 5), done.stderr
    return done


def silent(project: Path, env: dict[str, str]) -> bool:
    for verb in ("status", "update", "diff"):
        assert "by hand" not in well(cli(verb, project, env=env)).stderr
    return edits(project, env) == []


def edits(project: Path, env: dict[str, str]) -> list[list[object]]:
    found = json.loads(cli("status", project, "--json", env=env).stdout)["edited"]
    return [list(change.values()) for change in found]


def test_it_is_told_everywhere_and_brought_into_the_files_by_data(
    project: Path, env: dict[str, str]
) -> None:
    by_hand(project, "size: 3", "size: 4")
    commit(project)
    for verb in ("status", "update", "diff"):
        said = well(cli(verb, project, env=env)).stderr
        assert said.count("size was changed by hand in .copier-answers.yml, from 3 to 4") == 1
        assert f"`mlops-scaffold update {project} --data size=4`" in said
    assert edits(project, env) == [["size", 3, 4]]
    change = {"question": "size", "change": "edited", "old": 3, "new": 4}
    assert json.loads(cli("update", project, "--json", env=env).stdout)["answers"] == [change]
    done = well(cli("update", project, "--defaults", "--data", "size=4", env=env))
    assert "size: 3 -> 4" in done.stderr and "by hand" not in done.stderr
    assert (project / "about.txt").read_text().startswith("size 4\n")
    well(cli("undo", project, env=env))
    assert (project / "about.txt").read_text().startswith("size 3\n")
    well(cli("update", project, "--defaults", "--data", "size=4", env=env))
    assert silent(project, env), "also before it is committed"
    commit(project)
    assert silent(project, env)


def test_written_back_it_is_forgotten(project: Path, env: dict[str, str]) -> None:
    by_hand(project, "size: 3", "size: 4")
    commit(project)
    by_hand(project, "size: 4", "size: 3")
    commit(project)
    assert silent(project, env)


def test_a_new_version_does_not_hide_it(project: Path, env: dict[str, str]) -> None:
    by_hand(project, "size: 3", "size: 4")
    commit(project)
    commit(project.parent / "t", {"new.txt": "theirs\n"}, tag="v2.0.0")
    assert "size was changed by hand" in well(cli("update", project, env=env)).stderr
    commit(project)
    assert edits(project, env) == [["size", 3, 4]]
    commit(project.parent / "t", {"newer.txt": "theirs\n"}, tag="v3.0.0")
    well(cli("update", project, "--data", "size=4", env=env))
    assert (project / "about.txt").read_text().startswith("size 4\n")
    assert (project / "newer.txt").exists()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([("docker: false", "docker: true")], [["docker", False, True]]),
        ([("size: 3\n", "")], []),  # the default is what the files say
        ([("ci: gitlab", "ci: github"), ("team: fraud", "team: risk")], ["ci", "team"]),
        ([("_commit", "used: yet no question\n_commit")], []),
        ([("size: 3", "size: many")], []),  # refused where it is used
    ],
    ids=["switches a file on", "line taken out", "two in one line", "no question", "wrong type"],
)
def test_kinds_of_edits(
    project: Path,
    env: dict[str, str],
    changes: list[tuple[str, str]],
    expected: list[object],
) -> None:
    for old, new in changes:
        by_hand(project, old, new)
    commit(project)
    found = edits(project, env)
    assert found == expected or sorted(str(change[0]) for change in found) == expected


def test_what_an_update_changed_is_not_taken_for_an_edit_by_hand(
    project: Path, env: dict[str, str]
) -> None:
    data = [word for answer in ("size=4", "docker=true", "ci=github") for word in ("-d", answer)]
    well(cli("update", project, "--defaults", *data, env=env))
    assert silent(project, env), "before it is committed"
    commit(project)
    by_hand(project, "size 4", "mine: size 4", "about.txt")
    (project / "who.txt").unlink()
    (project / "Dockerfile").unlink()
    commit(project)
    assert silent(project, env), "the person's own edits afterwards are no sign of it"


def test_an_answer_that_was_corrected_to_what_the_files_say_is_right(
    project: Path, env: dict[str, str]
) -> None:
    by_hand(project, "size 3", "size 4", "about.txt")
    commit(project)
    by_hand(project, "size: 3", "size: 4")
    commit(project)
    assert silent(project, env)


def test_before_it_is_committed_an_update_says_what_to_do(
    project: Path, env: dict[str, str]
) -> None:
    by_hand(project, "size: 3", "size: 4")
    assert edits(project, env) == [["size", 3, 4]]
    done = cli("update", project, "--data", "ci=github", env=env)
    assert done.returncode == 1
    assert "changed by hand in .copier-answers.yml and not committed: size" in done.stderr
    assert "git restore .copier-answers.yml" in done.stderr and "--data size=4" in done.stderr


def test_without_history_nothing_is_claimed(
    project: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    by_hand(project, "size: 3", "size: 4")
    commit(project)
    sh("git", "clone", "-q", "--depth", "1", project.as_uri(), tmp_path / "shallow")
    assert silent(tmp_path / "shallow", env)
