"""An answers file that is not the usual one: in a folder, or one of several, each of a template."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.support import ANSWERS_FILE, SMALL, Done, commit, sh, template
from tests.trials import text
from tests.warm import KILL, Trap, cli, warm

CI = ".copier-answers.ci.yml"
DEEP = ".config/copier-answers.yml"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]) -> Path:
    """A project of two templates, each with a newer version; the second was adopted."""
    folder = tmp_path_factory.mktemp("both")
    main = template(folder / "main", {"copier.yml": "size: 3\n", "a.txt": text("a")} | ANSWERS_FILE)
    other = template(folder / "ci", {"copier.yml": "os: x\n", "b.txt": text("b")} | ANSWERS_FILE)
    argv = ("--template", main, "--defaults", "--no-setup")
    assert cli("new", folder / "p", *argv, env=env).returncode == 0
    done = cli("adopt", folder / "p", "--template", other, "--defaults", "-a", CI, env=env)
    assert done.returncode == 0, done.stderr
    assert f"mlops-scaffold undo {folder / 'p'} -a {CI}" in done.stdout
    commit(folder / "p")
    commit(main, {"a.txt": text("a", "theirs\n")}, tag="v2.0.0")
    commit(other, {"b.txt": text("b", "theirs\n")}, tag="v2.0.0")
    return folder / "p"


@pytest.fixture
def project(both: Path, tmp_path: Path) -> Path:
    sh("git", "clone", "-q", both, tmp_path / "p")
    return tmp_path / "p"


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]) -> Path:
    """A template of two versions with its answers in a folder, and a project of the first."""
    folder = tmp_path_factory.mktemp("deep")
    config = SMALL["copier.yml"] + f"_answers_file: {DEEP}\n"
    source = template(folder / "t", {**SMALL, "copier.yml": config, "a.txt": text("a")})
    commit(source, {"a.txt": text("a", "theirs\n")}, tag="v2.0.0")
    argv = ("--template", source, "--ref", "v1.0.0", "--defaults", "--no-setup")
    assert cli("new", folder / "p", *argv, env=env).returncode == 0
    return folder / "p"


def done_well(done: Done, *words: str) -> Done:
    assert done.returncode in (0, 5), done.stderr
    assert all(word in done.stdout + done.stderr for word in words), done.stdout + done.stderr
    return done


def refused(done: Done, code: int, *words: str) -> None:
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("error: ") == done.stderr.count("   try: ") == 1
    assert all(word in done.stderr for word in words), done.stderr


def staged(project: Path) -> list[str]:
    return sh("git", "diff", "--cached", "--name-only", cwd=project).split()


def test_each_of_two_templates_is_updated_and_taken_back_by_itself(
    project: Path, env: dict[str, str]
) -> None:
    done_well(cli("update", project, "--defaults", env=env))
    done_well(cli("update", project, "--defaults", "-a", CI, env=env), f"undo {project} -a {CI}")
    assert staged(project) == [CI, ".copier-answers.yml", "a.txt", "b.txt"]
    named = ("--answers-file", ".copier-answers.yml")
    done_well(cli("undo", project, *named, env=env), "update to v2.0.0 is undone; 2 files")
    assert staged(project) == [CI, "b.txt"]
    refused(cli("undo", project, *named, env=env), 1, "no update to take back")
    done_well(cli("undo", project, "-a", CI, env=env), "2 files are as before")
    assert staged(project) == []
    refused(cli("undo", project, "-a", CI, env=env), 1, "no update to take back")


def test_without_a_name_the_last_update_is_taken_back_of_whichever_template(
    project: Path, env: dict[str, str]
) -> None:
    done_well(cli("update", project / CI, "--defaults", env=env))
    commit(project)
    done = done_well(cli("update", project, "--defaults", env=env), f"undo {project}")
    assert " -a " not in done.stdout
    done_well(cli("undo", project, env=env))
    assert staged(project) == []
    assert "theirs" in (project / "b.txt").read_text()
    done_well(cli("undo", project, env=env), "it had been committed")
    assert staged(project) == [CI, "b.txt"]


def test_status_and_diff_look_at_the_template_that_is_named(
    project: Path, env: dict[str, str]
) -> None:
    commit(project, {"b.txt": text("b", "mine\n")})
    done_well(cli("status", project, env=env), "v1.0.0, newest v2.0.0", "no file differs")
    done_well(cli("status", project, "-a", CI, env=env), "1 file differs", f"{project} -a {CI}")
    assert json.loads(cli("diff", project, "--json", env=env).stdout)["files"] == []
    found = json.loads(cli("diff", project, "--json", "-a", CI, env=env).stdout)["files"]
    assert [file["path"] for file in found] == ["b.txt"]


def test_an_update_of_the_second_template_that_is_killed_is_completed_and_taken_back(
    project: Path, env: dict[str, str]
) -> None:
    argv = ("update", str(project), "--defaults", "-a", CI)
    warm(argv, env, Trap(KILL, str(project), "b.txt"))
    done_well(cli("status", project, "-a", CI, env=env), "v2.0.0, the newest", "complete now")
    done_well(cli("undo", project, "-a", CI, env=env))
    assert staged(project) == []


def test_an_update_that_an_older_version_made_is_taken_back(
    project: Path, env: dict[str, str]
) -> None:
    done_well(cli("update", project, "--defaults", "-a", CI, env=env))
    kept = project / ".git/mlops-scaffold/undo"
    [made] = kept.iterdir()
    made = made.rename(kept / hashlib.sha256(b"").hexdigest())  # one place for all of a folder
    listed = json.loads((made / "journal.json").read_text())
    del listed["file"]
    (made / "journal.json").write_text(json.dumps(listed))
    named = project / ".copier-answers.yml"
    refused(cli("undo", named, env=env), 1, "no update to take back")
    done_well(cli("undo", project, "-a", CI, env=env))
    assert staged(project) == []


def test_a_project_that_keeps_its_answers_in_a_folder(
    deep: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    sh("git", "clone", "-q", deep, tmp_path / "p")
    project = tmp_path / "p"
    refused(cli("update", project, env=env), 1, "no .copier-answers.yml", f"-a {DEEP}")
    refused(cli("update", project / DEEP, env=env), 2, f"{project} -a {DEEP}")
    assert sh("git", "status", "--porcelain", cwd=project) == ""
    done_well(cli("status", project, "-a", DEEP, env=env), "newest v2.0.0", "no file differs")
    done_well(cli("update", "--defaults", "-a", DEEP, cwd=project, env=env), f"undo -a {DEEP}")
    assert staged(project) == [DEEP, "a.txt"]
    done_well(cli("diff", project, "-a", project / DEEP, env=env), "every file of v2.0.0")
    done_well(cli("undo", project, "-a", f"./{DEEP}", env=env))
    assert staged(project) == []


def test_a_template_that_has_an_answers_file_of_its_own_is_adopted_beside_another(
    deep: Path, project: Path, env: dict[str, str]
) -> None:
    source = deep.parent / "t"
    done_well(cli("adopt", project, "--template", source, "--defaults", env=env), f"-a {DEEP}")
    assert "v1.0.0" in (project / ".copier-answers.yml").read_text()
    assert "v2.0.0" in (project / DEEP).read_text()
    done_well(cli("undo", project, "-a", DEEP, env=env))
    assert not (project / DEEP).exists()


def test_a_second_template_without_a_file_of_its_own_is_told_how(
    project: Path, both: Path, env: dict[str, str]
) -> None:
    done = cli("adopt", project, "--template", both.parent / "ci", "--defaults", env=env)
    refused(done, 1, "another template already", "-a .copier-answers.NAME.yml")


def test_an_answers_file_of_any_name_is_suggested(project: Path, env: dict[str, str]) -> None:
    (project / CI).rename(project / ".answers.yml")
    (project / ".copier-answers.yml").unlink()
    for verb in ("update", "status", "diff"):
        refused(cli(verb, project, env=env), 1, "no .copier-answers.yml", "`-a .answers.yml` if")


def test_new_keeps_the_answers_where_it_is_told(
    both: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    argv = ("--template", both.parent / "ci", "--defaults", "--no-setup", "--ref", "v1.0.0")
    done_well(cli("new", tmp_path / "n", *argv, "-a", CI, env=env))
    assert (tmp_path / "n" / CI).is_file() and not (tmp_path / "n/.copier-answers.yml").exists()
    done_well(cli("update", tmp_path / "n", "--defaults", env=env), "v1.0.0 -> v2.0.0")


@pytest.mark.parametrize(
    ("named", "code", "word"),
    [
        ("../elsewhere.yml", 2, "is not in"),
        ("/etc/passwd", 2, "is not in"),
        (".", 2, "is not in"),
        ("none.yml", 2, "has no answers file none.yml"),
        (".github", 1, "no ordinary file"),
        ("link/answers.yml", 4, "behind a link"),
        ("a.txt", 1, "is broken"),
    ],
)
@pytest.mark.parametrize("verb", ["update", "status"])
def test_what_is_no_answers_file_of_the_project(
    verb: str, named: str, code: int, word: str, project: Path, env: dict[str, str]
) -> None:
    (project / ".github").mkdir()
    outside = project.parent / "outside"
    outside.mkdir()
    (outside / "answers.yml").write_text((project / CI).read_text())
    (project / "link").symlink_to(outside)
    refused(cli(verb, project, "-a", named, env=env), code, word)


def test_two_names_for_the_answers_file_are_one_too_many(
    project: Path, env: dict[str, str]
) -> None:
    refused(cli("update", project / CI, "-a", CI, env=env), 2, "only one of both")
    for elsewhere in ("../x.yml", "/tmp/x.yml"):
        done = cli("new", project.parent / "n", "-a", elsewhere, "--defaults", env=env)
        refused(done, 2, f"{elsewhere} is not in")
