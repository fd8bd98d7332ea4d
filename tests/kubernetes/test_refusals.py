"""What needs no cluster: refusals before one is asked, and what fits into its Lease."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.support import cli, run, sh


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project for a cluster, of which only the pipeline is used."""
    made = tmp_path_factory.mktemp("plain") / "churn-model"
    answers = ("-d", "target=kubernetes", "--no-setup", "--no-git")
    done = cli("new", made, "--defaults", "--ref", "HEAD", *answers)
    assert done.returncode == 0, done.stderr
    return made


@pytest.mark.parametrize("who", ["GITHUB_ACTOR", "GITLAB_USER_LOGIN"])
def test_a_rollback_in_ci_without_a_named_cluster_says_so(plain: Path, who: str) -> None:
    words = ("rollback", "--env", "production")
    done = run(sys.executable, "-m", "ops", *words, cwd=plain, env={"KUBECONFIG": "", who: "bob"})
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: there is no production to roll back: no cluster is named",
        "  try: set KUBECONFIG to deploy for real, see docs/runbook.md",
    ]


LOG = """
import json
from ops import lease
old = [json.dumps({"n": number, "why": "w" * 10_000}) for number in range(50)]
for letter in ("x", "x\\ny ", "\u2603", "\u2028", "\\0", "\\""):
    short = lease.short(letter * 100_000)
    line = json.dumps({"why": short, "result": short}, ensure_ascii=False)
    print(json.dumps([short, lease.trimmed(old + [line]), lease.trimmed([line] * 90)]))
"""


def test_a_reason_of_any_length_leaves_the_log_readable_and_small_enough_for_a_lease(
    plain: Path,
) -> None:
    for said in sh(sys.executable, "-c", LOG, cwd=plain).splitlines():
        short, log, many = json.loads(said)
        lines = [json.loads(line) for line in log.split("\n")]
        assert len(short) <= 500 and "\n" not in short
        assert lines[-1] == {"why": short, "result": short}
        numbers = [line["n"] for line in lines[:-1]]
        assert len(numbers) > 10 and numbers == list(range(50))[-len(numbers) :]
        assert max(len(text.encode()) for text in (log, many)) <= 128 * 1024


REFUSED = """
from ops import config, kubectl
from ops.state import State
try:
    kubectl.render(config.find("test"), State(history=["a"]), "a", {})
except config.OpsError as error:
    print(error.cause, error.remedy, sep="\\n")
"""


@pytest.mark.skipif(
    not (shutil.which("kubectl") or os.environ.get("CI")), reason="kubectl is not installed"
)
def test_a_manifest_that_leads_nowhere_is_refused_with_the_remedy(plain: Path) -> None:
    file = plain / "ops" / "kubernetes" / "test" / "kustomization.yaml"
    file.write_text("resources: [nowhere]\n")
    cause, remedy = sh(sys.executable, "-c", REFUSED, cwd=plain).splitlines()
    assert cause.startswith("kubectl kustomize: ") and "accumulating resources" in cause
    assert remedy == "mend it; kubectl kustomize ops/kubernetes/test shows what is wrong"
