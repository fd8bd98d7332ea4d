"""The only place that runs git: argument lists in, text out, in an environment that is ours.

Hooks, file-system monitors and the `ext` transport never run, git never asks on the terminal, and
no call outlives its time limit.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from scaffold.ground.errors import Exit, ScaffoldError

MINIMUM = (2, 32)  # the first that reads GIT_CONFIG_GLOBAL
MERGES = (2, 38)  # the first that has `merge-tree --write-tree`
LOCAL_SECONDS = 120.0
NETWORK_SECONDS = 900.0

HARDENED = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("protocol.ext.allow", "never"),
    ("log.showSignature", "false"),  # it would run gpg.program
    ("log.follow", "false"),
)
# What a calling git (a hook, an alias, a rebase) leaves in the environment is about its repository.
_CALLERS = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_ATTR_SOURCE",
        "GIT_CEILING_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DEFAULT_HASH",
        "GIT_DIR",
        "GIT_EXTERNAL_DIFF",
        "GIT_GLOB_PATHSPECS",
        "GIT_GRAFT_FILE",
        "GIT_ICASE_PATHSPECS",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_LITERAL_PATHSPECS",
        "GIT_NAMESPACE",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
_PERSONS = ("GIT_CONFIG_PARAMETERS", "GIT_ALLOW_PROTOCOL", "GIT_PROTOCOL_FROM_USER")


class GitError(ScaffoldError):
    """A git command failed; `stderr` is what it said."""

    def __init__(self, argv: tuple[str, ...], stderr: str) -> None:
        said = [line for line in stderr.splitlines() if line.startswith(("fatal:", "error:"))]
        reason = (said or stderr.strip().splitlines() or ["no reason given"])[0]
        super().__init__(
            f"git {argv[0]} failed: {reason}", f"run `git {' '.join(argv[:3])}` to see more"
        )
        self.stderr = stderr


def environment(*, private: bool = False, config: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """Return the environment that git runs in.

    `private` leaves out every setting of the person and the machine, so that none can change a
    result; without it credentials, proxies and URL rewrites keep working. `config` is added on top.
    """
    env = {name: value for name, value in os.environ.items() if name not in _CALLERS}
    entries = [*HARDENED, *config]
    if private:
        for name in [name for name in env if name in _PERSONS or name.startswith("GIT_CONFIG_")]:
            del env[name]
        env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    given = env.get("GIT_CONFIG_COUNT", "")
    first = int(given) if given.isdecimal() else 0
    for index, (key, value) in enumerate(entries, start=first):
        env |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    env["GIT_CONFIG_COUNT"] = str(first + len(entries))
    return env | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", "LANGUAGE": "C"}


def git(
    *argv: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    seconds: float = LOCAL_SECONDS,
) -> str:
    """Run one git command and return its stdout; raise `GitError` when it fails.

    What is no UTF-8, in names or in content, comes and goes unharmed as lone surrogates.
    """
    data = None if stdin is None else encode(stdin)
    return decode(raw(*argv, cwd=cwd, env=env, stdin=data, seconds=seconds))


def raw(
    *argv: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    seconds: float = LOCAL_SECONDS,
    allowed: int = 0,
) -> bytes:
    """Run one git command and return its stdout as it is; exit codes up to `allowed` are good."""
    try:
        done = subprocess.run(
            ["git", *argv],  # noqa: S607
            cwd=cwd,
            env=dict(environment() if env is None else env),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise ScaffoldError(
                f"there is no folder {cwd}", "give one that is there", Exit.USAGE
            ) from error
        raise _missing() from error
    except subprocess.TimeoutExpired as error:
        raise ScaffoldError(
            f"git {argv[0]} gave no answer within {seconds:.0f} s",
            "check the network or the disk, and retry",
        ) from error
    if done.returncode in (-signal.SIGINT, 128 + signal.SIGINT):
        raise KeyboardInterrupt  # Ctrl-C reached git before it reached us: no fault of git's
    if not 0 <= done.returncode <= allowed:
        raise GitError(argv, decode(done.stderr))
    return done.stdout


def settings(folder: Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the settings that hold in a folder: the person's, the machine's, the repository's."""
    listed = git("config", "-z", "--list", cwd=folder, env=env).split("\0")
    pairs = (entry.partition("\n") for entry in listed if entry)
    return {name: value for name, _, value in pairs}


def without_filters(found: Iterable[str]) -> list[tuple[str, str]]:
    """Return settings that take the programs of all filters away."""
    off = {"clean": "", "smudge": "", "process": "", "required": "false"}
    names = {name.rpartition(".")[0] for name in found if name.startswith("filter.")}
    return [(f"{name}.{key}", value) for name in sorted(names) for key, value in off.items()]


def encode(text: str) -> bytes:
    """Return the bytes of a text that `decode` made."""
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    """Return bytes as text, whatever they are."""
    return data.decode("utf-8", "surrogateescape")


def succeeds(*argv: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> bool:
    """Tell whether a git command exits 0."""
    try:
        git(*argv, cwd=cwd, env=env)
    except GitError:
        return False
    return True


def require(minimum: tuple[int, int] = MINIMUM) -> None:
    """Refuse early, and in words, when git is missing or too old."""
    found = re.search(r"(\d+)\.(\d+)", git("version"))
    if not found or (int(found[1]), int(found[2])) < minimum:
        version = found[0] if found else "unknown"
        raise ScaffoldError(
            f"git {version} is too old: at least {minimum[0]}.{minimum[1]} is needed here",
            "upgrade git (git-scm.com/downloads; on Ubuntu 22.04 from the PPA git-core/ppa)",
        )


def _missing() -> ScaffoldError:
    return ScaffoldError(
        "git is not installed, or not on PATH", "install it, e.g. `apt install git`"
    )
