"""Deploys, rollbacks and failures in the cluster that KUBECONFIG names."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.kubernetes.conftest import REPLICAS, SERVER, Yard, ops
from tests.support import run

BY_HAND = """
from ops import config, engine
from ops.state import State
test = config.find("test")
with engine.changing(test, "deploy", {new!r}, "by hand"):
    engine.change(test, State(history=[{old!r}], candidate={new!r}, weight={weight}))
"""


def test_a_deploy_says_in_the_cluster_what_serves_and_who_did_it(yard: Yard) -> None:
    release = yard.releases[0]
    file = yard.path / ".state" / "releases" / release / "release.json"
    image = json.loads(file.read_text())["image"]
    pods = yard.pods()
    assert len(pods) == REPLICAS
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {image}
    assert yard.pods("canary") == []
    assert yard.serving() == {release}
    line = next(line for line in yard.lines() if line["result"] == "done")
    assert (line["action"], line["release"], line["why"]) == ("deploy", release, "A release")
    assert line["who"]
    assert yard.get("lease", "churn-model")["spec"] == {}
    status = yard.status("test")
    assert status["release"] == release
    assert status["health"] == f"{REPLICAS}/{REPLICAS} ready"


@pytest.mark.parametrize("close", [False, True], ids=["keep-alive", "connection-close"])
def test_a_deploy_and_a_rollback_lose_no_request(yard: Yard, close: bool) -> None:
    old, new, _ = yard.releases
    with yard.load(close=close) as under_way:
        done = yard.ops("deploy", "--env", "test", "--release", new)
        served = yard.serving()
        rolled = yard.ops("rollback", "--env", "test", "--why", "it smells")
        time.sleep(15)  # until the pods that were replaced have ended
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"25 % of the traffic is 1 of {REPLICAS + 1} pods" in done.stdout
    assert served == {new}
    assert rolled.returncode == 0, rolled.stderr
    assert yard.serving() == {old}
    tally = under_way.end()
    assert tally.failures == {}
    assert tally.ok > 1000
    assert [line["action"] for line in yard.lines()[-2:]] == ["deploy", "rollback"]
    assert yard.lines()[-1]["why"] == "it smells"


FAILURES = {
    "ends": ("start", "CrashLoopBackOff: the weights are missing"),
    "no image": ("start", "ImagePullBackOff: "),
    "too large": ("start", "Unschedulable: "),
    "never ready": ("start", "Readiness probe failed"),
    "no room for the switch": ("switch", "exceeded quota"),
}


@pytest.mark.parametrize("fault", FAILURES)
def test_a_release_that_does_not_get_ready_is_undone_and_the_reason_told(
    yard: Yard, fault: str
) -> None:
    old, new, broken = yard.releases
    step, reason = FAILURES[fault]
    with yard.load() as under_way, faulty(yard, fault):
        done = yard.ops("deploy", "--env", "test", "--release", broken if fault == "ends" else new)
    assert done.returncode == 1
    failed = [line.split()[1] for line in done.stdout.splitlines() if "failed" in line]
    assert failed == [step], done.stdout + done.stderr
    assert reason in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 2, done.stderr
    assert yard.serving() == {old}
    assert yard.pods("canary") == []
    assert len(yard.pods()) == REPLICAS
    assert reason in yard.lines()[-1]["result"]
    assert under_way.end().failures == {}


@contextmanager
def faulty(yard: Yard, fault: str) -> Iterator[None]:
    """Something is wrong with what is deployed, or with the cluster, while the block runs."""
    with ExitStack() as stack:
        if fault == "no image":
            stack.enter_context(missing_image(yard, yard.releases[1]))
        if fault == "too large":
            stack.enter_context(yard.setting("verify", "ready_seconds", "5"))
            stack.enter_context(yard.patched("resources/requests/cpu", "1000"))
        if fault == "never ready":
            stack.enter_context(yard.setting("verify", "ready_seconds", "15"))
            stack.enter_context(yard.patched("readinessProbe/httpGet/path", "/nowhere"))
        if fault == "no room for the switch":
            stack.enter_context(yard.setting("verify", "ready_seconds", "20"))
            stack.enter_context(yard.setting("test", "canary", "[]"))
            settle(yard)
            room = f"--hard=pods={REPLICAS + 2}"  # the release that serves, a candidate, the load
            yard.kubectl("create", "quota", "small", room)
            stack.callback(yard.kubectl, "delete", "quota", "small")
        yield


@contextmanager
def missing_image(yard: Yard, release: str) -> Iterator[None]:
    """While the block runs, release.json names a digest that the registry does not have."""
    file = yard.path / ".state" / "releases" / release / "release.json"
    before = file.read_text()
    file.write_text(re.sub(r"@sha256:[0-9a-f]{64}", f"@sha256:{'0' * 64}", before))
    try:
        yield
    finally:
        file.write_text(before)


def forget_holder(yard: Yard) -> None:
    """Let the time of a lock's holder be over."""
    past = {"spec": {"renewTime": "2026-01-01T00:00:00.000000Z"}}
    yard.kubectl("patch", "lease", "churn-model", "--type=merge", f"--patch={json.dumps(past)}")


