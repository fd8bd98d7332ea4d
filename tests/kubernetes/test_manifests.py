"""What a deploy sends to a cluster: valid, hard, and by digest only. No cluster is needed."""

from __future__ import annotations

import json
import os
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import cli, run, sh

ENVIRONMENTS = ("test", "staging", "production")
DIGEST = f"sha256:{'a' * 64}"
VERSIONS = ("1.36", "1.37")  # the newest two that kubernetes-validate carries
# Renders what a deploy of `new` over `old` sends, at each step, as the engine itself does.
RENDER = """
import json
from ops import config, engine, kubectl
from ops.state import State
pulls = {{"server": "registry.example.com/a/b@{digest}", "training": "r.example.com/t@{digest}"}}
steps = {{"stable": ("old", State(history=["old"])), "plain": ("old", State(history=["old"]))}}
for weight in (0, 10, 50):
    steps[f"canary {{weight}}"] = "new", State(history=["old"], candidate="new", weight=weight)
for step, (release, wanted) in steps.items():
    for environment in config.environments().values():
        known = pulls if step != "plain" else {{"server": pulls["server"]}}
        print("--- # " + environment.name + " " + step)
        print(json.dumps(kubectl.render(environment, wanted, release, known)))
"""

pytestmark = pytest.mark.skipif(
    not (shutil.which("kubectl") or os.environ.get("CI")), reason="kubectl is not installed"
)


