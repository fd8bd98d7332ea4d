"""`mlops-scaffold doctor`: what is there, what is not, and what to type."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scaffold.checks import Finding, Place, State, look_around, machine, problem, project
from scaffold.ground import console
from scaffold.ground.errors import DEBUG, ScaffoldError

SCHEMA = 1
_MARKS = {State.OK: "ok", State.MISSING: "--", State.PROBLEM: "!!"}


@dataclass(frozen=True)
class Check:
    """A thing to look at, and what there must be before it can be looked at."""

    name: str
    look: Callable[[Place], Finding]
    needs: tuple[str, ...] = ()


CHECKS = (
    Check("Python", machine.python),
    Check("git", machine.git_version),
    Check("git identity", machine.identity, ("git",)),
    Check("uv", machine.uv),
    Check("make", machine.make),
    Check("built-in template", machine.template, ("git",)),
    Check("cache folder", machine.cache_folder),
    Check("disk space", machine.disk),
    Check("Envoy", machine.envoy),
    Check("answers file", project.answers_file, ("project",)),
    Check("repository", project.repository, ("project", "git")),
    Check("last update", project.last_update, ("project", "repository")),
    Check("commit hooks", project.hooks, ("project", "repository")),
    Check("uv.lock", project.lock, ("project",)),
    Check(".venv", project.venv, ("project",)),
    Check("Docker", machine.docker),
    Check("kubectl", machine.kubectl),
)


def doctor(path: Path, as_json: bool, answers_file: str | None = None) -> int:
    """Check the machine, and the project if there is one; return the exit code.

    `answers_file` is the path of the answers file in the project, where there are several.
    """
    place = look_around(path, answers_file)
    checks = [check for check in CHECKS if place.has.issuperset(check.needs)]
    with ThreadPoolExecutor(len(checks)) as pool:  # most of the time goes to waiting for programs
        findings = pool.map(lambda check: _examine(check, place), checks)
        named = []
        for check, finding in zip(checks, findings, strict=True):
            named.append((check.name, finding))
            if not as_json:
                _show(check.name, finding)
    problems = sum(finding.state is State.PROBLEM for _, finding in named)
    if as_json:
        console.say(_json(named, not problems))
    if "project" not in place.has:
        console.note(f"there is no project in {path}, so only the machine was checked")
    return 1 if problems else 0


def _examine(check: Check, place: Place) -> Finding:
    """Run one check; whatever it raises is a finding too."""
    try:
        finding = check.look(place)
    except ScaffoldError as error:
        finding = problem(error.cause, error.remedy)
    except Exception as error:
        said = f"this check failed: {type(error).__name__}: {error}"
        finding = problem(said, f"report it, with what {DEBUG}=1 adds")
    remedy = None if finding.remedy is None else _clean(finding.remedy)
    return Finding(finding.state, _clean(finding.found), remedy)


def _show(name: str, finding: Finding) -> None:
    console.say(f"{_MARKS[finding.state]}  {name:<18} {finding.found}")
    if finding.remedy:
        console.say(f"    try: {finding.remedy}")


def _json(named: list[tuple[str, Finding]], is_ok: bool) -> str:
    checks = [
        {"name": name, "state": finding.state, "found": finding.found, "remedy": finding.remedy}
        for name, finding in named
    ]
    return json.dumps({"schema": SCHEMA, "checks": checks, "ok": is_ok}, indent=2)


def _clean(text: str) -> str:
    """Return one line of printable text, without what may be secret in a URL."""
    text = " ".join(text.split())
    text = re.sub(r"(?<=://)\S*@", "***@", text)
    text = re.sub(r"(://[^\s?]*\?)\S+", r"\1***", text)
    return "".join(letter if letter.isprintable() else "?" for letter in text)
