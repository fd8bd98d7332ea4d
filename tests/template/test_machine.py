"""What the pipeline takes from the machine it runs on: addresses, its load, room on the disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import run, sh
from tests.template.conftest import python


def with_host(clone: Path, host: str) -> Path:
    """Let production listen on an address, as a person would write it."""
    file = clone / "ops" / "environments.toml"
    file.write_text(file.read_text().replace("[production]\n", f"[production]\nhost = {host}\n"))
    return clone


@pytest.mark.parametrize(
    ("host", "asked"),
    [("127.0.0.2", "127.0.0.2"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]")],
)
def test_an_environment_is_asked_where_it_listens(clone: Path, host: str, asked: str) -> None:
    at = with_host(clone, f'"{host}"')
    facts = json.loads(sh(python(clone), "-m", "ops", "status", "--json", cwd=at))[-1]
    assert facts["url"].startswith(f"http://{asked}:")


@pytest.mark.parametrize("host", ['"localhost"', '""', '"224.0.0.1"', '"fe80::1%eth0"', "1", "[]"])
def test_what_is_no_address_of_one_machine_is_refused_when_read(clone: Path, host: str) -> None:
    done = run(python(clone), "-m", "ops", "status", cwd=with_host(clone, host))
    assert done.returncode == 1
    cause, remedy = done.stderr.splitlines()
    assert "ops/environments.toml: environment host" in cause and "mend that line" in remedy


BUSY = """
import os, time
os.getloadavg, os.cpu_count = lambda: (float(os.environ["LOAD"]), 0.0, 0.0), lambda: 2
from ops.client import until
started = time.monotonic()
assert not until(lambda: False, 0.1)
print(time.monotonic() - started)
"""


def test_a_busy_machine_is_given_more_time_and_an_idle_one_not_less(project: Path) -> None:
    idle, busy = (
        float(sh(python(project), "-c", BUSY, cwd=project, env={"LOAD": load}))
        for load in ("0.1", "13")
    )
    assert 0.1 <= idle < 0.5 < 0.65 <= busy


def test_the_logs_of_a_release_go_with_it_and_no_others(clone: Path) -> None:
    logs, gone, kept = clone / ".state/test/logs", "1111111-22222222", "3333333-44444444"
    (clone / ".state/releases" / kept).mkdir(parents=True)
    logs.mkdir(parents=True)
    ours = {"envoy.log", "supervisor.log", "acceptance.log", f"{kept}.log", f"{kept}.log.1"}
    for name in ours | {f"{gone}.log", f"{gone}.log.2", f"old-{gone}.log"}:
        (logs / name).touch()
    sh(python(clone), "-c", "from ops.release import prune; prune(set())", cwd=clone)
    assert {path.name for path in logs.iterdir()} == ours


@pytest.mark.parametrize("who", ["GITHUB_ACTOR", "GITLAB_USER_LOGIN"])
def test_a_rollback_in_ci_without_a_named_server_says_so(clone: Path, who: str) -> None:
    words = (python(clone), "-m", "ops", "rollback", "--env", "production")
    done = run(*words, cwd=clone, env={who: "bob"})
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: there is no production to roll back: this machine plays the server",
        "  try: set DEPLOY_RUNNER as docs/runbook.md says",
    ]
    assert "error: nothing is deployed to production" in run(*words, cwd=clone).stderr


def test_a_reason_that_is_no_text_is_written_down_as_well_as_can_be(clone: Path) -> None:
    (clone / ".state" / "test").mkdir(parents=True)
    words = ("down", "--env", "test", "--why", "bad \udcff byte")
    done = run(python(clone), "-m", "ops", *words, cwd=clone)
    assert done.returncode == 0, done.stderr
    [line] = (clone / ".state/test/audit.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["why"] == "bad ? byte"