@pytest.fixture(scope="module", params=["internal", "mission-critical"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp(request.param) / "churn-model"
    answers = ("-d", "target=kubernetes", "-d", f"criticality={request.param}")
    done = cli("new", made, "--defaults", "--ref", "HEAD", "--no-setup", *answers)
    assert done.returncode == 0, done.stderr
    return made


MAKE = """
from ops.release import Release
known = {name: "1" for name in Release.model_fields if Release.model_fields[name].is_required()}
made = Release.model_validate(known | {"name": "1234567-12345678", "dirty": False})
made.folder.mkdir(parents=True)
(made.folder / "release.json").write_text(made.model_dump_json())
"""


@pytest.mark.parametrize("verb", ["deploy", "rollback", "up", "down", "status"])
def test_without_a_named_cluster_nothing_is_done_to_the_one_that_kubectl_would_take(
    project: Path, verb: str, tmp_path: Path
) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube/config").write_text("what kubectl takes when nobody names another")
    sh(sys.executable, "-c", MAKE, cwd=project)
    words = (verb, "--env", "test", "--release", "1234567-12345678")
    env = {"KUBECONFIG": "", "HOME": str(tmp_path)}
    done = run(sys.executable, "-m", "ops", *words, cwd=project, env=env)
    shutil.rmtree(project / ".state")
    said = done.stdout if verb == "status" else done.stderr
    assert done.returncode == (0 if verb == "status" else 1)
    assert "no cluster is named" in said and "KUBECONFIG" in said


@cache
def sent(project: Path) -> dict[str, list[Any]]:
    """The objects by environment and step, such as `production canary 10`."""
    code = RENDER.format(digest=DIGEST)
    text = sh(sys.executable, "-c", code, cwd=project, env={"KUBECONFIG": "/nowhere"})
    found: dict[str, list[Any]] = {}
    for block in text.split("--- # ")[1:]:
        name, _, objects = block.partition("\n")
        found[name] = json.loads(objects)
    return found


def everything(project: Path) -> list[Any]:
    return [one for objects in sent(project).values() for one in objects]


def pods(project: Path) -> list[tuple[str, Any]]:
    """Every pod template, whatever makes pods of it, with the name of its maker."""
    found: list[tuple[str, Any]] = []

    def search(where: str, node: Any) -> None:
        if isinstance(node, dict):
            if "containers" in node.get("spec", {}):
                found.append((where, node))
            for child in node.values():
                search(where, child)
        if isinstance(node, list):
            for child in node:
                search(where, child)

    for step, objects in sent(project).items():
        for one in objects:
            search(f"{step}: {one['kind']}/{one['metadata']['name']}", one)
    return found


def one(objects: list[Any], kind: str) -> Any:
    [found] = [item for item in objects if item["kind"] == kind]
    return found


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


@pytest.mark.parametrize("name", ["base", *ENVIRONMENTS])
def test_a_person_can_look_at_the_manifests_with_kubectl_alone(project: Path, name: str) -> None:
    text = sh("kubectl", "kustomize", f"ops/kubernetes/{name}", cwd=project)
    kinds = sorted(item["kind"] for item in yaml.safe_load_all(text))
    assert kinds == ["CronJob", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service"]


@pytest.mark.parametrize("version", VERSIONS)
def test_everything_that_is_sent_is_strictly_valid(
    project: Path, version: str, tmp_path: Path
) -> None:
    file = tmp_path / "sent.yaml"
    file.write_text(yaml.safe_dump_all(everything(project)))
    tool = (sys.executable, "-m", "kubernetes_validate", "--strict", "-k", version)
    done = run(*tool, file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" passed ") == len(everything(project)) > 20
    # It can fail: an unknown field is refused.
    broken = json.loads(json.dumps(everything(project)[0]))
    broken["spec"]["surprise"] = True
    file.write_text(yaml.safe_dump(broken))
    assert run(*tool, file).returncode != 0


def test_every_pod_may_do_as_little_as_possible(project: Path) -> None:
    assert {where.rpartition("/")[2] for where, _ in pods(project)} == {
        "churn-model-server",
        "churn-model-server-canary",
        "churn-model-training",
    }
    for where, pod in pods(project):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, where
        assert spec["enableServiceLinks"] is False, where
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        }, where
        for forbidden in ("hostNetwork", "hostPID", "hostIPC", "serviceAccountName"):
            assert forbidden not in spec, where
        assert all(set(volume) == {"name", "emptyDir"} for volume in spec.get("volumes", [])), where
        for container in spec["containers"] + spec.get("initContainers", []):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, where
            assert container["resources"]["limits"]["memory"], where
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, where
            assert all("hostPort" not in port for port in container.get("ports", [])), where


def test_every_object_that_is_sent_says_whose_it_is(project: Path) -> None:
    labels = [one["metadata"]["labels"] for one in everything(project)]
    assert {one["ops/project"] for one in labels} == {"churn-model"}
    assert {one["app.kubernetes.io/name"] for one in labels} == {"churn-model"}


def test_every_image_is_named_by_its_digest(project: Path) -> None:
    images = [c["image"] for _, pod in pods(project) for c in pod["spec"]["containers"]]
    assert set(images) == {f"registry.example.com/a/b@{DIGEST}", f"r.example.com/t@{DIGEST}"}


def test_training_is_left_out_where_its_image_was_not_pushed(project: Path) -> None:
    kinds = {item["kind"] for item in sent(project)["production plain"]}
    assert kinds == {"Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service"}


def test_no_pod_goes_before_another_is_ready_and_none_is_cut_off(project: Path) -> None:
    for name in ENVIRONMENTS:
        spec = one(sent(project)[f"{name} stable"], "Deployment")["spec"]
        assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        pod = spec["template"]["spec"]
        [server] = pod["containers"]
        probes = [server[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
        assert len({json.dumps(probe, sort_keys=True) for probe in probes}) == 3
        paths = [probe["httpGet"]["path"] for probe in probes]
        assert paths == ["/v2/health/live", "/v2/health/ready", "/v2/health/live"]
        # What is to be said before the end, the server's 30 s, and the kubelet's own pace.
        goodbye = server["lifecycle"]["preStop"]["exec"]["command"][-1]
        seconds = int(goodbye.partition("sleep(")[2].rstrip(")"))
        assert pod["terminationGracePeriodSeconds"] > seconds + 30
        spread = [rule["topologyKey"] for rule in pod["topologySpreadConstraints"]]
        assert spread == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


def test_replicas_and_namespace_are_those_of_environments_toml(project: Path) -> None:
    production = 3 if "mission-critical" in str(project) else 2
    for name, replicas in zip(ENVIRONMENTS, (1, 2, production), strict=True):
        objects = sent(project)[f"{name} stable"]
        assert one(objects, "Deployment")["spec"]["replicas"] == replicas
        assert {item["metadata"]["namespace"] for item in objects} == {f"churn-model-{name}"}


def test_a_canary_is_behind_the_service_only_once_it_has_weight(project: Path) -> None:
    stable = sent(project)["production stable"]
    service = one(stable, "Service")["spec"]["selector"]
    serving = one(stable, "Deployment")["spec"]
    assert selects(service, serving["template"]["metadata"]["labels"])
    replicas = {}
    for weight in (0, 10, 50):
        [canary] = sent(project)[f"production canary {weight}"]
        labels = canary["spec"]["template"]["metadata"]["labels"]
        assert canary["metadata"]["name"] == "churn-model-server-canary"
        assert labels["release"] == "new"
        assert selects(service, labels) == (weight > 0)
        # Neither Deployment takes the other's pods for its own.
        assert not selects(serving["selector"]["matchLabels"], labels)
        mine = canary["spec"]["selector"]["matchLabels"]
        assert selects(mine, labels)
        assert not selects(mine, serving["template"]["metadata"]["labels"])
        for kind, path in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
            assert selects(one(stable, kind)["spec"][path]["matchLabels"], labels)
        replicas[weight] = canary["spec"]["replicas"]
    assert replicas == {0: 1, 10: 1, 50: serving["replicas"]}


def test_a_selector_stays_what_it_is_from_release_to_release(project: Path) -> None:
    # It cannot be changed once it exists, so a release's name in it would forbid the next deploy.
    for objects in sent(project).values():
        for item in objects:
            selector = item["spec"].get("selector", item["spec"].get("podSelector", {}))
            assert "release" not in json.dumps(selector)


def test_the_network_is_closed_but_for_requests_to_the_server(project: Path) -> None:
    policy = one(sent(project)["production stable"], "NetworkPolicy")["spec"]
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    assert "egress" not in policy
    assert [rule["ports"] for rule in policy["ingress"]] == [[{"port": "http"}]]
