"""A newcomer's day: ship the project as it comes, ask it, then bring another table."""

from __future__ import annotations

import json
import re
import shlex
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.shop import Shop
from tests.support import cli, sh
from tests.template.makeityours import apply


@pytest.fixture(scope="module")
def second(stocked: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A second project, made while the first one is up, with the answers that `new` suggests."""
    path = tmp_path_factory.mktemp("second") / "churn-model"
    done = cli("new", path, "--defaults", "--ref", "HEAD", seconds=600)
    assert done.returncode == 0, done.stderr
    made = Shop(path)
    yield made
    assert made.ops("down").returncode == 0


def ask(line: str) -> Any:
    """What the printed curl line answers; urllib plays curl, which a machine may lack."""
    words = shlex.split(line)
    assert words[:2] == ["curl", "-s"] and words[3] == "-d"
    form = {"content-type": "application/x-www-form-urlencoded"}  # what curl -d says
    request = urllib.request.Request(words[2], words[4].encode(), form)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def test_ship_brings_a_new_project_to_production_and_prints_how_to_ask_it(second: Shop) -> None:
    done = second.make("ship")
    assert done.returncode == 0, done.stdout + done.stderr
    table = done.stdout.partition("STEP ")[2].splitlines()[1:]
    assert [line.split()[:2] for line in table[:7]] == [
        [step, "ok"]
        for step in ("train", "gate", "check", "build", "test", "staging", "production")
    ]
    [line] = [text.strip() for text in done.stdout.splitlines() if text.strip().startswith("curl")]
    answer = ask(line)
    assert answer["prediction"] in ("benign", "malignant")
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert sh("git", "status", "--porcelain", cwd=second.path) == ""


def test_shipping_again_what_serves_already_changes_nothing(second: Shop) -> None:
    before = second.served()
    done = second.make("ship")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{before} serves production already" in done.stdout
    assert "passed before, for the very same files" in done.stdout
    assert second.served() == before


def test_two_projects_run_side_by_side_on_ports_of_their_own(stocked: Shop, second: Shop) -> None:
    environments = ("test", "staging", "production")
    stocked.wake()
    ports = [project.port(name) for project in (stocked, second) for name in environments]
    assert len(set(ports)) == 6
    assert stocked.served() in stocked.releases
    assert second.served() not in stocked.releases


def test_another_table_with_other_fields_replaces_the_first_in_production(second: Shop) -> None:
    assert len(apply(second.path)) == 2
    assert second.make("golden").returncode == 0
    second.configure("production", "canary", "[10]")
    second.configure("verify", "slack_ms", "1000")  # whatever else the machine does
    second.commit("Another table")
    done = second.make("ship")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "other fields, so answers are not compared" in done.stdout
    [line] = [text.strip() for text in done.stdout.splitlines() if text.strip().startswith("curl")]
    assert 0 < ask(line)["prediction"] < 400
    back = second.make("rollback", "ENV=production")
    assert back.returncode == 0, back.stderr


def test_help_lists_every_verb_of_the_makefile(second: Shop) -> None:
    verbs = re.findall(r"(?m)^([a-z]+):", Path(second.path / "Makefile").read_text())
    said = second.make("help").stdout
    assert verbs and all(re.search(rf"(?m)^  {verb}\s+\w", said) for verb in verbs)


MISTAKES = [
    ("[test", "ops/environments.toml"),
    ("port = 'x'", "port"),
    ("replicas = 0", "replicas"),
    ("canary = [50, 10]", "must rise"),
    ("canary = [100]", "canary"),
    ("after = 'production'", "does not stand before it"),
    ("colour = 'red'", "colour"),
]


@pytest.mark.parametrize(("line", "named"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_in_environments_toml_is_named_and_nothing_happens(
    second: Shop, line: str, named: str
) -> None:
    path = second.path / "ops" / "environments.toml"
    whole = path.read_text()
    key = line.split(" =")[0]
    other_lines = re.sub(rf"(?m)^{key} = .*$", "", whole) if "=" in line else whole
    try:
        path.write_text(re.sub(r"(?m)^\[test\]$", f"[test]\n{line}", other_lines))
        done = second.ops("up")
    finally:
        path.write_text(whole)
    assert done.returncode == 1
    assert named in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 2, done.stderr


def test_an_environment_that_does_not_exist_is_refused_naming_those_that_do(second: Shop) -> None:
    for arguments in (["ENV=prod"], []):
        done = second.make("rollback", *arguments)
        assert done.returncode == 2
        assert "test|staging|production" in done.stderr