def settle(yard: Yard) -> None:
    """Wait until the pods that earlier deploys replaced are gone."""
    deadline = time.monotonic() + 120
    while len(yard.get("pods")["items"]) > REPLICAS + 1:
        assert time.monotonic() < deadline
        time.sleep(1)


def test_a_canary_gets_the_share_of_connections_that_was_announced(yard: Yard) -> None:
    old, new, _ = yard.releases
    with yard.load(close=True) as under_way:
        done = ops(yard, BY_HAND.format(old=old, new=new, weight=25))
        pods = {track: yard.pods(track) for track in ("stable", "canary")}
        before = {track: sum(map(yard.counted, pods[track])) for track in pods}
        time.sleep(8)
        after = {track: sum(map(yard.counted, pods[track])) for track in pods}
    assert f"25 % of the traffic is 1 of {REPLICAS + 1} pods" in done
    assert {track: len(found) for track, found in pods.items()} == {"stable": 3, "canary": 1}
    assert yard.serving() == {old, new}
    got = {track: after[track] - before[track] for track in pods}
    share = got["canary"] / sum(got.values())
    assert sum(got.values()) > 400
    assert 0.15 < share < 0.35, got
    assert under_way.end().failures == {}
    # It was cut off here; the next verb takes it out and says so.
    assert yard.status("test")["candidate"] == new
    up = yard.ops("up", "--env", "test")
    assert up.returncode == 0, up.stderr
    assert f"{new} was cut off" in up.stdout
    assert yard.pods("canary") == []
    assert yard.serving() == {old}


def test_a_second_deploy_is_refused_while_one_runs_and_a_killed_one_gives_way(yard: Yard) -> None:
    old, new, _ = yard.releases
    first = yard.start("deploy", "--env", "test", "--release", new, "--why", "first")
    try:
        while "holderIdentity" not in yard.get("lease", "churn-model")["spec"]:
            assert first.poll() is None
            time.sleep(0.1)
        second = yard.ops("rollback", "--env", "test")
        refused = yard.ops("deploy", "--env", "test", "--release", new)
    finally:
        first.kill()
        first.wait()
    assert "test is being changed by" in refused.stderr
    assert f"deploy {new} first" in refused.stderr
    assert (refused.returncode, second.returncode) == (1, 1)
    assert "being changed by" in yard.ops("down", "--env", "test").stderr  # it is dead, who knows
    forget_holder(yard)
    done = yard.ops("deploy", "--env", "test", "--release", old)
    assert done.returncode == 0, done.stderr
    assert yard.serving() == {old}
    assert yard.pods("canary") == []


def test_a_deploy_that_is_killed_in_its_last_step_is_finished_by_the_next_verb(yard: Yard) -> None:
    new = yard.releases[1]
    with yard.load() as under_way:
        first = yard.start("deploy", "--env", "test", "--release", new)
        assert first.stdout
        while "canary 25 %" not in first.stdout.readline():
            assert first.poll() is None
        while json.loads(yard.remembered("state"))["candidate"]:
            assert first.poll() is None
        first.kill()
        first.wait()
        forget_holder(yard)
        up = yard.ops("up", "--env", "test")
    assert up.returncode == 0, up.stderr
    assert yard.serving() == {new}
    assert yard.pods("canary") == []
    assert under_way.end().failures == {}


