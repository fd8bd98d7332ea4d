"""Deploy a release to an environment, roll it back, and make the machine match the state.

    proof -> install -> start -> smoke -> acceptance -> canary steps -> switch

Until the last step any failure leaves the old release serving. A rollback asks nobody: it gives
the traffic back to the release that is still warm. Touch this file to change the steps.
"""

import contextlib
import signal
import time

import httpx

from . import client, envoy, state, supervisor, verify
from .config import Environment, OpsError, environments
from .console import Steps
from .release import RELEASES, Release, crown, install, load, prove, prune, record
from .state import State


def deploy(environment: Environment, release: Release, why: str) -> None:
    """Bring a release into an environment, step by step, or leave everything as it was."""
    steps = Steps(environment.name)
    with state.changing(environment, "deploy", release.name, why):
        with steps.step("proof") as say:
            say(prove(release, environment))
        with steps.step("install") as say:
            say(install(release))
        before = recover(environment, steps)
        if before.serving == release.name:
            change(environment, before)
            steps.note(f"{release.name} serves {environment.name} already")
        else:
            try:
                _bring_in(environment, release, before, steps)
            except BaseException as error:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not stop this
                with steps.step("undo") as say:
                    change(environment, before)
                    say(f"{before.serving or 'nothing'} serves, as before")
                record(release, environment, f"failed: {getattr(error, 'cause', 'interrupted')}")
                raise
        record(release, environment, "passed")
        if environment.name == list(environments())[-1] and crown(release):
            steps.note("the best model accepted so far: the next one is measured against it")
        with contextlib.suppress(OpsError):  # another environment's state may be broken
            prune({name for e in environments().values() for name in state.read(e).history})


def _bring_in(environment: Environment, release: Release, before: State, steps: Steps) -> None:
    candidate = State(history=before.history, candidate=release.name)
    with steps.step("start") as say:
        change(environment, candidate)
        say(f"{wait_ready(environment, release.name)} ready")
    with steps.step("smoke") as say:
        say(verify.smoke(environment, release))
    with steps.step("acceptance") as say:
        say(verify.acceptance(environment, release))
    if before.serving:
        old = load(before.serving)
        for percent in environment.canary:
            with steps.step(f"canary {percent} %") as say:
                change(environment, candidate.model_copy(update={"weight": percent}))
                say(verify.canary(environment, old, release))
    with steps.step("switch") as say:
        change(environment, before.accept(release.name))
        _confirm(environment, release.name)
        say(f"{environment.url} answers from {release.name}")


def rollback(environment: Environment, why: str) -> None:
    """Give the traffic back to the release before the one that serves."""
    name, now = environment.name, state.read(environment)
    # A canary that was cut off is what has to go, not the release that serves beside it.
    back = State(history=_on_disk(now.history if now.weight else now.history[:-1]))
    if now.serving is None:
        raise OpsError(f"nothing is deployed to {name}", "make ship")
    if back.serving is None:
        cause = f"{now.serving} is the only release of {name}; it goes on serving"
        raise OpsError(cause, "mend the fault and make ship, or make down to stop")
    with (
        state.changing(environment, "rollback", back.serving, why),
        Steps(name).step("rollback") as say,
    ):
        if state.read(environment) != now:
            raise OpsError(f"{name} was changed a moment ago", "make status, then decide again")
        try:
            change(environment, back)
            _confirm(environment, back.serving)
        except OpsError:
            if _answered_by(environment) != back.serving:
                state.write(environment, now)  # it did not happen, so a second try is the first
            raise
        gone = now.candidate if now.weight else now.serving
        say(f"{environment.url} answers from {back.serving}, no more {gone}")


def up(environment: Environment) -> None:
    """Start again what should run, after a reboot or an accident."""
    steps = Steps(environment.name)
    if state.read(environment).serving is None:
        steps.note("nothing was deployed yet; make ship")
        return
    with state.changing(environment, "up", "", ""), steps.step("up") as say:
        wanted = recover(environment, steps)
        change(environment, wanted)
        say(f"{environment.url} answers from {wanted.serving or 'nobody: make ship'}")


def _confirm(environment: Environment, release: str) -> None:
    """Ask the environment's own address until the answer comes from the release."""
    if not client.until(lambda: _answered_by(environment) == release, 3):
        cause = f"{environment.url} is answered by {_answered_by(environment)}, not by {release}"
        raise OpsError(cause, f"make up ENV={environment.name}")


def _answered_by(environment: Environment) -> str:
    try:
        with client.connect(environment.url, timeout=1) as door:
            answer = door.get("/v2/health/ready")
            return str(answer.headers.get(envoy.HEADER, f"status {answer.status_code}"))
    except httpx.HTTPError as error:
        return type(error).__name__


def change(environment: Environment, wanted: State) -> None:
    """Remember a state, then make the machine match it: after a crash, the next verb does.

    May be called at any time and after any accident; what already matches is left alone. New
    processes start before a route names them; old ones stop after their last answer.
    """
    folders = {}
    for name in wanted.running:
        try:
            install(load(name))
            folders[name] = RELEASES / name
        except OpsError:
            if name != wanted.previous:  # the warm spare may be gone; the others may not
                raise
    state.write(environment, wanted)
    supervisor.start(environment, folders)
    if wanted.serving:
        wait_ready(environment, wanted.serving, everyone=False)
    groups = {process.group for process in supervisor.processes(environment)} - {"envoy"}
    leaving = sorted(groups - set(folders))
    sockets = {name: supervisor.sockets(environment, name) for name in [*folders, *leaving]}
    envoy.publish(environment, "clusters.json", envoy.clusters(sockets))
    envoy.publish(environment, "routes.json", envoy.routes(list(folders), wanted.weights))
    for name in leaving:
        envoy.drain(environment, name)
        del sockets[name]
        envoy.publish(environment, "clusters.json", envoy.clusters(sockets))
        supervisor.stop_group(environment, name)


def recover(environment: Environment, steps: Steps) -> State:
    """The state without a deploy that was cut off, and without releases that were deleted."""
    found = state.read(environment)
    clean = State(history=_on_disk(found.history))
    if clean.history != found.history:
        steps.note(f"deleted releases are forgotten: {set(found.history) - set(clean.history)}")
    if found.candidate:
        change(environment, clean)
        steps.note(f"a deploy of {found.candidate} was cut off; it was taken out")
    return clean


def _on_disk(history: list[str]) -> list[str]:
    return [name for name in history if (RELEASES / name / "release.json").exists()]


def wait_ready(environment: Environment, release: str, everyone: bool = True) -> int:
    """Wait until the processes of a release say they are ready (all, or one). Returns how many."""
    limit = environment.verify.ready_seconds
    deadline = time.monotonic() + limit
    while True:
        sockets = supervisor.sockets(environment, release)
        ready = sum(map(client.is_ready, sockets))
        if ready == len(sockets) or (ready and not everyone):
            return ready
        for process in supervisor.processes(environment):
            if process.group == release and process.statename in ("BACKOFF", *supervisor.ENDED):
                words = supervisor.last_words(process)
                cause = f"{process.name} ended while starting: {words}"
                raise OpsError(cause, f"see {process.stdout_logfile}")
        if time.monotonic() > deadline:
            cause = f"{ready} of {len(sockets)} processes of {release} were ready after {limit:g} s"
            raise OpsError(cause, f"see {environment.logs / release}.log")
        time.sleep(0.02)
