"""The pipeline's verbs: `uv run python -m ops VERB`, which is what `make VERB` types for you.

Touch this file to add a verb. Errors become one line of cause and one of remedy here.
"""

import argparse
import contextlib
import errno
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence

from . import check, engine, image
from .config import ROOT, Environment, OpsError, environments, find, package_name
from .console import Steps, complain, say, table
from .deploy import deploy, promote, rollback, up
from .release import CHAMPION, GATE, Release, build, carried, checked_out, golden_rows, load, newest

Options = argparse.Namespace
STATUS = ("environment", "release", "since", "health", "requests", "errors", "megabytes", "url")


def run(verb: str) -> None:
    """train, golden and gate are programs that speak for themselves."""
    words = ["--champion", str(CHAMPION), "--report", str(GATE)] if verb == "gate" else []
    command = [sys.executable, "-m", f"{package_name()}.{verb}", *words]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise OpsError(f"{verb} failed, see above", f"mend it, then make {verb}")


def build_release(options: Options) -> None:
    built = build(options.dirty)
    say(f"{built.name}  {built.wheel}  sha256 {built.digest}")


def ship(options: Options) -> None:
    """Everything from check to production, with a table of what each step said."""
    steps = Steps("ship")
    checked_out(options.dirty)  # before a minute is spent on what cannot be released
    try:
        with contextlib.nullcontext() if check.passed() else check.beside() as verdict:
            for verb in ("train", "gate"):
                with steps.step(verb) as told:
                    run(verb)
                    told("see .state/gate/report.md" if verb == "gate" else "")
            with steps.step("check") as told:
                told(verdict() if verdict else "passed before, for the very same files")
        with steps.step("build") as told:
            built = build(options.dirty)
            told(f"{built.name}, sha256 {built.digest[:12]}")
        if options.registry:
            with steps.step("image") as told:
                image.build(built)
                told(image.prove(built))
            with steps.step("push") as told:
                told(image.push(built, options.registry))
        for environment in environments().values():
            if environment.approval and not options.approved_by:
                how = f"make deploy ENV={environment.name} APPROVED_BY=name WHY=..."
                steps.note(f"{environment.name} waits for a person's approval: {how}")
                return
            with steps.step(environment.name) as told:
                bring_in = deploy if engine.STANDS_ALONE else promote
                bring_in(environment, load(built.name), options.why, options.approved_by)
                real = engine.STANDS_ALONE or engine.is_real(environment)
                told(engine.address(environment) if real else "rehearsed")
    finally:
        say()
        table(("STEP", "VERDICT", "SECONDS", ""), steps.done)
    if not engine.STANDS_ALONE:
        return
    row = golden_rows(built)[0]
    address = engine.address(environment).replace("127.0.0.1", "localhost")
    say("\nIt is in production. Ask it:\n")
    say(f"  curl -s {address}/predict -d {shlex.quote(json.dumps(row))}\n")


def chosen_release(options: Options) -> Release:
    return load(options.release) if options.release else newest()


def build_image(options: Options) -> None:
    release = chosen_release(options)
    say(image.build(release))
    say(image.prove(release))


def show_status(options: Options) -> None:
    """What runs where: release, age, health, traffic and memory (MB) of each environment."""
    found = [engine.collect(environment) for environment in environments().values()]
    if options.json:
        say(json.dumps(found, indent=2))
        return
    rows = [[str(facts[key]) for key in STATUS] for facts in found]
    table([{"since": "AGE", "megabytes": "MB"}.get(key, key.upper()) for key in STATUS], rows)
    for facts in found:
        for remark in facts["remarks"]:
            say(f"{facts['environment']}: {remark}")


def bring(options: Options) -> None:
    """Deploy or, as CI does, promote: what CI carried here, or what was built here."""
    if options.verb == "promote":
        with carried(options.release) as release:
            promote(find(options.env), release, options.why, options.approved_by)
    else:
        deploy(find(options.env), chosen_release(options), options.why, options.approved_by)


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
        stopped = engine.down(environment, options.why)
        what = f"stopped {', '.join(stopped)}" if stopped else "nothing ran"
        say(f"{environment.name}: {what}")


VERBS = {
    "check": lambda options: check.check(),
    **{verb: lambda options: run(options.verb) for verb in ("train", "golden", "gate")},
    "build": build_release,
    "ship": ship,
    "image": build_image,
    "push": lambda options: say(image.push(chosen_release(options), options.registry)),
    "deploy": bring,
    "promote": bring,
    "rollback": lambda options: rollback(find(options.env), options.why or "no reason given"),
    "status": show_status,
    "up": bring_up,
    "down": take_down,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted."""
    options = _parser().parse_args(arguments)
    options.why = options.why.encode("utf-8", "replace").decode()  # a shell may give any bytes
    for one in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.default_int_handler)
    os.chdir(ROOT)
    try:
        VERBS[options.verb](options)
        return 0
    except OpsError as error:
        complain(error.cause, error.remedy)
        return 1
    except BrokenPipeError:  # `make status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return int(options.verb != "status")
    except KeyboardInterrupt:
        complain("interrupted; what served before goes on serving", "")
        return 130
    except Exception as error:
        if os.environ.get("OPS_DEBUG"):
            raise
        remedy = "OPS_DEBUG=1 shows where it happened; make up repairs what it can"
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = "make room: du -sh .state/* shows what is large; then again"
        complain(f"{type(error).__name__}: {error}", remedy)
        return 1


def _chosen(options: Options) -> list[Environment]:
    return [find(options.env)] if options.env else list(environments().values())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ops", description=__doc__)
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("--env", default="", help="test, staging or production")
    parser.add_argument("--why", default="", help="a reason for the audit log")
    parser.add_argument("--approved-by", default="", help="who approves a deploy that needs it")
    parser.add_argument("--registry", default="", help="where to push the image: host/path")
    parser.add_argument("--release", default="", help="a release's name or how it begins")
    parser.add_argument("--dirty", action="store_true", help="build from uncommitted files")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
