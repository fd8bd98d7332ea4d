"""Runs the GitHub workflows of a repository as GitHub would: with act, in containers.

What GitHub alone has is played by files: stand-ins for the actions (the folder `actions`), and a
folder for the artifacts. A job starts with an empty workspace and has what a checkout gives it.
"""

from __future__ import annotations

import itertools
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.runners import engine, runner
from tests.support import clean_environment, sh

ACTIONS = Path(__file__).with_name("actions")
WORKFLOWS = Path(".github/workflows")
USES = re.compile(r"uses: *([\w.-]+/([\w.-]+)@\w+)")
SECONDS = 900  # for one run; a machine that is busy with other things is slow


@dataclass(frozen=True)
class Run:
    """What one run of a workflow did."""

    number: int
    lines: list[dict[str, Any]]

    @property
    def jobs(self) -> dict[str, str]:
        """The result of each job that ran, in their order: success or failure."""
        return {line["jobID"]: line["jobResult"] for line in self.lines if "jobResult" in line}

    @property
    def steps(self) -> dict[str, str]:
        """The result of each make verb and the like that ran, in their order."""
        found = [line for line in self.lines if "stepResult" in line]
        return {line["step"]: line["stepResult"] for line in found if line.get("stage") == "Main"}

    @property
    def summary(self) -> str:
        """What stands on the page of the run."""
        return "".join(line["content"] for line in self.lines if line.get("command") == "summary")

    def log(self, job: str = "") -> str:
        """What the programs of a job, or of all of them, printed."""
        said = [line for line in self.lines if line.get("raw_output")]
        return "".join(line["msg"] for line in said if job in ("", line["jobID"]))

    def __str__(self) -> str:
        return f"{self.jobs} {self.steps}\n{self.log()}\n" + "".join(
            f"{line['msg']}\n" for line in self.lines if line["level"] in ("warning", "error")
        )


@dataclass(frozen=True)
class Forge:
    """A repository on a server that runs its workflows, and keeps in `folder` what they leave."""

    repository: Path
    folder: Path
    image: str
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1000))

    @property
    def label(self) -> str:
        """Marks the containers of this server."""
        return f"scaffold-test={self.folder}"

    def run(
        self,
        commit: str,
        workflow: str,
        event: str,
        actor: str,
        inputs: Mapping[str, str] | None = None,
        *more: str,
        branch: str = "main",
    ) -> Run:
        """Let something happen on a branch while it is at a commit; `more` is for act."""
        sh("git", "checkout", "-q", "-B", branch, commit, cwd=self.repository)
        number = next(self.numbers)
        given = [("--input", f"{key}={value}") for key, value in (inputs or {}).items()]
        if event in ("push", "workflow_dispatch"):  # act itself would take a tag for the branch
            told = self.folder / "event.json"
            ref = f"refs/heads/{branch}"
            told.write_text(json.dumps({"ref": ref, "inputs": dict(inputs or {})}))
            given.append(("--eventpath", str(told)))
        argv = [
            *(str(Path(sys.executable).with_name("act")), event, "--actor", actor, "--json"),
            *("--workflows", str(WORKFLOWS / workflow)),
            *(f"--env=GITHUB_RUN_ID={number}", "--secret=GITHUB_TOKEN=token-of-a-test"),
            *itertools.chain(*given),
            *self._options(),
            *more,
        ]
        lines = [json.loads(line) for line in self._output(argv) if line.startswith("{")]
        return Run(number, lines)

    def artifact(self, run: Run, name: str) -> Path:
        """The folder with the files of an artifact."""
        return self.folder / "artifacts" / str(run.number) / name

    def containers(self) -> list[str]:
        """Containers of this server that still exist."""
        return engine.run("ps", "-aq", "--filter", f"label={self.label}").split()

    def _options(self) -> list[str]:
        folders = {"/origin:ro": self.repository, "/artifacts": self.folder / "artifacts"}
        folders |= {runner.CACHE: runner.cache(), runner.WARM: self.folder / "warm"}
        for path in folders.values():
            path.mkdir(exist_ok=True)
        volumes = [f"--volume={path}:{inside}" for inside, path in folders.items()]
        text = "".join(path.read_text() for path in (self.repository / WORKFLOWS).iterdir())
        actions = sorted(set(USES.findall(text)))
        return [
            f"--platform=ubuntu-24.04={self.image}",
            f"--container-options=--label={self.label} {' '.join(volumes)}",
            *("--pull=false", "--rm", "--no-cache-server", "--no-skip-checkout"),
            *(f"--local-repository={uses}={ACTIONS / name}" for uses, name in actions),
        ]

    def _output(self, argv: list[str]) -> list[str]:
        process = subprocess.Popen(
            argv,
            cwd=self.repository,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            return process.communicate(timeout=SECONDS)[0].splitlines()
        finally:
            if process.poll() is None:  # act removes its containers when it is asked to end
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=60)
