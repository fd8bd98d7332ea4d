"""Deploy a release to an environment, roll it back, rehearse both.

    proof -> install -> start -> smoke -> acceptance -> canary steps -> switch

Until the last step any failure leaves the old release serving. A rollback asks nobody: it gives
the traffic back to the release that is still there. Touch this file to change the steps.
"""

import contextlib
import os
import signal

from . import engine, verify
from .config import Environment, OpsError, environments
from .console import Steps
from .release import Release, crown, is_name, prove, prune, record
from .state import State, person


def deploy(environment: Environment, release: Release, why: str, approver: str = "") -> None:
    """Bring a release into an environment, step by step, or leave everything as it was."""
    engine.read(environment)  # refuses where nothing can be deployed to
    before = release.environments.get(environment.after or "", {})
    if before.get("rehearsed"):
        cause = f"{release.name} has passed {environment.after} in a rehearsal only"
        raise OpsError(cause, "start the pipeline (or make ship) anew, where it is real")
    _deploy(environment, release, why, approval(environment, release, why, approver))


def _deploy(environment: Environment, release: Release, why: str, approver: str) -> None:
    steps = Steps(environment.name)
    approved = f", approved by {approver}" if approver else ""
    reason = (why or release.subject) + approved
    with engine.changing(environment, "deploy", release.name, reason):
        before = recover(environment, steps)
        with steps.step("proof") as say:
            say(prove(release, environment) + approved)
        with steps.step("install") as say:
            say(engine.install(environment, release))
        if before.serving == release.name:
            engine.change(environment, before)
            steps.note(f"{release.name} serves {environment.name} already")
        else:
            try:
                _bring_in(environment, release, before, steps)
            except BaseException as error:
                hold_on()
                # What fails in here is told by its step; the error stays what failed first.
                with contextlib.suppress(Exception), steps.step("undo") as say:
                    engine.change(environment, before)
                    say(f"{before.serving or 'nothing'} serves, as before")
                with contextlib.suppress(OSError):
                    said = getattr(error, "cause", "interrupted")
                    record(release, environment, f"failed: {said}")
                raise
        record(release, environment, "passed", approved_by=approver, why=why)
        if environment.name == list(environments())[-1] and crown(release):
            steps.note("the best model accepted here so far, kept in .state/champion")
        with contextlib.suppress(OpsError):  # another environment's state may be broken
            prune({name for e in environments().values() for name in engine.read(e).history})


def approval(environment: Environment, release: Release, why: str, approver: str) -> str:
    """Who approves, if it needs that. Raises OpsError when it is nobody, or an author.

    In CI it is the person who started the job; elsewhere a name is a record, not a proof.
    """
    if not environment.approval:
        return ""
    name = person() or approver
    if not name or not why:
        cause = f"{environment.name} needs a person's approval and a reason"
        how = f"make deploy ENV={environment.name} RELEASE={release.name} APPROVED_BY=name WHY=..."
        raise OpsError(cause, "start this job by hand, with a reason" if person() else how)
    mine = {name} | {os.environ.get(f"GITLAB_USER_{word}", name) for word in ("EMAIL", "NAME")}
    if {word.casefold() for word in mine} & {word.casefold() for word in release.authors}:
        cause = f"{name} made {release.name}, and so cannot approve it for {environment.name}"
        raise OpsError(cause, "ask somebody else to look at it and approve it")
    return name


def promote(environment: Environment, release: Release, why: str, approver: str = "") -> None:
    """Deploy where the environment really is; elsewhere rehearse it on this machine."""
    if engine.is_real(environment):
        deploy(environment, release, why, approver)
    else:
        approver = approval(environment, release, why, approver)
        Steps(environment.name).note(f"a rehearsal: {engine.TO_MAKE_IT_REAL}")
        engine.rehearse(
            environment,
            release,
            lambda one: _deploy(environment, one, why, approver),
            lambda: _rollback(environment, "rehearsal"),
        )
        record(release, environment, "passed", approved_by=approver, why=why, rehearsed="yes")
    for after in environments().values():
        if after.after == environment.name and after.approval and person():
            run = os.environ.get("GITHUB_RUN_ID")
            how = f"Run workflow, with run {run} and" if run else "start its job, with WHY as"
            text = f"{after.name} waits for somebody who is no author to approve it: {how} a reason"
            Steps(environment.name).note(text)


