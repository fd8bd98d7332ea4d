"""Versions as real templates have them: no PEP 440, no tags at all, commits, pre-releases."""

import json
from pathlib import Path

import pytest
import yaml

from tests.support import IDENTITY, SMALL, Done, commit, sh, template
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
    sh("git", "commit", "-qam", "Update", cwd=project, env=IDENTITY)
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


def test_a_version_past_the_newest_that_the_template_lacks_is_said_to_be_missing(
    tmp_path: Path,
) -> None:
    source = template(tmp_path / "t", FILES, "v1.0.0")
    commit(source, {"a.txt": NEW}, tag="v1.1.0")
    made = new(source, tmp_path / "p")
    sh("git", "tag", "-d", "v1.1.0", cwd=source)
    done = cli("update", made)
    assert done.returncode == 0
    assert "already at v1.1.0, after the template's newest release v1.0.0; it has no v1.1.0" in (
        done.stdout
    )


def test_a_commit_that_the_template_has_no_more_leads_to_adopt_from_every_verb(
    tmp_path: Path,
) -> None:
    source = template(tmp_path / "t", FILES, None)
    made = new(source, tmp_path / "p")
    answers = made / ".copier-answers.yml"
    commit(made, {answers.name: answers.read_text().replace(recorded(made), "85694ff")})
    for verb in ("status", "update", "diff"):
        done = cli(verb, made)
        assert done.returncode == 1
        assert "no version '85694ff', which the answers file names" in done.stderr
        assert f"`mlops-scaffold adopt {made} --template {source}`" in done.stderr


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
    current = cli("update", made).stdout
    assert "after the template's newest release v1.0.0\n" in current
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


def test_a_version_of_fewer_numbers_is_one_when_it_came_before_the_others(tmp_path: Path) -> None:
    source = template(tmp_path / "t", FILES, "1.0")
    made = new(source, tmp_path / "p", "--ref", "1.0")
    commit(source, {"a.txt": NEW}, tag="1.0.1")
    assert "newest 1.0.1, 1 release behind" in cli("status", made).stdout
    updated(made)
    assert (made / "a.txt").read_text() == NEW.replace("one", "mine: one")
    sh("git", "tag", "-f", "1.0", "1.0.1", cwd=source)  # from now on it is moved along
    answers = made / ".copier-answers.yml"
    commit(made, {answers.name: answers.read_text().replace("1.0.1", "'1.0'")})
    assert "moved along" in cli("update", made).stderr


def test_a_name_that_moves_is_never_recorded(tmp_path: Path) -> None:
    source = template(tmp_path / "t", FILES, "template-v1.0.0")
    for name in ("latest", "v1", "v1.0.0"):
        sh("git", "tag", name, cwd=source)
    assert recorded(new(source, tmp_path / "p", "--ref", "v1")) == "v1.0.0"
    sh("git", "tag", "-d", "v1", "v1.0.0", cwd=source)
    assert recorded(new(source, tmp_path / "q", "--ref", "latest")) == "template-v1.0.0"
    sh("git", "update-ref", "refs/remotes/origin/dev", "HEAD", cwd=source)
    for branch in ("HEAD", "dev"):
        answers = tmp_path / "q/.copier-answers.yml"
        text = answers.read_text().replace("template-v1.0.0", branch)
        commit(tmp_path / "q", {answers.name: text})
        assert "moved along" in cli("status", tmp_path / "q").stderr
        answers.write_text(text.replace(branch, "template-v1.0.0"))


def test_a_release_that_is_in_the_recorded_commit_is_not_newer_whatever_its_number(
    tmp_path: Path,
) -> None:
    source = template(tmp_path / "t", FILES, "v1.0.0")
    sh("git", "checkout", "-qb", "fixes", cwd=source)
    fix = {"a.txt": NEW}
    commit(source, fix, tag="v1.0.1")
    sh("git", "checkout", "-q", "main", cwd=source)
    for name in ("b.txt", "c.txt"):
        commit(source, {name: "more\n"})
    aside = new(source, tmp_path / "aside", "--ref", "HEAD")
    assert recorded(aside).startswith("v1.0.0-2-g")
    told = cli("update", aside, "--dry-run")
    assert "v1.0.1 does not come after v1.0.0-2-g" in told.stderr
    commit(source, fix)
    sh("git", "merge", "-q", "-s", "ours", "fixes", cwd=source, env=IDENTITY)
    inside = new(source, tmp_path / "inside", "--ref", "HEAD")
    answers = inside / ".copier-answers.yml"
    head = sh("git", "rev-parse", "--short", "HEAD", cwd=source).strip()
    text = answers.read_text().replace(recorded(inside), f"v1.0.0-5-g{head}")
    commit(inside, {answers.name: text})
    status = cli("status", inside)
    assert (status.returncode, status.stderr) == (0, "")
    assert "after the newest release v1.0.1" in status.stdout
    assert "v1.0.1 is older than" in cli("update", inside, "--to", "v1.0.1").stderr


def test_a_project_of_a_work_tree_with_changes_is_known_again(tmp_path: Path) -> None:
    source = template(tmp_path / "t", FILES, "template-v1.0.0")
    (source / "b.txt").write_text("not committed\n")
    made = new(source, tmp_path / "p", "--ref", "HEAD")
    assert recorded(made).startswith("template-v1.0.0-1-g")
    assert cli("status", made).returncode == 0
    commit(source, {"a.txt": NEW})
    assert "1 commit behind" in cli("status", made).stdout
    updated(made)
    assert (made / "a.txt").read_text() == NEW.replace("one", "mine: one")
