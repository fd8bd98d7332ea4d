"""A project in a real cluster: three releases, one of which ends as soon as a pod starts it.

`KUBECONFIG` names the cluster and `TEST_REGISTRY` a registry that this machine can push to and the
nodes pull from; `python -m tests.kubernetes.cluster` makes both. The tests work in a namespace of
their own and delete it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import load as loads
from tests.e2e.shop import Shop
from tests.runners import base, engine
from tests.support import ROOT, cli, run, sh

SERVER = "churn-model-server"
REPLICAS = 3
FAULT = """
import os

if "KUBERNETES_SERVICE_HOST" in os.environ:
    raise SystemExit("the weights are missing")
"""
CONFINED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
CONFINED |= {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
SLEEP = ["python", "-c", "import time; time.sleep(36000)"]


@dataclass
class Yard(Shop):
    """The project and its namespace."""

    namespace: str = field(default_factory=lambda: f"scaffold-{uuid.uuid4().hex[:8]}")
    kubeconfig: str = field(default_factory=lambda: os.environ["KUBECONFIG"])

    def command(self, *words: str) -> list[str]:
        """A call of kubectl in the namespace, as somebody who may do everything there."""
        return [
            "kubectl",
            f"--kubeconfig={self.kubeconfig}",
            f"--namespace={self.namespace}",
            *words,
        ]

    def kubectl(self, *words: str, text: str = "") -> str:
        """Run kubectl; it must succeed."""
        call = self.command(*words)
        done = subprocess.run(call, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{call}\n{done.stderr}"
        return done.stdout

    def limit(self) -> Path:
        """A kubeconfig with just the rights that the documentation asks for."""
        page = (ROOT / "docs" / "kubernetes.md").read_text()
        self.kubectl(
            "apply", "--filename=-", text=page.partition("```yaml\n")[2].partition("```")[0]
        )
        self.kubectl("create", "rolebinding", "deployer", "--role=deployer", "--user=deployer")
        view = ("config", "view", "--raw", "--minify", "--flatten", "--output=json")
        config = json.loads(self.kubectl(*view))
        config["users"][0]["user"]["as"] = "deployer"
        limited = self.path.parent / "kubeconfig"
        limited.write_text(json.dumps(config, indent=1))
        return limited

    def get(self, *words: str) -> Any:
        """What `kubectl get` says, as data."""
        return json.loads(self.kubectl("get", *words, "--output=json"))

    def pods(self, track: str = "stable") -> list[Any]:
        """The pods of one Deployment that are not on their way out."""
        found = self.get("pods", f"--selector=role=server,track={track}")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def serving(self) -> set[str]:
        """The releases of the pods that are ready behind the Service."""
        slices = self.get("endpointslices", f"--selector=kubernetes.io/service-name={SERVER}")
        ends = [end for one in slices["items"] for end in one["endpoints"] or []]
        ready = {end["targetRef"]["name"] for end in ends if end["conditions"]["ready"]}
        pods = self.get("pods", "--selector=role=server")["items"]
        names = {pod["metadata"]["name"]: pod["metadata"]["labels"]["release"] for pod in pods}
        return {names[name] for name in ready}

    def remembered(self, note: str) -> str:
        """An annotation of the Lease."""
        lease = self.get("lease", "churn-model")
        return str(lease["metadata"]["annotations"].get(f"ops/{note}", ""))

    def lines(self) -> list[dict[str, str]]:
        """The audit log."""
        return [json.loads(line) for line in self.remembered("audit").splitlines()]

    def counted(self, pod: Any) -> int:
        """Predictions that a pod has made, by its own metrics."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}:8080/proxy"
        text = self.kubectl("get", "--raw", f"{path}/metrics")
        rows = re.findall(
            r'(?m)^http_request_duration_seconds_count\{.*route="/predict".* (\S+)$', text
        )
        return int(sum(map(float, rows)))

    def ship(self, message: str, training: str = "") -> str:
        """Commit, build, and push the image: a release that can be deployed."""
        self.commit(message)
        release = self.build()
        registry = f"{os.environ['TEST_REGISTRY']}/{self.namespace}"
        for verb in (["image"], ["push", "--registry", registry]):
            words = (self.python, "-m", "ops", *verb, "--release", release)
            done = run(*words, cwd=self.path, env={"TRAINING": training}, seconds=600)
            assert done.returncode == 0, done.stdout + done.stderr
        return release

    @contextmanager
    def patched(self, path: str, value: object) -> Iterator[None]:
        """While the block runs, the overlay of test changes one more thing of the server."""
        file = self.path / "ops" / "kubernetes" / "test" / "kustomization.yaml"
        before = file.read_text()
        change = {"op": "add", "path": f"/spec/template/spec/containers/0/{path}", "value": value}
        file.write_text(f"{before}      - {json.dumps(change)}\n")
        try:
            yield
        finally:
            file.write_text(before)

    @contextmanager
    def load(self, close: bool = False, connections: int = 8) -> Iterator[loads.Load]:
        """Keep a load on the Service, from a pod of its own, while the block runs."""
        address = self.get("service", SERVER)["spec"]["clusterIP"]
        program = Path(loads.__file__).read_text().replace('"127.0.0.1"', repr(address))
        words = ["80", json.dumps(self.row), "--connections", str(connections), "--pause=0.02"]
        inside = ["python", "-c", program, *words, *(["--close"] if close else [])]
        process = subprocess.Popen(
            self.command("exec", "--stdin", "load", "--", *inside),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        under_way = loads.Load(process)
        try:
            yield under_way
        finally:
            under_way.end()


@pytest.fixture(scope="session")
def shipped(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Yard]:
    """The project, its namespace with the strictest rules for pods, and three releases."""
    for name in ("KUBECONFIG", "TEST_REGISTRY"):
        if not os.environ.get(name):
            pytest.skip(f"{name} is not set, so no cluster is driven")
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    os.environ |= {"DOCKER": engine.ensure(), "CA_BUNDLE": str(base.bundle())}
    os.environ["BASE_IMAGE"] = base.image()
    path = tmp_path_factory.mktemp("cluster") / "churn-model"
    answers = ("-d", "target=kubernetes")
    done = cli("new", path, "--defaults", "--ref", "HEAD", "--no-setup", *answers)
    assert done.returncode == 0, done.stderr
    shutil.copy(request.getfixturevalue("project") / "uv.lock", path)
    sh("uv", "sync", "-q", cwd=path)
    yard = Yard(path)
    toml = path / "ops" / "environments.toml"
    text = toml.read_text().replace('"churn-model-test"', f'"{yard.namespace}"')
    text = text.replace('"churn-model-', f'"{yard.namespace}-')  # nobody's, whatever cluster it is
    text = text.replace("replicas = 1 ", f"canary = [25]\nreplicas = {REPLICAS} ")
    toml.write_text(text.replace("requests = 200", "requests = 50"))
    yard.kubectl("create", "namespace", yard.namespace)
    strict = "pod-security.kubernetes.io/enforce=restricted"
    try:
        yard.kubectl("label", "namespace", yard.namespace, strict)
        os.environ["KUBECONFIG"] = str(yard.limit())
        yard.ship("A release", training="yes")
        yard.ship("Another release")
        with (path / "src" / "churn_model" / "__init__.py").open("a") as file:
            file.write(FAULT)
        yard.ship("A release that no cluster can start")
        image = json.loads((path / f".state/releases/{yard.releases[0]}/release.json").read_text())
        box = {"name": "load", "image": image["image"], "command": SLEEP}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "load"}}
        pod["spec"] = {"containers": [box | {"securityContext": CONFINED}]}
        yard.kubectl("create", "--filename=-", text=json.dumps(pod))
        yard.kubectl("wait", "--for=condition=Ready", "pod/load", "--timeout=120s")
        yield yard
    finally:
        os.environ["KUBECONFIG"] = yard.kubeconfig
        yard.kubectl("delete", "namespace", yard.namespace, "--wait=false")


@pytest.fixture
def yard(shipped: Yard) -> Yard:
    """The first release serves, whatever an earlier test left behind."""
    shipped.deploy("test", shipped.releases[0])
    return shipped


def ops(yard: Yard, code: str) -> str:
    """Run a piece of Python beside the pipeline's modules; it must succeed."""
    done = run(yard.python, "-c", code, cwd=yard.path)
    assert done.returncode == 0, done.stderr
    return done.stdout