def _bring_in(environment: Environment, release: Release, before: State, steps: Steps) -> None:
    candidate = State(history=before.history, candidate=release.name)
    with steps.step("start") as say:
        engine.change(environment, candidate)
        say(f"{engine.wait_ready(environment, release.name)} ready")
    with steps.step("smoke") as say:
        say(verify.smoke(environment, release))
    with steps.step("acceptance") as say:
        say(verify.acceptance(environment, release))
    old, percents = before.serving, environment.canary
    if old and percents:
        try:
            engine.confirm(environment, old)
        except OpsError as error:
            steps.note(f"no canary, as the old release is ill: {error.cause}")
            old = None
    for percent in percents if old else ():
        with steps.step(f"canary {percent} %") as say:
            engine.change(environment, candidate.model_copy(update={"weight": percent}))
            say(verify.canary(environment, str(old), release))
    with steps.step("switch") as say:
        engine.change(environment, before.accept(release.name))
        say(engine.confirm(environment, release.name))


def rollback(environment: Environment, why: str) -> None:
    """Give the traffic back to the release before the one that serves, where it really is."""
    if person() and not engine.is_real(environment):
        cause, remedy = engine.TO_MAKE_IT_REAL.split("; ")
        raise OpsError(f"there is no {environment.name} to roll back: {cause}", remedy)
    _rollback(environment, why)


def _rollback(environment: Environment, why: str) -> None:
    name, now = environment.name, engine.read(environment)
    answers = engine.answered_by(environment).partition(" ")[0]  # well or ill
    # A rollback that was cut off has remembered where to go, and another release still answers.
    cut_off = not now.candidate and is_name(answers) and answers not in now.history
    # A canary that was cut off is what has to go, not the release that serves beside it.
    history = now.history if now.weight or cut_off else now.history[:-1]
    back = State(history=engine.present(environment, history))
    if now.serving is None:
        raise OpsError(f"nothing is deployed to {name}", "make ship")
    if back.serving is None:
        cause = f"{now.serving} is the only release of {name}; it goes on serving"
        raise OpsError(cause, "mend the fault and make ship, or make down to stop")
    with (
        engine.changing(environment, "rollback", back.serving, why),
        Steps(name).step("rollback") as say,
    ):
        if engine.read(environment) != now:
            raise OpsError(f"{name} was changed a moment ago", "make status, then decide again")
        try:
            engine.change(environment, back)
            said = engine.confirm(environment, back.serving)
        except BaseException:
            hold_on()
            if engine.answered_by(environment) != back.serving:
                # It did not happen, so a second try is the first.
                engine.remember(environment, now)
            raise
        say(f"{said}, no more {now.candidate if now.weight else answers}")


def hold_on() -> None:
    """Let nothing stop what puts things right again; CI sends more than one signal."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, lambda *_: None)


def up(environment: Environment) -> None:
    """Start again what should run, after a reboot or an accident."""
    steps = Steps(environment.name)
    if engine.read(environment) == State():
        steps.note("nothing was deployed yet; make ship")
        return
    with engine.changing(environment, "up", "", ""), steps.step("up") as say:
        wanted = recover(environment, steps)
        if wanted.serving and (hung := engine.revive(environment, wanted.serving)):
            steps.note(f"{', '.join(hung)} hung and is started anew")
        engine.change(environment, wanted)
        who = wanted.serving or "nobody: make ship"
        say(f"{engine.address(environment)} answers from {who}")


def recover(environment: Environment, steps: Steps) -> State:
    """The state without a deploy that was cut off, and without releases that were deleted."""
    found = engine.read(environment)
    clean = State(history=engine.present(environment, found.history))
    if clean.history != found.history:
        steps.note(f"deleted releases are forgotten: {set(found.history) - set(clean.history)}")
    if found.candidate:
        with contextlib.suppress(OpsError):  # what serves may be ill; that is for the next to say
            engine.change(environment, clean)
        steps.note(f"a deploy of {found.candidate} was cut off; it was taken out")
    return clean
