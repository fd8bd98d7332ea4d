"""Make the machine match what the state says: processes, clusters, routes.

`converge` may be called at any time and after any accident; what already matches is left alone.
Touch this file to change the order in which an environment moves from one state to the next.
"""

import time

from . import client, envoy, state, supervisor
from .config import Environment, OpsError
from .console import Steps
from .release import install, load
from .state import State


def converge(environment: Environment, wanted: State) -> None:
    """Run the releases of the state and give each its share of the traffic.

    New processes start before a route names them; old ones stop after their last answer.
    """
    running = wanted.running
    releases = [load(name) for name in running]
    for release in releases:
        install(release)
    supervisor.start(environment, {release.name: release.folder for release in releases})
    if wanted.serving:
        wait_ready(environment, wanted.serving, everyone=False)
    groups = {process.group for process in supervisor.processes(environment)} - {"envoy"}
    leaving = sorted(groups - set(running))
    sockets = {name: supervisor.sockets(environment, name) for name in [*running, *leaving]}
    envoy.publish(environment, "clusters.json", envoy.clusters(sockets))
    envoy.publish(environment, "routes.json", envoy.routes(running, wanted.weights))
    for name in leaving:
        envoy.drain(environment, name)
        del sockets[name]
        envoy.publish(environment, "clusters.json", envoy.clusters(sockets))
        supervisor.stop_group(environment, name)


def change(environment: Environment, wanted: State) -> None:
    """Remember a state first, then make the machine match it: after a crash the next verb does."""
    state.write(environment, wanted)
    converge(environment, wanted)


def recover(environment: Environment, steps: Steps) -> State:
    """The state without a deploy that was cut off, which is taken out."""
    found = state.read(environment)
    if found.candidate is None:
        return found
    clean = State(history=found.history)
    change(environment, clean)
    steps.note(f"a deploy of {found.candidate} was cut off; it was taken out")
    return clean


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
