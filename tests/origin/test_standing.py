"""Versions as real templates have them: no PEP 440, no tags at all, commits, pre-releases."""

import json
from pathlib import Path

import pytest
import yaml

from tests.support import SMALL, Done, commit, sh, template
from tests.warm import cli

OLD, NEW = "one\ntwo\nthree\n", "one\ntwo\nTHREE\n"
FILES = SMALL | {"a.txt": OLD}


def new(source: Path, made: Path, *options: str) -> Path:
    """A project, in which the first line of a.txt is the person's."""
    done = cli("new", made, "--template", source, "--defaults", *options)
    assert done.returncode == 0, done.stderr
    commit(made, {"a.txt": OLD.replace("one", "mine: one")})
    return made


def recorded(project: Path) -> str:
    return str(yaml.safe_load((project / ".copier-answers.yml").read_text())["_commit"])


def updated(project: Path, *options: str) -> Done:
    done = cli("update", project, "--defaults", *options)
    assert done.returncode == 0, done.stderr
    sh(
        "git",
        "commit",
        "-qam",
        "Update",
        cwd=project,
        env={
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b",
        },
    )
    return done


TAGS = [
    ("template-v1.0.0", "template-v1.1.0"),
    ("v2024-02-06", "v2024-03-01"),
    ("release-1.0", "release-1.1"),
    ("v1.0.0-hotfix", "v1.1.0-hotfix"),
    ("initial", "second"),
]


@pytest.mark.parametrize("tags", TAGS, ids=[tags[0] for tags in TAGS])
def test_any_tag_is_a_version_and_what_the_person_wrote_stays_theirs(
    tmp_path: Path, tags: tuple[str, str]
) -> None:
    source = template(tmp_path / "t", FILES, tags[0])
    made = new(source, tmp_path / "p", "--ref", tags[0])
    assert recorded(made) == tags[0]
    assert cli("status", made).returncode == 0
    commit(source, {"a.txt": NEW}, tag=tags[1])
    behind = cli("status", made)
    assert (behind.returncode, behind.stderr.count("\n")) == (5, 1), behind.stderr
    assert f"newest {tags[1]}, 1 commit behind" in behind.stdout
    updated(made)
    assert recorded(made) == tags[1]
    assert (made / "a.txt").read_text() == NEW.replace("one", "mine: one")
    assert "is already at" in cli("update", made).stdout
    refused = cli("update", made, "--to", tags[0])
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"{tags[0]} is older than the project's {tags[1]}" in refused.stderr


def test_a_tag_of_another_kind_is_followed_by_the_release_whose_history_holds_it(
    tmp_path: Path,
) -> None:
    source = template(tmp_path / "t", FILES, "v1.0.0")
    commit(source, {"b.txt": "b\n"}, tag="v1.0.0-hotfix")
    made = new(source, tmp_path / "p", "--ref", "v1.0.0-hotfix")
    assert cli("status", made).returncode == 0
    commit(source, {"a.txt": NEW}, tag="v1.1.0")
    assert "newest v1.1.0, 1 release behind" in cli("status", made).stdout
    updated(made)
    assert recorded(made) == "v1.1.0"


def test_a_template_without_tags_is_followed_by_its_commits(tmp_path: Path) -> None:
    source = template(tmp_path / "t", FILES, None)
    made = new(source, tmp_path / "p")
    first = sh("git", "rev-parse", "HEAD", cwd=source).strip()
    assert first.startswith(recorded(made))
    assert cli("status", made).returncode == 0
    assert "the template's newest commit" in cli("update", made).stdout
    commit(source, {"a.txt": NEW})
    last = commit(source, {"b.txt": "b\n"})
    told = json.loads(cli("status", made, "--json").stdout)["template"]
    assert (told["behind"], told["unit"]) == (2, "commit")
    updated(made)
    assert last.startswith(recorded(made))
    assert (made / "a.txt").read_text() == NEW.replace("one", "mine: one")


def test_a_project_that_is_ahead_of_the_newest_release_is_not_called_behind(
    tmp_path: Path,
) -> None:
    source = template(tmp_path / "t", FILES, "v1.0.0")
    made = new(source, tmp_path / "p")
    commit(source, {"a.txt": NEW})
    updated(made, "--to", "HEAD")
    assert recorded(made).startswith("v1.0.0-1-g")
    ahead = cli("status", made)
    assert ahead.returncode == 0
    assert "after the newest release v1.0.0" in ahead.stdout
    assert "after the template's newest release v1.0.0" in cli("update", made).stdout
    bare = sh("git", "rev-parse", "--short", "HEAD", cwd=source).strip()
    answers = made / ".copier-answers.yml"
    commit(made, {answers.name: answers.read_text().replace(recorded(made), bare)})
    assert cli("status", made).returncode == 0, "a bare commit is ordered by history"


def test_a_newer_prerelease_is_named_recorded_and_left(tmp_path: Path) -> None:
    source = template(tmp_path / "t", FILES, "v1.0.0")
    made = new(source, tmp_path / "p")
    commit(source, {"a.txt": NEW}, tag="v2.0.0rc1")
    for said in (cli("status", made), cli("update", made)):
        assert said.returncode == 0
        assert "--to v2.0.0rc1" in said.stdout + said.stderr
    updated(made, "--to", "v2.0.0rc1")
    assert recorded(made) == "v2.0.0rc1"
    assert cli("status", made).returncode == 0
    commit(source, {"b.txt": "b\n"}, tag="v2.0.0")
    assert cli("status", made).returncode == 5
    updated(made)
    assert recorded(made) == "v2.0.0"


def test_a_branch_is_no_version(tmp_path: Path) -> None:
    source = template(tmp_path / "t", FILES, "v1.0.0")
    made = new(source, tmp_path / "p")
    answers = made / ".copier-answers.yml"
    commit(made, {answers.name: answers.read_text().replace("v1.0.0", "main")})
    commit(source, {"a.txt": NEW}, tag="v1.1.0")
    assert "main is moved along with newer versions" in cli("status", made).stderr
    done = cli("update", made)
    assert (done.returncode, done.stdout) == (1, "")
    assert "moved along" in done.stderr
    assert (made / "a.txt").read_text() == OLD.replace("one", "mine: one")