def test_any_machine_with_the_kubeconfig_can_deploy_look_and_roll_back(
    yard: Yard, tmp_path: Path
) -> None:
    old, new, _ = yard.releases
    # As CI has it: the one release that travels, and a secret's text where a path could be.
    folder = Path("releases") / new
    shutil.copytree(yard.path / ".state" / folder, tmp_path / folder)
    secret = Path(os.environ["KUBECONFIG"]).read_text()
    elsewhere = {"OPS_STATE": str(tmp_path), "KUBECONFIG": f"{secret}\n"}

    def ops(*words: str) -> str:
        done = run(yard.python, "-m", "ops", *words, cwd=yard.path, env=elsewhere)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "100% alike" in ops("deploy", "--env", "test", "--release", new)
    found = json.loads(ops("status", "--json"))
    [test] = [one for one in found if one["environment"] == "test"]
    assert (test["release"], test["previous"]) == (new, old)
    ops("rollback", "--env", "test", "--why", "from elsewhere")
    assert yard.serving() == {old}
    assert yard.lines()[-1]["why"] == "from elsewhere"


def test_down_leaves_nothing_running_and_up_brings_it_back(yard: Yard) -> None:
    done = yard.ops("down", "--env", "test", "--why", "tidy")
    assert done.returncode == 0, done.stderr
    assert f"deployment.apps/{SERVER}" in done.stdout
    assert yard.get("deployments,services,networkpolicies,poddisruptionbudgets")["items"] == []
    assert yard.pods() == []
    assert yard.status("test")["health"] == "down"
    assert "nothing ran" in yard.ops("down", "--env", "test").stdout
    up = yard.ops("up", "--env", "test")
    assert up.returncode == 0, up.stderr
    assert yard.serving() == {yard.releases[0]}
    assert [line["action"] for line in yard.lines()[-3:]] == ["down", "down", "up"]


def test_training_runs_as_a_job_and_its_log_is_the_verdict_of_the_gate(yard: Yard) -> None:
    files = [yard.path / f".state/releases/{name}/release.json" for name in yard.releases]
    told = [json.loads(file.read_text()) for file in files]
    assert [bool(one["training"]) for one in told] == [True, False, False]  # as was asked for
    yard.kubectl("create", "job", "first", "--from=cronjob/churn-model-training")
    try:
        yard.kubectl("wait", "--for=condition=Complete", "job/first", "--timeout=300s")
        said = yard.kubectl("logs", "job/first")
    finally:
        yard.kubectl("delete", "job", "first")
    assert "trained on 364 rows" in said
    assert "accepted on 140 golden rows" in said
    # It is the model that serves: the same commit, data and libraries give the same bytes.
    assert told[0]["model_sha256"][:12] in said


def test_a_release_that_was_not_pushed_is_refused_with_the_remedy(yard: Yard) -> None:
    new = yard.releases[1]
    file = yard.path / ".state" / "releases" / new / "release.json"
    before = file.read_text()
    file.write_text(json.dumps(json.loads(before) | {"image": ""}))
    try:
        done = yard.ops("deploy", "--env", "test", "--release", new)
    finally:
        file.write_text(before)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: the image of {new} is in no registry",
        f"  try: make image push REGISTRY=host/path RELEASE={new}",
    ]


def test_a_namespace_that_is_not_there_is_named_with_the_remedy(yard: Yard) -> None:
    with yard.setting("test", "namespace", '"nowhere"'):
        words = (yard.python, "-m", "ops", "deploy", "--env", "test")
        done = run(*words, cwd=yard.path, env={"KUBECONFIG": yard.kubeconfig})
    assert done.returncode == 1
    assert "  try: kubectl create namespace nowhere" in done.stderr


def test_without_a_kubeconfig_promote_is_a_rehearsal(yard: Yard) -> None:
    release = yard.releases[0]
    words = ("-m", "ops", "promote", "--env", "test", "--release", release)
    done = run(yard.python, *words, cwd=yard.path, env={"KUBECONFIG": ""}, seconds=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a rehearsal: no cluster is named; set KUBECONFIG" in done.stdout
    assert "objects" in done.stdout
    said = json.loads((yard.path / f".state/releases/{release}/release.json").read_text())
    assert said["environments"]["test"]["result"] == "passed"
    assert said["environments"]["test"]["rehearsed"]
