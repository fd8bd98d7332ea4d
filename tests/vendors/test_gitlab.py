"""The GitLab pipeline, run from checkout to production, and stopped where it has to stop.

Two projects go down the whole road once: an internal one for servers, and a mission-critical one
for Kubernetes. The other tests start from what these pipelines left: artifacts, and jobs that wait
for a person.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.runners import engine, gitlab
from tests.runners.gitlab import Outcome, Repository
from tests.support import IDENTITY, commit, last_known_day, run, sh

pytestmark = pytest.mark.slow

AUTHOR, COLLEAGUE = "ada", "grace"
ROAD = ("test", "staging", "production")
BUTTONS = {f"rollback: [{name}]": "manual" for name in ROAD}
Maker = Callable[..., Repository]


@dataclass(frozen=True)
class Shipped:
    """A repository whose main branch was pushed, and what its pipeline did."""

    repository: Repository
    pushed: Outcome

    def verdicts(self, job: str) -> dict[str, dict[str, Any]]:
        """What each environment has said of the release, as the job hands it on."""
        [path] = self.repository.uploaded(job).glob(".state/releases/*/release.json")
        return dict(json.loads(path.read_text())["environments"])


@pytest.fixture(scope="module")
def make(
    locked: Callable[..., Path],
    job_image: str,
    ports: Callable[[], int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Maker]:
    """Makes a repository from some answers; leaves no image of its releases behind."""
    try:
        gitlab.tools()
        gitlab.door()
    except engine.Unavailable as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(reason))
    commits = []

    def clone(**answers: str) -> Repository:
        origin = tmp_path_factory.mktemp("gitlab") / "churn-model"
        shutil.copytree(locked(ci="gitlab", port=ports(), **answers), origin)
        commits.append(commit(origin))
        return gitlab.clone(origin, origin.parent / "clone", job_image)

    yield clone
    for name in commits:
        label = f"label=org.opencontainers.image.revision={name}"
        if images := engine.run("image", "ls", "--quiet", "--filter", label).split():
            engine.run("image", "rm", "--force", *set(images))


@pytest.fixture(scope="module")
def internal(make: Maker) -> Shipped:
    """A project of which everything was pushed to the main branch."""
    repository = make(criticality="internal", target="local")
    return Shipped(repository, repository.pipeline(by=AUTHOR))


@pytest.fixture(scope="module")
def critical(make: Maker) -> Shipped:
    """A mission-critical one, without the job `check`, which is the same and takes longest."""
    repository = make(criticality="mission-critical", target="kubernetes")
    waiting = [name for name, when in repository.jobs("push").items() if when == "on_success"]
    jobs = [name for name in waiting if name != "check"]
    return Shipped(repository, repository.pipeline(*jobs, by=AUTHOR))


@pytest.mark.parametrize("target", ["local", "kubernetes"])
@pytest.mark.parametrize("criticality", ["internal", "mission-critical"])
def test_every_script_is_a_make_verb_and_deploys_are_left_alone(
    rendered: Callable[..., Path], criticality: str, target: str
) -> None:
    project = rendered(ci="gitlab", criticality=criticality, target=target)
    verbs = set(re.findall(r"(?m)^([a-z]+):", (project / "Makefile").read_text()))
    file = yaml.safe_load((project / ".gitlab-ci.yml").read_text())
    scripts = [job["script"] for job in file.values() if "script" in job]
    assert len(scripts) >= 6
    for script in scripts:
        words = script.removesuffix(" ENV=$ENV").replace("${REGISTRY:+image push}", "image push")
        assert words.split()[0] == "make" and set(words.split()[1:]) <= verbs, script
    assert file[".deploy"]["interruptible"] is False
    assert file[".deploy"]["resource_group"] == file[".deploy"]["environment"]["name"] == "$ENV"
    assert {file[name]["extends"] for name in (*ROAD, "rollback")} == {".deploy"}
    assert file["rollback"]["retry"] == 0  # or it might go back twice


def test_a_push_to_the_main_branch_goes_to_production_without_any_setting(
    internal: Shipped,
) -> None:
    assert internal.pushed.jobs == dict.fromkeys(("check", "build", *ROAD), "PASS")
    for name in ROAD:
        said = re.findall(rf"(?m)^{name} +> +{name} +(.*)", internal.pushed.text)
        [rehearsal] = [line for line in said if "a rehearsal" in line]
        assert "set DEPLOY_RUNNER" in rehearsal
        assert any(line.startswith("rollback    ok") for line in said)


def test_the_very_same_wheel_travels_and_collects_the_verdicts(internal: Shipped) -> None:
    wheels = set()
    for number, job in enumerate(("build", *ROAD)):
        [wheel] = internal.repository.uploaded(job).glob(".state/releases/*/*.whl")
        wheels.add(wheel.read_bytes())
        verdicts = internal.verdicts(job)
        assert [*verdicts] == list(ROAD[:number])
        assert {said["result"] for said in verdicts.values()} <= {"passed"}
        assert {said["who"] for said in verdicts.values()} <= {AUTHOR}
        assert not [path for path in wheel.parent.rglob("*") if "site-packages" in path.parts]
    assert len(wheels) == 1


def test_each_event_starts_its_own_jobs_and_no_other(internal: Shipped, critical: Shipped) -> None:
    automatic = dict.fromkeys(("check", "build", *ROAD), "on_success")
    assert internal.repository.jobs("push") == automatic | BUTTONS
    assert critical.repository.jobs("push") == automatic | {"production": "manual"} | BUTTONS
    change = dict.fromkeys(("check", "build", "container"), "on_success")
    assert internal.repository.jobs("merge_request_event") == change
    assert internal.repository.jobs("schedule") == {"weekly": "on_success"}


def test_a_merge_request_tries_the_release_as_a_container(internal: Shipped) -> None:
    done = internal.repository.pipeline("container", by=AUTHOR, event="merge_request_event")
    assert done.jobs == {"container": "PASS"}, done.text
    assert "golden rows as offline" in done.text


def test_a_commit_that_the_gate_refuses_goes_nowhere_and_the_report_says_why(
    internal: Shipped, tmp_path: Path
) -> None:
    image = internal.repository.image
    repository = gitlab.clone(internal.repository.path, tmp_path / "churn-model", image)
    settings = (repository.path / "pyproject.toml").read_text()
    demanding, count = re.subn(r"(?m)^min_skill = [\d.]+", "min_skill = 0.999", settings)
    assert count == 1
    commit(repository.path, {"pyproject.toml": demanding})
    done = repository.pipeline("build", *ROAD, by=AUTHOR)
    assert done.jobs == {"build": "FAIL"}, done.text
    report = (repository.uploaded("build") / ".state/gate/report.md").read_text()
    assert report.startswith("## Gate: refused") and "0.999" in report
    page = (repository.uploaded("build") / ".state/gate/report.html").read_text()
    assert "0.999" in page and "<svg" in page
    assert not (repository.uploaded("build") / ".state/releases").exists()


def test_on_a_server_of_ones_own_a_deploy_stays_and_the_button_takes_it_back(
    internal: Shipped, tmp_path: Path
) -> None:
    repository = replace(internal.repository, path=tmp_path / "churn-model")
    shutil.copytree(internal.repository.path, repository.path)
    server = tmp_path / "server"
    try:
        refused = repository.deploying("staging", by=AUTHOR, server=server)
        assert refused.jobs == {"staging": "FAIL"}, refused.text
        assert "has passed test in a rehearsal only" in refused.text
        first = deployed(repository.deploying("test", by=AUTHOR, server=server))
        message = ("--allow-empty", "--no-verify", "-q", "-m", "Another")
        sh("git", "commit", *message, cwd=repository.path, env=IDENTITY)
        assert repository.pipeline("build", by=AUTHOR).jobs == {"build": "PASS"}
        second = deployed(repository.deploying("test", by=AUTHOR, server=server))
        button = "rollback: [test]"
        done = repository.deploying(button, by=COLLEAGUE, server=server, WHY="it's slow")
        assert done.jobs == {button: "PASS"}, done.text
        assert f"answers from {first}, no more {second}" in done.text
        last = json.loads((server / "state/test/audit.jsonl").read_text().splitlines()[-1])
        assert (last["who"], last["action"], last["why"]) == (COLLEAGUE, "rollback", "it's slow")
    finally:
        stop = {"OPS_STATE": f"{server / 'state'}", "UV_PROJECT_ENVIRONMENT": f"{server / 'venv'}"}
        assert run("make", "down", cwd=repository.path, env=stop).returncode == 0


def deployed(done: Outcome) -> str:
    """The release that serves after a deploy that was no rehearsal."""
    assert done.jobs == {"test": "PASS"}, done.text
    assert "a rehearsal" not in done.text
    return done.text.partition("answers from ")[2].split()[0]


def test_a_mission_critical_release_waits_before_production(critical: Shipped) -> None:
    assert critical.pushed.jobs == dict.fromkeys(("build", "test", "staging"), "PASS")
    assert critical.pushed.text.count("a rehearsal: no cluster is named; set KUBECONFIG") == 2
    assert (
        len(re.findall("staging +> +staging +production waits for .*WHY", critical.pushed.text))
        == 1
    )
    assert [*critical.verdicts("staging")] == ["test", "staging"]
    assert not critical.repository.uploaded("production").exists()


@pytest.mark.parametrize(
    ("person", "reason", "refusal"),
    [
        (AUTHOR, "it is only a small change", f"{AUTHOR} made .*, and so cannot approve it"),
        (COLLEAGUE, "", "production needs a person's approval and a reason"),
    ],
    ids=["its author", "without a reason"],
)
def test_production_refuses_an_approval(
    critical: Shipped, person: str, reason: str, refusal: str
) -> None:
    done = critical.repository.pipeline("production", by=person, WHY=reason)
    assert done.jobs == {"production": "FAIL"}, done.text
    assert re.search(f"> error: {refusal}", done.text)
    assert re.search(r"> +try: \w+", done.text)
    assert "production" not in critical.verdicts("production")


def test_a_colleague_with_a_reason_brings_it_to_production_and_is_named(critical: Shipped) -> None:
    reason = "Grace's team's tests: \"fine\" & `all`; done"  # GitLab itself would fill in $HOME
    done = critical.repository.pipeline("production", by=COLLEAGUE, WHY=reason)
    assert done.jobs == {"production": "PASS"}, done.text
    verdict = critical.verdicts("production")["production"]
    assert verdict["result"] == "passed"
    assert verdict["who"] == verdict["approved_by"] == COLLEAGUE
    assert verdict["why"] == reason


def test_the_rollback_button_on_a_bare_machine_says_that_no_server_is_named(
    internal: Shipped,
) -> None:
    button = "rollback: [production]"
    done = internal.repository.pipeline(button, by=COLLEAGUE)
    assert done.jobs == {button: "WARN"}, done.text  # it failed, and the pipeline has not
    assert "> error: there is no production to roll back: this machine plays" in done.text


def test_the_schedule_tries_everything_with_the_newest_dependencies(
    internal: Shipped, tmp_path: Path
) -> None:
    image, until = internal.repository.image, last_known_day()
    repository = gitlab.clone(internal.repository.path, tmp_path / "churn-model", image)
    sh("uv", "lock", "-q", cwd=repository.path, env=until)  # who sets a day has it in the lock too
    commit(repository.path)
    done = repository.pipeline(by=AUTHOR, event="schedule", **until)
    assert done.jobs == {"weekly": "PASS"}, done.text
    assert "the template" in done.text
    assert "golden rows as offline" in done.text
