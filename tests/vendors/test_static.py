"""The files for CI vendors, held against the vendors' schemas, a security audit, and our rules."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import Done, run

CRITICALITIES, TARGETS = ("internal", "mission-critical"), ("local", "kubernetes")
ANSWERS = list(itertools.product(CRITICALITIES, TARGETS))
SUMMARY = 'cat .state/gate/report.md >> "$GITHUB_STEP_SUMMARY"'
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
OWNER = r"@[a-zA-Z0-9-]+/[a-z0-9]+(-[a-z0-9]+)*"


def tool(name: str, *argv: str | Path) -> Done:
    """Run a tool that is installed beside this Python."""
    return run(Path(sys.executable).with_name(name), *argv)


@pytest.fixture(params=ANSWERS, ids="-".join)
def github(request: pytest.FixtureRequest, rendered: Callable[..., Path]) -> Path:
    criticality, target = request.param
    return rendered(ci="github", criticality=criticality, target=target)


@pytest.fixture(params=ANSWERS, ids="-".join)
def gitlab(request: pytest.FixtureRequest, rendered: Callable[..., Path]) -> Path:
    criticality, target = request.param
    return rendered(ci="gitlab", criticality=criticality, target=target)


def workflows(project: Path) -> dict[str, Any]:
    """The workflows by name; `on` is read as True by YAML."""
    files = sorted((project / ".github/workflows").iterdir())
    return {path.stem: yaml.safe_load(path.read_text()) for path in files}


def jobs(project: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for flow, content in workflows(project).items():
        for name, job in content["jobs"].items():
            yield f"{flow}: {name}", job


def test_an_audit_finds_nothing_in_the_workflows(github: Path) -> None:
    done = tool("zizmor", "--pedantic", "--offline", "--no-progress", github)
    assert done.returncode == 0, done.stdout
    for name in ("ci.yml", "deploy.yml", "rollback.yml", "dependabot.yml"):
        assert f"/{name}" in done.stderr, "it was not looked at"


def test_the_audit_would_find_a_careless_checkout(
    rendered: Callable[..., Path], tmp_path: Path
) -> None:
    text = (rendered(ci="github") / ".github/workflows/ci.yml").read_text()
    careless = tmp_path / "ci.yml"
    careless.write_text(text.replace("with: {persist-credentials: false}", ""))
    done = tool("zizmor", "--pedantic", "--offline", careless)
    assert done.returncode != 0
    assert "artipacked" in done.stdout


def test_the_files_are_what_github_expects(github: Path) -> None:
    folder = github / ".github"
    files = sorted((folder / "workflows").iterdir())
    for schema, names in (("github-workflows", files), ("dependabot", [folder / "dependabot.yml"])):
        done = tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *names)
        assert done.returncode == 0, done.stdout


def test_the_file_is_what_gitlab_expects(gitlab: Path) -> None:
    options = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
    done = tool("check-jsonschema", *options, gitlab / ".gitlab-ci.yml")
    assert done.returncode == 0, done.stdout
    assert not (gitlab / ".github").exists()


def test_every_action_is_pinned_to_a_commit_and_says_its_version(github: Path) -> None:
    text = "".join(path.read_text() for path in (github / ".github/workflows").iterdir())
    used = re.findall(r"uses: *(.*)", text)
    assert used
    assert [words for words in used if not PINNED.fullmatch(words)] == []
    names = {words.split("@")[0] for words in used}
    artifacts = {"actions/upload-artifact", "actions/download-artifact"}
    assert names == {"actions/checkout", "astral-sh/setup-uv", *artifacts}
    assert len(set(used)) == len(names), "one commit for each action"


def test_every_step_is_a_make_verb_that_the_makefile_has(github: Path) -> None:
    verbs = set(re.findall(r"(?m)^([a-z]+):", (github / "Makefile").read_text()))
    scripts = [step["run"] for _, job in jobs(github) for step in job["steps"] if "run" in step]
    assert scripts
    for script in scripts:
        command, *words = script.split()
        assert script == SUMMARY or (command == "make" and set(words) <= verbs), script


def test_jobs_may_read_only_and_end_some_time(github: Path) -> None:
    for content in workflows(github).values():
        assert content["permissions"] == {}
    for name, job in jobs(github):
        assert set(job["permissions"].values()) == {"read"}, name
        assert job["timeout-minutes"] <= 30, name


def test_one_variable_says_which_runners_take_the_jobs_of_github(github: Path) -> None:
    for name, job in jobs(github):
        assert job["runs-on"].endswith("vars.RUNNER || 'ubuntu-24.04' }}"), name


def test_one_variable_says_which_runners_take_the_jobs_of_gitlab(gitlab: Path) -> None:
    file = yaml.safe_load((gitlab / ".gitlab-ci.yml").read_text())
    assert file["default"]["tags"] == ["$RUNNER"]
    assert file[".deploy"]["tags"] == ["$DEPLOY_TAG"]
    assert file["variables"]["DEPLOY_TAG"] == "$RUNNER"
    [rule] = [rule for rule in file["workflow"]["rules"] if "variables" in rule]
    assert rule["variables"] == {"DEPLOY_TAG": "$DEPLOY_RUNNER"}
    assert rule["if"].endswith("&& $DEPLOY_RUNNER")
    others = [job for name, job in file.items() if name != ".deploy" and isinstance(job, dict)]
    assert [job["tags"] for job in others if "tags" in job] == [["$RUNNER"]]


def test_a_deploy_is_never_cancelled_and_never_beside_another_or_a_rollback(github: Path) -> None:
    flows = workflows(github)
    deploys = [job for job in flows["deploy"]["jobs"].values() if "environment" in job]
    assert [job["environment"] for job in deploys] == ["test", "staging", "production"]
    for job in deploys:
        alone = {"group": job["environment"], "cancel-in-progress": False}
        assert job["concurrency"] == alone
    assert flows["deploy"]["concurrency"]["cancel-in-progress"] is False
    back = flows["rollback"]
    assert back["concurrency"] == {
        "group": "${{ inputs.environment }}",
        "cancel-in-progress": False,
    }
    assert back["jobs"]["rollback"]["environment"] == "${{ inputs.environment }}"


TEAMS = ["data-science", "Risk & Fraud (EU)", "Équipe 7", "データ", "#1 team"]


@pytest.mark.parametrize(
    ("vendor", "team"), [*(("github", team) for team in TEAMS), ("gitlab", TEAMS[0])]
)
def test_owners_can_be_read_whatever_the_team_is_called(
    rendered: Callable[..., Path], vendor: str, team: str
) -> None:
    made = rendered(ci=vendor, team=team, criticality="mission-critical")
    text = (made / "CODEOWNERS").read_text()
    rules = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert re.fullmatch(rf"\* {OWNER}", rules[0])
    for rule in rules[1:]:
        found = re.fullmatch(rf"/(\S+) {OWNER}", rule)
        assert found, rule
        assert (made / found[1]).exists(), rule
        judges = found[1].endswith(("gate.py", "golden.py"))
        assert rule.endswith("-reviewers") == judges, rule
    assert rules[0].endswith("-reviewers")


def test_an_internal_model_has_one_line_of_owners(rendered: Callable[..., Path]) -> None:
    text = (rendered(ci="github", criticality="internal") / "CODEOWNERS").read_text()
    assert re.fullmatch(rf"#[^\n]*\n\* {OWNER}\n", text)
