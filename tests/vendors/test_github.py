"""The GitHub workflows, run from checkout to production by act, with real containers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runners import engine
from tests.runners.github import Forge, Run
from tests.support import sh

pytestmark = pytest.mark.slow

ENVIRONMENTS = ("test", "staging", "production")
DIFFERENT = "LogisticRegression(random_state=seed)", "LogisticRegression(C=1e-9, random_state=seed)"


def commit(repository: Path, name: str, message: str) -> None:
    """Commit everything as somebody whose login is `ann`, and call it by a name."""
    ann = ("-c", "user.name=Ann", "-c", "user.email=1234+ann@users.noreply.github.com")
    sh("git", "add", "-A", cwd=repository)
    sh("git", *ann, "commit", "-q", "--no-verify", "-m", message, cwd=repository)
    sh("git", "tag", name, cwd=repository)


@pytest.fixture(scope="module")
def forge(
    locked: Callable[..., Path],
    ports: Callable[[], int],
    job_image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Forge]:
    """A server with one repository whose commits `internal`, `critical` and `broken` have tags."""
    folder, port = tmp_path_factory.mktemp("forge"), ports()
    repository = folder / "churn-model"
    shutil.copytree(locked(ci="github", criticality="internal", port=port), repository)
    commit(repository, "internal", "A model that matters a little")
    train = repository / "src/churn_model/train.py"
    text = train.read_text()
    assert DIFFERENT[0] in text
    train.write_text(text.replace(*DIFFERENT))
    tests = '"""No tests of the model: they would have told."""\n\n\ndef test_it() -> None: ...\n'
    (repository / "tests/test_model.py").write_text(tests)
    commit(repository, "broken", "A model that answers the same to everybody")
    careful = locked(ci="github", criticality="mission-critical", port=port)
    sh("git", "rm", "-rq", ".", cwd=repository)
    shutil.copytree(careful, repository, ignore=shutil.ignore_patterns(".git"), dirs_exist_ok=True)
    commit(repository, "critical", "A model that matters a lot")
    volumes = set(engine.run("volume", "ls", "-q").split())
    made = Forge(repository, folder, job_image)
    try:
        yield made
        assert made.containers() == []
    finally:
        if left := made.containers():
            engine.run("rm", "-f", *left)
        if new := {"act-toolcache"} & set(engine.run("volume", "ls", "-q").split()) - volumes:
            engine.run("volume", "rm", *new)


@pytest.fixture(scope="module")
def brought(forge: Forge) -> Run:
    """The run that Ann's push of the critical model started."""
    return forge.run("critical", "deploy.yml", "push", actor="ann")


