"""What the README promises first: `make demo`, and the installed tool."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from tests.support import ROOT, run, sh


def are_free(*ports: int) -> bool:
    """Whether nobody listens on the ports."""
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return False
    return True


def test_the_demo_ends_with_a_prediction_from_production_and_down_stops_it() -> None:
    done = run("make", "demo", cwd=ROOT, seconds=600)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        typed = [line for line in done.stdout.splitlines() if line.startswith("$ ")]
        assert [line.split()[1:3] for line in typed[-4:]] == [
            ["mlops-scaffold", "new"],
            ["make", "ship"],
            ["curl", "-s"],
            ["make", "status"],
        ]
        answers = [line for line in done.stdout.splitlines() if line.startswith('{"prediction"')]
        assert json.loads(answers[0])["prediction"] in ("benign", "malignant")
        assert done.stdout.count("2/2 ready") == 2
        lines = [line for line in done.stdout.splitlines() if " ready " in line and "http" in line]
        ports = [int(line.rpartition(":")[2]) for line in lines[-3:]]
        assert len(ports) == 3 and not any(are_free(port) for port in ports)
    finally:
        down = run("make", "down", cwd=ROOT)
    assert down.returncode == 0, down.stderr
    assert are_free(*ports)


@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_the_installed_tool_makes_a_project_offline(tmp_path: Path, tool: str) -> None:
    home = {"HOME": str(tmp_path), "UV_TOOL_DIR": str(tmp_path / "tools")}
    home |= {
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
        "UV_CACHE_DIR": sh("uv", "cache", "dir").strip(),
    }
    if tool == "uv":
        installed = run("uv", "tool", "install", ".", cwd=ROOT, env=home)
    else:
        assert run("python3", "-m", "venv", tmp_path / "venv").returncode == 0
        python = tmp_path / "venv" / "bin" / "python"
        installed = run("uv", "pip", "install", "--python", python, ".", cwd=ROOT, env=home)
    assert installed.returncode == 0, installed.stderr
    folder = tmp_path / ("bin" if tool == "uv" else "venv/bin")
    command = folder / "mlops-scaffold"
    assert run(command, "--help", env=home).returncode == 0
    path = {"PATH": os.pathsep.join((str(folder), os.environ["PATH"]))}
    made = run(
        command, "new", tmp_path / "churn-model", "--defaults", "--no-setup", env=home | path
    )
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "churn-model" / "src" / "churn_model" / "serve.py").exists()
