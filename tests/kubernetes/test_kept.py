"""What the cluster remembers: what each release was deployed with, who did what, and who does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from tests.kubernetes.conftest import REPLICAS, SERVER, Yard, ops

# What a person adds to the manifests of test, and may take out again. `<name>-` is added to names.
MORE = """
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
data: {word: "yes"}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: extra}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Secret
metadata: {name: extra}
stringData: {password: not-for-everybody}
"""
RIGHTS = [{"apiGroups": [""], "resources": ["secrets", "persistentvolumeclaims"], "verbs": ["*"]}]
BROKEN = "resources: [nowhere]\n"


@contextmanager
def manifests(yard: Yard, **files: str) -> Iterator[None]:
    """While the block runs, the overlay of test has other files."""
    folder = yard.path / "ops" / "kubernetes" / "test"
    before = (folder / "kustomization.yaml").read_text()
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    if "more" in files:
        added = before.replace("[../base]", "[../base, more.yaml]")
        (folder / "kustomization.yaml").write_text(added)
    try:
        yield
    finally:
        (folder / "kustomization.yaml").write_text(before)
        (folder / "more.yaml").unlink(missing_ok=True)


@contextmanager
def rights(yard: Yard, rules: list[Any]) -> Iterator[None]:
    """While the block runs, the deployer has other rights."""
    before = yard.get("role", "deployer")["rules"]

    def give(some: list[Any]) -> None:
        patch = json.dumps([{"op": "replace", "path": "/rules", "value": some}])
        yard.kubectl("patch", "role", "deployer", "--type=json", f"--patch={patch}")

    give(rules)
    try:
        yield
    finally:
        give(before)


def served_with(yard: Yard) -> Any:
    """How the pods run, but for what tells releases apart."""
    spec = yard.get("deployment", SERVER)["spec"]
    box = spec["template"]["spec"]["containers"][0]
    return spec["replicas"], {key: value for key, value in box.items() if key != "image"}


def names(yard: Yard, kinds: str) -> set[str]:
    return {one["metadata"]["name"] for one in yard.get(kinds)["items"]}


def done(yard: Yard, *words: str) -> str:
    """Run a verb for test; it must succeed."""
    finished = yard.ops(*words, "--env", "test")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_a_rollback_undoes_what_the_manifests_changed_and_a_broken_one_does_not_block_it(
    yard: Yard,
) -> None:
    old, new, _ = yard.releases
    before = served_with(yard)
    with yard.patched("env", [{"name": "MARK", "value": "1"}]):
        done(yard, "deploy", "--release", new)
    assert served_with(yard) != before
    with manifests(yard, kustomization=BROKEN):
        done(yard, "rollback", "--why", "the mark is wrong")
        assert (yard.serving(), served_with(yard)) == ({old}, before)
        yard.kubectl("delete", "deployment", SERVER)
        done(yard, "up")
        assert (yard.serving(), served_with(yard)) == ({old}, before)
        refused = yard.ops("deploy", "--env", "test", "--release", new)
    assert "failed" in refused.stdout.splitlines()[-1] and "install" in refused.stdout
    assert refused.stderr.splitlines()[1].endswith("ops/kubernetes/test shows what is wrong")
    assert yard.serving() == {old}


def test_what_is_taken_out_of_the_manifests_goes_and_what_may_hold_data_stays(yard: Yard) -> None:
    new = yard.releases[1]
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}}
    yard.kubectl("create", "--filename=-", text=json.dumps(theirs))
    with (
        rights(yard, [*yard.get("role", "deployer")["rules"], *RIGHTS]),
        manifests(yard, more=MORE),
    ):
        done(yard, "deploy", "--release", new)
    assert "churn-model-extra" in names(yard, "configmaps")
    kept = json.dumps(yard.get("configmaps", "--selector=ops/keeps"))
    assert "churn-model-extra" in kept and "not-for-everybody" not in kept
    assert "bm90LWZvci1ldmVyeWJvZHk=" not in kept
    said = done(yard, "rollback")
    assert "no longer in the manifests, deleted: configmap/churn-model-extra" in said
    assert "churn-model-extra" not in names(yard, "configmaps")
    assert {"theirs"} <= names(yard, "configmaps")
    assert names(yard, "secrets,persistentvolumeclaims") == {"churn-model-extra"}
    # What others have put in its place is not ours to delete.
    theirs["metadata"] = {"name": "churn-model-extra"}
    yard.kubectl("create", "--filename=-", text=json.dumps(theirs))
    assert "deleted" not in done(yard, "up")
    assert "churn-model-extra" in names(yard, "configmaps")
    yard.kubectl("delete", "secret,pvc,configmap", "churn-model-extra")
    yard.kubectl("delete", "configmap", "theirs")


def test_only_what_remembered_releases_were_deployed_with_is_kept(yard: Yard) -> None:
    old, new, _ = yard.releases
    for seconds in ("1", "2"):
        with yard.patched("readinessProbe/initialDelaySeconds", int(seconds)):
            done(yard, "deploy", "--release", new)
    done(yard, "deploy", "--release", old)
    kept = names(yard, "configmaps")
    assert len([name for name in kept if name.startswith(f"churn-model-{new}-")]) == 1
    assert len([name for name in kept if name.startswith(f"churn-model-{old}-")]) <= 2
    # As pipelines of before read it, which know of images only.
    pulls = [
        pull for some in json.loads(yard.remembered("images")).values() for pull in some.values()
    ]
    assert {pull.count("@") for pull in pulls} == {1}


def test_a_release_deployed_anew_with_manifests_that_do_no_good_goes_on_as_it_was(
    yard: Yard,
) -> None:
    old = yard.releases[0]
    before = served_with(yard)
    with (
        yard.setting("verify", "ready_seconds", "10"),
        yard.patched("readinessProbe/httpGet/path", "/nowhere"),
    ):
        failed = yard.ops("deploy", "--env", "test", "--release", old)
    assert failed.returncode == 1
    assert "Readiness probe failed" in failed.stderr
    assert (yard.serving(), served_with(yard)) == ({old}, before)
    done(yard, "up")
    assert served_with(yard) == before


def test_what_was_deployed_before_anything_was_kept_comes_back_with_the_manifests_of_today(
    yard: Yard,
) -> None:
    old, new, _ = yard.releases
    done(yard, "deploy", "--release", new)
    images = json.loads(yard.remembered("images"))
    del images[old]["kept"]
    yard.kubectl(
        "annotate", "lease", "churn-model", "--overwrite", f"ops/images={json.dumps(images)}"
    )
    assert f"{old} gets the manifests of today" in done(yard, "rollback")
    assert yard.serving() == {old}


def test_without_the_right_to_keep_anything_a_deploy_is_refused_and_names_the_right(
    yard: Yard,
) -> None:
    old, new, _ = yard.releases
    rules = yard.get("role", "deployer")["rules"]
    fewer = [
        rule | {"resources": [kind for kind in rule["resources"] if kind != "configmaps"]}
        for rule in rules
    ]
    assert fewer != rules
    with rights(yard, fewer):
        failed = yard.ops("deploy", "--env", "test", "--release", new)
    cause, remedy = failed.stderr.splitlines()
    assert 'resource "configmaps"' in cause
    assert (
        remedy == f"  try: give that user this right, in a Role in the namespace {yard.namespace}"
    )
    assert yard.serving() == {old}


def test_a_long_reason_is_cut_and_the_lock_let_go(yard: Yard) -> None:
    new = yard.releases[1]
    full = "\n".join(json.dumps({"why": "x" * 4000, "n": str(n)}) for n in range(50))
    lease = yard.get("lease", "churn-model")
    lease["metadata"]["annotations"]["ops/audit"] = full
    yard.kubectl("replace", "--filename=-", text=json.dumps(lease))
    done(yard, "deploy", "--release", new, "--why", "wrong\nanswers \u2028 ☃ " * 4000)
    line = yard.lines()[-1]
    assert line["why"].startswith("wrong answers ☃ wrong")
    assert (len(line["why"]), line["why"][-1], line["result"]) == (500, "…", "done")
    assert [one["n"] for one in map(dict, yard.lines()[-3:-1])] == ["48", "49"]
    failing = """