def evidence(forge: Forge, run: Run) -> dict[str, Any]:
    """The release.json that a run leaves to the next."""
    [path] = forge.artifact(run, "release").glob("*/release.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_pull_request_is_built_tried_and_told_what_the_gate_said(forge: Forge) -> None:
    run = forge.run("internal", "ci.yml", "pull_request", actor="ann")
    assert run.jobs == {"change": "success"}, str(run)
    verbs = [step for step in run.steps if step.startswith("make")]
    assert verbs == [f"make {verb}" for verb in ("check", "train", "gate", "build", "image")]
    assert "accepted on 140 golden rows" in run.summary
    assert "golden rows as offline" in run.log()
    for image in set(re.findall(r"churn-model:[0-9a-f]{7}-[0-9a-f]{8}", run.log())):
        subprocess.run([engine.ensure(), "rmi", image], capture_output=True, check=False)


def test_a_push_brings_an_internal_model_to_production(forge: Forge) -> None:
    run = forge.run("internal", "deploy.yml", "push", actor="ann")
    assert run.jobs == dict.fromkeys(("build", *ENVIRONMENTS), "success"), str(run)
    for name in ENVIRONMENTS:
        log = run.log(name)
        assert len(re.findall(f"{name} +a rehearsal: .*DEPLOY_RUNNER", log)) == 1
        assert re.search(r"answers from old-(\S+)(.|\n)*answers from \1(.|\n)*rollback +ok", log)
    told = evidence(forge, run)
    assert told["commit"] == sh("git", "rev-parse", "internal", cwd=forge.repository).strip()
    verdicts = [told["environments"][name] for name in ENVIRONMENTS]
    assert {(said["result"], said["digest"]) for said in verdicts} == {("passed", told["digest"])}
    assert {said["who"] for said in verdicts} == {"ann"}


def test_a_push_of_a_critical_model_waits_before_production(brought: Run) -> None:
    assert brought.jobs == dict.fromkeys(("build", "test", "staging"), "success"), str(brought)
    waiting = [line for line in brought.log("staging").splitlines() if "approv" in line]
    assert len(waiting) == 1, str(brought)
    assert "production" in waiting[0]
    assert str(brought.number) in waiting[0]


def test_its_author_cannot_approve_it(forge: Forge, brought: Run) -> None:
    inputs = {"run": str(brought.number), "reason": "I am sure"}
    run = forge.run("critical", "deploy.yml", "workflow_dispatch", "ann", inputs)
    assert run.jobs == {"production": "failure"}, str(run)
    assert "error: ann made" in run.log()
    assert "rehearsal" not in run.log()


def test_from_another_branch_it_is_not_approved(forge: Forge, brought: Run) -> None:
    inputs = {"run": str(brought.number), "reason": "quickly"}
    button = "critical", "deploy.yml", "workflow_dispatch", "bob", inputs, "--dryrun"
    assert forge.run(*button).jobs == {"production": "success"}
    assert forge.run(*button, branch="mine").jobs == {}


def test_another_person_approves_it_with_a_reason(forge: Forge, brought: Run) -> None:
    inputs = {"run": str(brought.number), "reason": "seen $HOME on 200 patients"}
    run = forge.run("critical", "deploy.yml", "workflow_dispatch", "bob", inputs)
    assert run.jobs == {"production": "success"}, str(run)
    assert "approved by bob" in run.log()
    told, before = evidence(forge, run), evidence(forge, brought)
    assert told["digest"] == before["digest"]
    said = told["environments"]["production"]
    assert (said["result"], said["approved_by"]) == ("passed", "bob")
    assert said["why"] == "seen $HOME on 200 patients"
    assert "production" not in before["environments"]


@pytest.mark.parametrize(
    ("workflow", "event", "job"),
    [("ci.yml", "pull_request", "change"), ("deploy.yml", "push", "build")],
)
def test_a_commit_that_breaks_the_gate_is_stopped(
    forge: Forge, workflow: str, event: str, job: str
) -> None:
    run = forge.run("broken", workflow, event, actor="ann")
    assert run.jobs == {job: "failure"}, str(run)
    assert (run.steps["make check"], run.steps["make train"]) == ("success", "success")
    assert run.steps["make gate"] == "failure"
    assert "make build" not in run.steps
    assert "refused" in run.summary
    assert not forge.artifact(run, "release").exists()


def test_a_rollback_where_no_server_is_named_says_so(forge: Forge) -> None:
    inputs = {"environment": "production", "reason": "wrong answers"}
    run = forge.run("internal", "rollback.yml", "workflow_dispatch", "bob", inputs)
    assert run.jobs == {"rollback": "failure"}, str(run)
    assert "error: there is no production to roll back: this machine plays the server" in run.log()


def test_a_schedule_starts_the_weekly_job_alone(forge: Forge) -> None:
    run = forge.run("internal", "ci.yml", "schedule", "ann", None, "--dryrun")
    assert run.jobs == {"weekly": "success"}, str(run)
    assert "make weekly" in run.steps


def test_a_variable_sends_every_job_to_runners_of_ones_own(forge: Forge) -> None:
    ours = ("--dryrun", "--var=RUNNER=ours")
    run = forge.run("internal", "ci.yml", "schedule", "ann", None, *ours)
    assert run.jobs == {}, str(run)  # nobody here is called so
    run = forge.run(
        "internal", "ci.yml", "schedule", "ann", None, *ours, f"--platform=ours={forge.image}"
    )
    assert run.jobs == {"weekly": "success"}, str(run)
