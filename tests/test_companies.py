"""What docs/companies.md says: its lines are taken from the page and tried."""

from __future__ import annotations

import base64
import re
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import ROOT, last_known_day, run, sh
from tests.warm import cli

PAGE = (ROOT / "docs/companies.md").read_text("utf-8")
PASSWORD = "only-for-the-index"
LOGIN = {"UV_INDEX_COMPANY_USERNAME": "ada", "UV_INDEX_COMPANY_PASSWORD": PASSWORD}
# What version 3 of the two actions can be given.
INPUTS = {
    "upload-artifact": {
        "name",
        "path",
        "if-no-files-found",
        "retention-days",
        "include-hidden-files",
    },
    "download-artifact": {"name", "path"},
}


def block(language: str, word: str) -> str:
    """The block of the page in a language that has a word in it."""
    blocks = re.findall(rf"(?ms)^```{language}\n(.*?)^```$", PAGE)
    [found] = [text for text in blocks if word in text]
    return str(found)


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    def make(**answers: str) -> Path:
        options = [word for name, value in answers.items() for word in ("-d", f"{name}={value}")]
        path = tmp_path / "churn-model"
        new = ("new", path, "--defaults", "--ref", "HEAD", "--no-setup", *options)
        assert cli(*new).returncode == 0
        return path

    return make


class Index(BaseHTTPRequestHandler):
    """A company's index: who has the password is sent on to where all packages are."""

    asked: list[str]
    upstream: str  # where this machine gets its packages

    def do_GET(self) -> None:
        known = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") == f"Basic {known}":
            self.asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", f"{self.upstream}/{self.path.removeprefix('/simple/')}")
        else:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def index(project: Path) -> Iterator[str]:
    Index.asked = []
    packages = tomllib.loads((project / "uv.lock").read_text())["package"]
    [upstream] = {one["source"]["registry"] for one in packages if "registry" in one["source"]}
    Index.upstream = upstream.rstrip("/")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()


def test_a_package_index_with_a_password_is_in_the_lock_and_the_password_is_not(
    made: Callable[..., Path], index: str, tmp_path: Path
) -> None:
    path = made()
    lines = block("toml", "[[tool.uv.index]]")
    address = "https://packages.example.com/simple"
    assert address in lines
    with (path / "pyproject.toml").open("a") as file:
        file.write("\n" + lines.replace(address, index))
    env = last_known_day()
    assert "401" in run("uv", "lock", cwd=path, env=env).stderr
    sh("uv", "lock", cwd=path, env=env | LOGIN)
    text = (path / "uv.lock").read_text()
    assert PASSWORD not in text
    sources = [package["source"] for package in tomllib.loads(text)["package"]]
    assert {source["registry"] for source in sources if "registry" in source} == {index}
    # A deploy installs with `uv pip`, as ops/engine.py does, and asks the same index.
    locked = tmp_path / "requirements.txt"
    export = ("uv", "export", "-q", "--locked", "--no-dev", "--no-emit-project", "--no-header")
    locked.write_text(sh(*export, cwd=path, env=env | LOGIN))
    assert index not in locked.read_text()
    Index.asked.clear()
    asking = env | LOGIN | {"UV_CACHE_DIR": str(tmp_path / "nothing known")}
    install = ("uv", "pip", "install", "-q", "--no-deps", "--dry-run", "--target", tmp_path / "t")
    sh(*install, "-r", locked, cwd=path, env=asking)
    assert "/simple/onnxruntime/" in Index.asked


@pytest.mark.parametrize("criticality", ["internal", "mission-critical"])
def test_the_line_for_other_servers_leaves_a_workflow_that_version_3_understands(
    made: Callable[..., Path], criticality: str
) -> None:
    path = made(criticality=criticality)
    sh("sh", "-c", block("sh", "sed -i"), cwd=path)
    file = path / ".github/workflows/deploy.yml"
    steps = [step for job in jobs(file).values() for step in job["steps"]]
    artifacts = [step for step in steps if "artifact@" in step.get("uses", "")]
    assert len(artifacts) == 7 and file.read_text().count("# v3-node20") == 3
    for step in artifacts:
        name = re.findall(r"actions/([a-z-]+)@[0-9a-f]{40}", step["uses"])[0]
        beyond = set(step["with"]) - INPUTS[name]
        approves = criticality != "internal" and name == "download-artifact"
        assert beyond == ({"run-id", "github-token"} if approves else set())
    if criticality != "internal":
        text, count = re.subn(
            r"(?ms)^ +- uses: actions/download-artifact.*?\n(?= +(- |#))",
            block("yaml", "gh run download"),
            file.read_text(),
        )
        assert count == 1
        file.write_text(text)
    fits_the_schema(file, "github-workflows")
    file = path / ".github/dependabot.yml"
    [ignore] = re.findall(r"`(ignore: \[.*?\])`", PAGE)
    added = file.read_text().replace(
        "package-ecosystem: github-actions", f"package-ecosystem: github-actions\n    {ignore}"
    )
    assert ignore in added
    file.write_text(added)
    fits_the_schema(file, "dependabot")


def test_the_places_for_variables_and_for_a_login_take_what_the_page_says_on_github(
    made: Callable[..., Path],
) -> None:
    file = made(target="kubernetes") / ".github/workflows/deploy.yml"
    step = '      - run: cloud login --token "$ACTIONS_ID_TOKEN_REQUEST_TOKEN"\n'
    text, count = re.subn(r"(?m)^ +# A login to a cloud goes here.*\n", step, file.read_text())
    assert count == 1
    rights = block("yaml", "contents: read, id-token")
    text = text.replace("    permissions: {contents: read}\n", rights)
    file.write_text(text.replace("\njobs:", f"\n{block('yaml', 'BASE_IMAGE')}\njobs:"))
    for name in ("test", "staging", "production"):
        job = jobs(file)[name]
        order = [str(step.get("run")) for step in job["steps"]]
        assert order.index(step.strip()[7:]) < order.index("make image push")
        assert job["permissions"]["id-token"] == "write"
    fits_the_schema(file, "github-workflows")


@pytest.mark.parametrize("target", ["local", "kubernetes"])
def test_the_place_for_a_login_takes_what_the_page_says_in_gitlab(
    made: Callable[..., Path], target: str
) -> None:
    file = made(ci="gitlab", target=target) / ".gitlab-ci.yml"
    token = block("yaml", "id_tokens")
    text, count = re.subn(r"(?m)^ +# A login to a cloud goes here.*\n", token, file.read_text())
    assert count == 1
    file.write_text(text)
    assert "CLOUD_TOKEN" in yaml.safe_load(text)[".deploy"]["id_tokens"]
    fits_the_schema(file, "gitlab-ci", "--data-transform", "gitlab-ci")


def test_what_the_page_calls_by_name_is_there(made: Callable[..., Path]) -> None:
    path = made()
    ops = "".join(file.read_text() for file in (path / "ops").glob("*.py"))
    for name in ("BASE_IMAGE", "CA_BUNDLE", "PIP_CONFIG_FILE", "DOCKER"):
        assert f"`{name}" in PAGE and f'"{name}"' in ops, name
    assert "persist-credentials: false" in (path / ".github/workflows/ci.yml").read_text()


def jobs(file: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(file.read_text())["jobs"])


def fits_the_schema(file: Path, schema: str, *more: str) -> None:
    tool = Path(sys.executable).with_name("check-jsonschema")
    done = run(tool, "--builtin-schema", f"vendor.{schema}", *more, file)
    assert done.returncode == 0, done.stdout