from ops import config, engine
test = config.find("test")
try:
    with engine.changing(test, "try", "", "w" * 100_000):
        raise config.OpsError("r\\n" * 100_000)
except config.OpsError as error:
    assert error.cause.startswith("r")
"""
    ops(yard, failing)
    assert yard.lines()[-1]["result"] == ("r " * 300)[:499] + "…"
    assert yard.get("lease", "churn-model")["spec"] == {}


def test_a_log_that_does_not_get_into_the_lease_does_not_keep_the_lock(yard: Yard) -> None:
    code = """
from ops import config, engine, lease
test = config.find("test")
lease.trimmed = lambda log: "x" * 300_000
with engine.changing(test, "try", "", "why"):
    pass
"""
    ops(yard, code)
    assert yard.get("lease", "churn-model")["spec"] == {}


def test_without_the_lease_what_runs_is_found_told_and_stopped(yard: Yard) -> None:
    old = yard.releases[0]
    yard.kubectl("delete", "lease", "churn-model")
    status = yard.status("test")
    assert (status["release"], status["health"]) == (old, f"{REPLICAS}/{REPLICAS} ready")
    assert "lease/churn-model is gone" in status["remarks"][0]
    refused = yard.ops("rollback", "--env", "test")
    assert f"{old} is the only release of test; it goes on serving" in refused.stderr
    done(yard, "up")
    assert json.loads(yard.remembered("state"))["history"] == [old]
    yard.kubectl("delete", "lease", "churn-model")
    assert f"deployment.apps/{SERVER}" in done(yard, "down")
    assert yard.pods() == []
    assert "nothing ran" in done(yard, "down")


def test_a_rollback_that_fails_does_not_make_what_serves_look_younger(yard: Yard) -> None:
    old, new, _ = yard.releases
    done(yard, "deploy", "--release", new)
    since = yard.remembered("since")
    deadline = time.monotonic() + 120
    while len(yard.get("pods")["items"]) > REPLICAS + 1:  # and the load
        assert time.monotonic() < deadline
        time.sleep(1)
    yard.kubectl("create", "quota", "small", f"--hard=pods={REPLICAS + 1}")
    try:
        with yard.setting("verify", "ready_seconds", "8"):
            failed = yard.ops("rollback", "--env", "test")
    finally:
        yard.kubectl("delete", "quota", "small")
    assert failed.returncode == 1
    assert "exceeded quota" in failed.stderr
    assert yard.status("test")["release"] == new
    assert yard.remembered("since") == since
    done(yard, "rollback")
    assert datetime.fromisoformat(yard.remembered("since")) > datetime.fromisoformat(since)
    assert yard.serving() == {old}
