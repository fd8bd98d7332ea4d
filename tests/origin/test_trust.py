"""Which template a project may be updated from."""

from pathlib import Path

import pytest

from tests.support import SMALL, cli, commit, sh, template


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """A project whose committed answers file names another template than at the beginning."""
    for name in ("first", "second"):
        source = template(tmp_path / name)
        commit(source, {"more.txt": f"of the {name}\n"}, tag="v1.1.0")
    made = tmp_path / "p"
    assert cli("new", made, "--template", tmp_path / "first", "--ref", "v1.0.0").returncode == 0
    text = (made / ".copier-answers.yml").read_text()
    commit(made, {".copier-answers.yml": text.replace("/first", "/second")})
    return made


@pytest.mark.parametrize("verb", ["update", "status", "diff"])
def test_a_changed_source_is_refused_and_nothing_is_rendered(moved: Path, verb: str) -> None:
    done = cli(verb, moved)
    assert done.returncode == 4
    assert "another template than the project began with" in done.stderr
    assert f"--template {moved.parent / 'second'}" in done.stderr
    assert sh("git", "status", "--porcelain", cwd=moved) == ""


def test_a_confirmed_source_is_remembered_in_this_clone(moved: Path) -> None:
    done = cli("update", moved, "--template", moved.parent / "second")
    assert done.returncode == 0, done.stderr
    assert (moved / "more.txt").read_text() == "of the second\n"
    commit(moved)
    commit(moved.parent / "second", {"more.txt": "later\n"}, tag="v1.2.0")
    assert cli("status", moved).returncode == 5
    assert cli("update", moved).returncode == 0
    assert (moved / "more.txt").read_text() == "later\n"
    sh("git", "clone", "-q", moved, moved.parent / "clone")
    assert cli("status", moved.parent / "clone").returncode == 4


def test_a_dry_run_confirms_nothing(moved: Path) -> None:
    assert cli("update", moved, "--template", moved.parent / "second", "--dry-run").returncode == 0
    assert cli("update", moved).returncode == 4


def test_a_template_that_really_moved_keeps_its_versions(tmp_path: Path) -> None:
    source = template(tmp_path / "t", SMALL | {"a.txt": "a\n"})
    assert cli("new", tmp_path / "p", "--template", source).returncode == 0
    commit(source, {"a.txt": "b\n"}, tag="v1.1.0")
    source.rename(tmp_path / "moved")
    done = cli("update", tmp_path / "p")
    assert done.returncode == 1
    assert "--template URL" in done.stderr
    done = cli("update", tmp_path / "p", "--template", tmp_path / "moved")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p/a.txt").read_text() == "b\n"
    assert str(tmp_path / "moved") in (tmp_path / "p/.copier-answers.yml").read_text()


def test_the_source_a_subfolder_began_with_counts_also_after_a_move(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    commit(tmp_path / "mono", {"README.md": "all\n"})
    options = ("--template", source, "--no-git")
    assert cli("new", tmp_path / "mono/one", *options).returncode == 0
    commit(tmp_path / "mono")
    sh("git", "mv", "one", "two", cwd=tmp_path / "mono")
    commit(tmp_path / "mono")
    commit(source, {"more.txt": "more\n"}, tag="v1.1.0")
    done = cli("update", "mono/two", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
