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

from . import status, supervisor
from .config import ROOT, Environment, OpsError, environments, find, package_name
from .console import Steps, complain, say, table
from .deploy import deploy, rollback, up
from .release import build, checked_out, load, newest
from .state import changing

Options = argparse.Namespace


def run(verb: str) -> None:
    """check, train, golden and gate are programs that speak for themselves."""
    modules = [[f"{package_name()}.{verb}"]]
    if verb == "check":
        modules = [["pre_commit", "run", "--all-files"], ["pytest", "--ignore", "tests/acceptance"]]
    for module in modules:
        if subprocess.run([sys.executable, "-m", *module], cwd=ROOT, check=False).returncode:
            raise OpsError(f"{verb} failed, see above", f"mend it, then make {verb}")


def build_release(options: Options) -> None:
    built = build(options.dirty)
    say(f"{built.name}  {built.wheel}  sha256 {built.digest}")


def ship(options: Options) -> None:
    """Everything from check to production, with a table of what each step said."""
    steps = Steps("ship")
    checked_out(options.dirty)  # before a minute is spent on what cannot be released
    try:
        for verb in ("check", "train", "gate"):
            with steps.step(verb) as told:
                run(verb)
                told("see .state/gate/report.md" if verb == "gate" else "")
        with steps.step("build") as told:
            built = build(options.dirty)
            told(f"{built.name}, sha256 {built.digest[:12]}")
        for environment in environments().values():
            with steps.step(environment.name) as told:
                deploy(environment, load(built.name), options.why or built.subject)
                told(environment.url)
    finally:
        say()
        table(("STEP", "VERDICT", "SECONDS", ""), steps.done)
    row = json.loads((built.folder / "golden.json").read_text("utf-8"))["rows"][0]
    address = environment.url.replace("127.0.0.1", "localhost")
    say("\nIt is in production. Ask it:\n")
    say(f"  curl -s {address}/predict -d {shlex.quote(json.dumps(row))}\n")


def deploy_release(options: Options) -> None:
    environment = find(options.env)
    release = load(options.release) if options.release else newest()
    deploy(environment, release, options.why or release.subject)


def bring_up(options: Options) -> None:
    failed = []
    for environment in _chosen(options):
        try:
            up(environment)
        except OpsError as error:  # the others still come up
            failed.append(error)
    if failed:
        raise failed[0]


def take_down(options: Options) -> None:
    for environment in reversed(_chosen(options)):
        stopped = []
        if environment.folder.exists():
            with changing(environment, "down", "", options.why):
                stopped = supervisor.stop(environment)
        what = f"stopped {', '.join(stopped)}" if stopped else "nothing ran"
        say(f"{environment.name}: {what}")


VERBS = {
    **{verb: lambda options: run(options.verb) for verb in ("check", "train", "golden", "gate")},
    "build": build_release,
    "ship": ship,
    "deploy": deploy_release,
    "rollback": lambda options: rollback(find(options.env), options.why or "no reason given"),
    "status": lambda options: status.show(options.json),
    "up": bring_up,
    "down": take_down,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.chdir(ROOT)
    try:
        VERBS[options.verb](options)
        return 0
    except OpsError as error:
        complain(error.cause, error.remedy)
        return 1
    except BrokenPipeError:  # `make status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        complain("interrupted; what served before goes on serving", "")
        return 130
    except Exception as error:
        if os.environ.get("OPS_DEBUG"):
            raise
        remedy = "OPS_DEBUG=1 shows where it happened; make up repairs what it can"
        complain(f"{type(error).__name__}: {error}", remedy)
        return 1


def _chosen(options: Options) -> list[Environment]:
    return [find(options.env)] if options.env else list(environments().values())


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
