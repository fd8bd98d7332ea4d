"""`adopt`: an existing repository under a template."""

import json
from pathlib import Path

import pytest
import yaml

from tests.support import IDENTITY, SMALL, commit, sh, template, write
from tests.warm import cli

LONG = "".join(f"line {number}\n" for number in range(30))
FILES = SMALL | {"a.txt": LONG, "ci/run.sh": "v1\n", "only.txt": "one\n"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A template with three versions."""
    folder = template(tmp_path / "t", FILES)
    commit(folder, {"a.txt": LONG + "second\n", "ci/run.sh": "v2\n"}, tag="v2.0.0")
    newest = {"a.txt": "top\n" + LONG + "second\n", "ci/run.sh": "v3\n", "new.txt": "new\n"}
    commit(folder, newest, tag="v3.0.0")
    return folder


def status(folder: Path) -> list[str]:
    return sh("git", "status", "--porcelain", cwd=folder).splitlines()


def test_a_repository_made_by_hand_keeps_its_own_and_gets_what_it_lacks(
    source: Path, tmp_path: Path
) -> None:
    made = tmp_path / "p"
    # Its files are like those of version 2, with work of its own in them.
    mine = LONG.replace("line 9\n", "line 9, mine\n") + "second\n"
    commit(made, {"a.txt": mine, "ci/run.sh": "v2\n", "own.py": "own\n", "hello.txt": "p 3\n"})
    done = cli("adopt", made, "--template", source)
    assert done.returncode == 0, done.stderr
    assert "it looks most like v2.0.0" in done.stderr
    assert (made / "a.txt").read_text() == "top\n" + mine
    assert (made / "ci/run.sh").read_text() == "v3\n"
    assert (made / "own.py").read_text() == "own\n"
    assert (made / "new.txt").exists()
    assert (made / "only.txt").exists()
    recorded = yaml.safe_load((made / ".copier-answers.yml").read_text())
    assert (recorded["_commit"], recorded["_src_path"]) == ("v3.0.0", str(source))
    sh("git", "commit", "-qm", "Adopt", cwd=made, env=IDENTITY)
    assert "the newest" in cli("status", made).stdout
    commit(source, {"a.txt": "very top\ntop\n" + LONG + "second\n"}, tag="v4.0.0")
    assert cli("update", made).returncode == 0
    assert (made / "a.txt").read_text() == "very top\ntop\n" + mine


def test_undo_takes_an_adoption_back(source: Path, tmp_path: Path) -> None:
    made = tmp_path / "p"
    commit(made, {"a.txt": LONG, "own.py": "own\n"})
    assert cli("adopt", made, "--template", source).returncode == 0
    assert (made / ".copier-answers.yml").exists()
    done = cli("undo", made)
    assert done.returncode == 0, done.stderr
    assert status(made) == []
    assert sorted(path.name for path in made.iterdir()) == [".git", "a.txt", "own.py"]


def test_a_project_of_plain_copier_without_its_answers_file_is_found_again(
    source: Path, tmp_path: Path
) -> None:
    made = tmp_path / "p"
    sh("copier", "copy", "-q", "--defaults", "--vcs-ref", "v1.0.0", source, made)
    (made / ".copier-answers.yml").unlink()
    commit(made)
    done = cli("adopt", made, "--template", source, "--ref", "v2.0.0", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["command"] == "adopt"
    assert data["template"] == {"url": str(source), "from": "v1.0.0", "to": "v2.0.0"}
    sh("copier", "copy", "-q", "--defaults", "--vcs-ref", "v2.0.0", source, tmp_path / "q/p")
    for path in ("a.txt", "ci/run.sh", "hello.txt", ".copier-answers.yml"):
        assert (made / path).read_bytes() == (tmp_path / "q/p" / path).read_bytes(), path


def test_a_project_with_an_unknown_version_is_put_back_on_the_road(
    source: Path, tmp_path: Path
) -> None:
    made = tmp_path / "p"
    assert cli("new", made, "--template", source, "--ref", "v1.0.0", "-d", "size=7").returncode == 0
    answers = made / ".copier-answers.yml"
    commit(made, {".copier-answers.yml": answers.read_text().replace("v1.0.0", "v0.0.9")})
    done = cli("update", made)
    assert done.returncode == 1
    assert "adopt" in done.stderr
    done = cli("adopt", made, "--template", source)
    assert done.returncode == 0, done.stderr
    assert "it looks most like v1.0.0" in done.stderr
    assert (made / "hello.txt").read_text() == "p 7\n", "recorded answers are kept"
    assert yaml.safe_load(answers.read_text())["_commit"] == "v3.0.0"


def test_a_project_that_is_under_it_already_is_told_to_update(source: Path, tmp_path: Path) -> None:
    assert cli("new", tmp_path / "p", "--template", source, "--ref", "v1.0.0").returncode == 0
    for ref, remedy in [
        ((), f"`mlops-scaffold update {tmp_path / 'p'}`"),
        (("--ref", "v2.0.0"), f"`mlops-scaffold update --to v2.0.0 {tmp_path / 'p'}`"),
        (("--ref", "v1.0.0"), f"nothing is left to do; `mlops-scaffold diff {tmp_path / 'p'}`"),
    ]:
        done = cli("adopt", tmp_path / "p", "--template", source, *ref)
        assert done.returncode == 1
        assert "is already under this template, at v1.0.0" in done.stderr
        assert remedy in done.stderr
        assert status(tmp_path / "p") == []


def test_a_dry_run_shows_and_changes_nothing(source: Path, tmp_path: Path) -> None:
    commit(tmp_path / "p", {"a.txt": LONG})
    done = cli("adopt", tmp_path / "p", "--template", source, "--dry-run")
    assert done.returncode == 0
    assert "+top" in done.stdout
    assert status(tmp_path / "p") == []


def test_what_both_have_and_no_version_explains_is_a_conflict(source: Path, tmp_path: Path) -> None:
    made = tmp_path / "p"
    commit(made, {"ci/run.sh": "my own script\n", "a.txt": LONG})
    done = cli("adopt", made, "--template", source)
    assert done.returncode == 3, done.stderr
    text = (made / "ci/run.sh").read_text()
    assert text == "<<<<<<< project\nmy own script\n=======\nv3\n>>>>>>> template-v3.0.0\n"
    assert sh("git", "diff", "--name-only", "--diff-filter=U", cwd=made) == "ci/run.sh\n"


@pytest.mark.parametrize(
    ("argv", "code", "word"),
    [
        (("--ref", "v9"), 2, "no version"),
        (("-d", "colour=red"), 2, "no question"),
        (("-d", "size=big"), 2, "no whole number"),
    ],
)
def test_bad_input_changes_nothing(
    source: Path, tmp_path: Path, argv: tuple[str, ...], code: int, word: str
) -> None:
    commit(tmp_path / "p", {"a.txt": LONG})
    done = cli("adopt", tmp_path / "p", "--template", source, *argv)
    assert done.returncode == code
    assert word in done.stderr
    assert status(tmp_path / "p") == []


def test_files_in_the_way_are_named_and_kept(source: Path, tmp_path: Path) -> None:
    made = tmp_path / "p"
    commit(made, {"a.txt": LONG})
    write(made, {"new.txt": "mine, not committed\n"})
    done = cli("adopt", made, "--template", source)
    assert done.returncode == 1
    assert "new.txt (untracked)" in done.stderr
    assert (made / "new.txt").read_text() == "mine, not committed\n"
    assert status(made) == ["?? new.txt"]


def test_a_merge_that_starts_at_its_own_target_says_what_it_takes_for_the_persons_work(
    source: Path, tmp_path: Path
) -> None:
    made = tmp_path / "p"
    mine = {"a.txt": "mine\n" + LONG + "second\n", "ci/run.sh": "v2\n", "hello.txt": "p 3\n"}
    commit(made, mine)
    done = cli("adopt", made, "--template", source, "--ref", "v2.0.0")
    assert done.returncode == 0, done.stderr
    assert "it looks most like v2.0.0" in done.stderr
    assert "note: what differs from v2.0.0 is taken for your own work: a.txt\n" in done.stderr
    sh("git", "commit", "-qm", "Adopt", cwd=made, env=IDENTITY)
    answers = (made / ".copier-answers.yml").read_text()
    commit(made, {".copier-answers.yml": answers.replace("v2.0.0", "gone")})
    sh("git", "tag", "-d", "v3.0.0", cwd=source)
    done = cli("adopt", made, "--template", source)
    assert (done.returncode, done.stdout) == (4, "")
    assert "would be taken for your work: a.txt" in done.stderr
    assert status(made) == []
    looked = cli("diff", made, "--to", "v2.0.0")
    assert "+mine" in looked.stdout
    done = cli("adopt", made, "--template", source, "--ref", "v2.0.0")
    assert done.returncode == 0, done.stderr
    assert (made / "a.txt").read_text() == mine["a.txt"]


def test_the_nearest_commit_of_a_template_without_tags_is_found(tmp_path: Path) -> None:
    source = template(tmp_path / "t", FILES, None)
    first = sh("git", "rev-parse", "--short", "HEAD", cwd=source).strip()
    commit(source, {"a.txt": LONG + "second\n"})
    made = tmp_path / "p"
    commit(made, {"a.txt": "mine\n" + LONG, "ci/run.sh": "v1\n"})
    done = cli("adopt", made, "--template", source)
    assert done.returncode == 0, done.stderr
    assert f"it looks most like {first}" in done.stderr
    assert (made / "a.txt").read_text() == "mine\n" + LONG + "second\n"
