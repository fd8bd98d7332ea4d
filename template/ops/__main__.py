"""The pipeline's verbs: `uv run python -m ops VERB`, which is what `make VERB` types for you.

Touch this file to add a verb. Errors become one line of cause and one of remedy here.
"""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence

from . import console, release, status, supervisor
from .build import build
from .config import ROOT, Environment, OpsError, environments, find, package_name
from .console import Steps, say
from .deploy import deploy, rollback, up
from .state import audited, lock

Options = argparse.Namespace


def check(_: Options) -> None:
    """Lint, types, secrets and tests, as the hooks do"""
    _run("check", "pre_commit", "run", "--all-files")
    _run("check", "pytest", "--ignore", "tests/acceptance")


def train(_: Options) -> None:
    """Train the model from the data"""
    _run("train", f"{package_name()}.train")


def golden(_: Options) -> None:
    """Draw the golden dataset anew from the data"""
    _run("golden", f"{package_name()}.golden")


def gate(_: Options) -> None:
    """Hold the trained model against the golden dataset and the best model so far"""
    folders = ["--champion", str(release.CHAMPION), "--report", str(release.GATE)]
    _run("gate", f"{package_name()}.gate", *folders)


def build_one(options: Options) -> None:
    """Build a release: one wheel with the model inside"""
    built = build(options.dirty)
    say(f"{built.name}  {built.wheel.name}  sha256 {built.digest}")


def ship(options: Options) -> None:
    """Everything from check to production, with a table of what each step said"""
    steps = Steps("ship")
    try:
        for verb in (check, train, gate):
            with steps.step(verb.__name__) as told:
                verb(options)
                told(_verdict() if verb is gate else "")
        with steps.step("build") as told:
            built = build(options.dirty)
            told(f"{built.name}, sha256 {built.digest[:12]}")
        why = options.why or str(built.facts["subject"])
        for environment in environments().values():
            with steps.step(environment.name) as told:
                deploy(environment, release.load(built.name), why, Steps(environment.name))
                told(environment.url)
    finally:
        steps.table()
    row = json.loads((built.folder / "golden.json").read_text("utf-8"))["rows"][0]
    address = environment.url.replace("127.0.0.1", "localhost")
    say("\nIt is in production. Ask it:\n")
    say(f"  curl -s {address}/predict -d {shlex.quote(json.dumps(row))}\n")


def deploy_one(options: Options) -> None:
    """Deploy a release to one environment"""
    environment = find(options.env)
    chosen = release.load(options.release) if options.release else release.newest()
    why = options.why or str(chosen.facts["subject"])
    deploy(environment, chosen, why, Steps(environment.name))


def rollback_one(options: Options) -> None:
    """Give the traffic back to the previous release"""
    rollback(find(options.env), options.why or "no reason given", Steps(options.env))


def show_status(options: Options) -> None:
    """Show every environment"""
    status.show(options.json)


def up_all(options: Options) -> None:
    """Start again what should run, in one environment or all"""
    failed = []
    for environment in _chosen(options.env):
        try:
            up(environment, Steps(environment.name))
        except OpsError as error:  # the others still come up
            failed.append(error)
    if failed:
        raise failed[0]


def down_all(options: Options) -> None:
    """Stop everything, in one environment or all; `up` brings it back"""
    for environment in reversed(_chosen(options.env)):
        stopped = []
        if environment.folder.exists():
            with lock(environment, "down"), audited(environment, "down", None, options.why):
                stopped = supervisor.stop(environment)
        what = f"stopped {', '.join(stopped)}" if stopped else "nothing ran"
        say(f"{environment.name}: {what}")


VERBS = {"check": check, "train": train, "golden": golden, "gate": gate, "build": build_one}
VERBS |= {"ship": ship, "deploy": deploy_one, "rollback": rollback_one, "status": show_status}
VERBS |= {"up": up_all, "down": down_all}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.chdir(ROOT)
    try:
        VERBS[options.verb](options)
        return 0
    except OpsError as error:
        console.complain(error.cause, error.remedy)
        return 1
    except KeyboardInterrupt:
        console.complain("interrupted; what served before goes on serving", "")
        return 130
    except Exception as error:
        if os.environ.get("OPS_DEBUG"):
            raise
        remedy = "OPS_DEBUG=1 shows where it happened; make up repairs what it can"
        console.complain(f"{type(error).__name__}: {error}", remedy)
        return 1


def _chosen(name: str) -> list[Environment]:
    return [find(name)] if name else list(environments().values())


def _verdict() -> str:
    report = json.loads((release.GATE / "report.json").read_text("utf-8"))
    return f"skill {report['skill']:.3f} on the golden dataset"


def _run(verb: str, *module: str) -> None:
    """Run a Python module that speaks for itself; its failure is the verb's."""
    if subprocess.run([sys.executable, "-m", *module], cwd=ROOT, check=False).returncode != 0:
        raise OpsError(f"{verb} failed, see above", f"mend it, then make {verb}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ops", description=__doc__)
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("--env", default="", help="test, staging or production")
    parser.add_argument("--why", default="", help="a reason for the audit log")
    parser.add_argument("--release", default="", help="a release's name or how it begins")
    parser.add_argument("--dirty", action="store_true", help="build from uncommitted files")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
