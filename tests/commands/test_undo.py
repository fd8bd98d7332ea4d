"""`undo` brings back exactly the state before the last update, or names the files why not."""

from pathlib import Path

import pytest

from tests.kills import look
from tests.support import ANSWERS_FILE, Done, commit, sh, template, write
from tests.trials import make_project, make_template, text
from tests.warm import cli

FIRST = {"a.txt": text("a"), "b.txt": text("b"), "gone.txt": text("gone")}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A template of three versions: v2.0.0 changes, adds and deletes, v3.0.0 changes one file."""
    made = template(tmp_path / "template", {"copier.yml": "size: 3\n", **ANSWERS_FILE, **FIRST})
    (made / "gone.txt").unlink()
    commit(made, {"a.txt": text("a", "theirs\n"), "new/n.txt": "theirs\n"}, tag="v2.0.0")
    commit(made, {"b.txt": text("b", "theirs\n")}, tag="v3.0.0")
    return made


@pytest.fixture
def project(source: Path, tmp_path: Path, env: dict[str, str]) -> Path:
    return new(source, tmp_path / "churn-model", env)


def new(source: Path, folder: Path, env: dict[str, str], *options: str) -> Path:
    argv = ("--template", source, "--ref", "v1.0.0", "--defaults", "--no-setup")
    done = cli("new", folder, *argv, *options, env=env)
    assert done.returncode == 0, done.stderr
    return folder


def update(project: Path, env: dict[str, str], to: str = "v2.0.0") -> Done:
    done = cli("update", project, "--defaults", "--to", to, env=env)
    assert done.returncode in (0, 3), done.stderr
    return done


def undo(project: Path, env: dict[str, str]) -> Done:
    done = cli("undo", project, env=env)
    assert "Traceback" not in done.stderr
    return done


def refused(done: Done, *words: str) -> bool:
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert all(word in done.stderr for word in words), done.stderr
    return True


def test_it_takes_an_update_of_every_kind_back_and_only_once(
    tmp_path: Path, env: dict[str, str]
) -> None:
    source = make_template(tmp_path / "template", 1)
    project = make_project(tmp_path / "churn-model", source, env)
    old, status = look(project), sh("git", "status", "--porcelain", cwd=project)
    assert update(project, env).returncode == 3
    assert look(project) != old
    done = undo(project, env)
    assert (done.returncode, look(project)) == (0, old)
    assert "the update to v2.0.0 is undone" in done.stdout
    assert sh("git", "status", "--porcelain", cwd=project) == status
    assert refused(undo(project, env), "no update to take back")
    assert look(project) == old
    assert update(project, env).returncode == 3  # and all of it can be done again
    assert undo(project, env).returncode == 0
    assert look(project) == old


def test_a_project_that_was_never_updated_has_nothing_to_take_back(
    project: Path, env: dict[str, str]
) -> None:
    assert refused(undo(project, env), "no update to take back")
    assert cli("update", project, "--to", "v1.0.0", env=env).returncode == 0  # already there
    assert refused(undo(project, env), "no update to take back")


def test_after_the_update_is_committed_the_way_back_is_staged(
    project: Path, env: dict[str, str]
) -> None:
    old = look(project)
    update(project, env)
    commit(project)
    assert undo(project, env).returncode == 0
    assert look(project) == old
    staged = sh("git", "diff", "--cached", "--name-status", cwd=project)
    assert staged == "M\t.copier-answers.yml\nM\ta.txt\nA\tgone.txt\nD\tnew/n.txt\n"


def test_after_a_restore_of_some_files_the_rest_is_taken_back(
    project: Path, env: dict[str, str]
) -> None:
    old = look(project)
    update(project, env)
    sh("git", "restore", "--staged", "--worktree", "a.txt", "gone.txt", cwd=project)
    sh("git", "rm", "-q", "-f", "new/n.txt", cwd=project)
    assert undo(project, env).returncode == 0
    assert look(project) == old


@pytest.mark.parametrize("staged", [True, False])
def test_after_a_reset_everything_is_as_before_already(
    project: Path, env: dict[str, str], staged: bool
) -> None:
    old = look(project)
    update(project, env)
    sh("git", "reset", "-q", "--hard" if staged else "--mixed", cwd=project)
    assert undo(project, env).returncode == 0
    assert look(project) == old


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.txt", "mine: a\n"), ("new/n.txt", "mine: n\n"), ("gone.txt", "mine: gone\n")],
    ids=["changed", "added", "deleted"],
)
@pytest.mark.parametrize("how", ["changed", "staged", "committed", "removed"])
def test_files_that_somebody_changed_since_are_named_and_nothing_is_touched(
    project: Path, env: dict[str, str], name: str, content: str, how: str
) -> None:
    update(project, env)
    write(project, {name: content})
    if how != "changed":
        sh("git", "add", name, cwd=project)
    if how == "committed":
        commit(project)
    if how == "removed":
        (project / name).unlink()
    now = look(project)
    assert refused(undo(project, env), name)
    assert look(project) == now


def test_changes_of_other_files_are_no_matter_and_stay(project: Path, env: dict[str, str]) -> None:
    update(project, env)
    commit(project, {"b.txt": "mine: committed\n"})
    write(project, {"b.txt": "mine: b\n", "mine.txt": "mine: staged\n", "notes.txt": "mine: n\n"})
    sh("git", "add", "mine.txt", cwd=project)
    assert undo(project, env).returncode == 0
    assert (project / "b.txt").read_text() == "mine: b\n"
    assert sh("git", "show", ":mine.txt", cwd=project) == "mine: staged\n"
    assert (project / "a.txt").read_text() == FIRST["a.txt"]


def test_resolved_conflicts_are_not_thrown_away(project: Path, env: dict[str, str]) -> None:
    commit(project, {"a.txt": text("a", "mine: at the end\n")})
    old = look(project)
    assert update(project, env).returncode == 3
    write(project, {"a.txt": text("a", "mine: at the end\n", "theirs\n")})
    assert refused(undo(project, env), "a.txt")
    sh("git", "add", "a.txt", cwd=project)
    assert refused(undo(project, env), "a.txt")
    sh("git", "restore", "--staged", "--worktree", "a.txt", cwd=project)
    assert undo(project, env).returncode == 0
    assert look(project) == old


def test_resolved_conflicts_that_are_committed_are_not_thrown_away(
    project: Path, env: dict[str, str]
) -> None:
    commit(project, {"a.txt": text("a", "mine: at the end\n")})
    assert update(project, env).returncode == 3
    commit(project, {"a.txt": text("a", "mine: at the end\n", "theirs\n")})
    now = look(project)
    assert refused(undo(project, env), "a.txt")
    assert look(project) == now


def test_only_the_last_of_two_updates_is_taken_back(project: Path, env: dict[str, str]) -> None:
    update(project, env)
    commit(project)
    between = look(project)
    update(project, env, "v3.0.0")
    assert undo(project, env).returncode == 0
    assert look(project) == between
    assert refused(undo(project, env), "no update to take back")
    assert look(project) == between


def test_a_refused_update_leaves_the_way_back_of_the_one_before(
    project: Path, env: dict[str, str]
) -> None:
    old = look(project)
    update(project, env)
    commit(project)
    write(project, {"b.txt": "mine: in the way\n"})
    done = cli("update", project, "--defaults", env=env)
    assert done.returncode == 1
    assert cli("update", project, "--dry-run", "--defaults", env=env).returncode == 1
    sh("git", "restore", "b.txt", cwd=project)
    assert cli("update", project, "--dry-run", "--defaults", env=env).returncode == 0
    assert undo(project, env).returncode == 0
    assert look(project) == old


def test_each_of_two_projects_in_one_repository_has_its_own_way_back(
    source: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    company = tmp_path / "company"
    one, two = (new(source, company / name, env, "--no-git") for name in ("one", "two"))
    commit(company)
    old = look(company)
    update(one, env)
    with_one = look(company)
    update(two, env)
    both = look(company)
    assert undo(one, env).returncode == 0
    assert undo(two, env).returncode == 0
    assert look(company) == old
    update(one, env)
    assert look(company) == with_one
    update(two, env)
    assert look(company) == both
    assert undo(two, env).returncode == 0
    assert look(company) == with_one


def test_modes_and_links_come_back_with_the_rights_they_had(
    tmp_path: Path, env: dict[str, str]
) -> None:
    source = make_template(tmp_path / "template", 1)
    project = make_project(tmp_path / "churn-model", source, env)
    (project / "src/a0.txt").chmod(0o600)
    (project / "src/run0.sh").chmod(0o640)
    old = look(project)
    update(project, env)
    assert (project / "src/a0.txt").stat().st_mode & 0o777 == 0o600
    assert (project / "src/run0.sh").stat().st_mode & 0o777 == 0o750
    assert undo(project, env).returncode == 0
    assert look(project) == old
