"""The one error type, and the one place that turns errors into an exit code.

Everything below the commands raises `ScaffoldError` and nothing catches broadly but `boundary`.
"""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from scaffold.ground import console

DEBUG = "MLOPS_SCAFFOLD_DEBUG"


class Exit(IntEnum):
    """Exit codes; scripts rely on them, so a number never changes its meaning."""

    ERROR = 1
    USAGE = 2
    CONFLICTS = 3
    UNSAFE = 4
    BEHIND = 5
    INTERRUPTED = 130


class ScaffoldError(Exception):
    """Something the person can act on: one line of cause and one of remedy."""

    def __init__(self, cause: str, remedy: str, code: Exit = Exit.ERROR) -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy
        self.code = code


@contextmanager
def boundary() -> Iterator[None]:
    """Turn whatever a command raises into two readable lines and an exit code."""
    try:
        yield
    except ScaffoldError as error:
        console.error(error.cause, error.remedy)
        sys.exit(error.code)
    except (KeyboardInterrupt, EOFError):  # Ctrl-C, or Ctrl-D where something is asked
        console.error("interrupted", "nothing half-made is left; run the command again")
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output went away; stop Python from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.ERROR)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        console.error(f"{where}{error.strerror or error}", "free the space or the path, and retry")
        _debug()
        sys.exit(Exit.ERROR)
    except Exception as error:  # the last resort: a bug of ours, said in one line
        console.error(
            f"internal error: {type(error).__name__}: {error}",
            f"run it again with {DEBUG}=1 for the details, and please report them",
        )
        _debug()
        sys.exit(Exit.ERROR)


def _debug() -> None:
    if os.environ.get(DEBUG):
        console.detail(traceback.format_exc())
