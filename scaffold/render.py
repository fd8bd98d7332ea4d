"""Renders one version of a template, by copier's public API, into a folder.

copier is imported late, because that takes longer than most of our commands. A template's tasks
never run, and what copier raises leaves here as our one error type.
"""

import errno
import importlib
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

from scaffold import console
from scaffold.answers import Answers
from scaffold.errors import Exit, ScaffoldError
from scaffold.source import Template

# Errors that are the machine's and not the template's: a full or broken disk, a missing right.
_MACHINES = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE)
_REQUIRED = re.compile(r'Question "(.+)" is required')
_INVALID = re.compile(r"Validation error for question '(.+?)': (.+)", re.DOTALL)


def preload() -> None:
    """Import copier beside whatever waits for git meanwhile."""

    def load() -> None:
        with suppress(Exception):  # `render` imports it again and reports the error
            importlib.import_module("copier")

    Thread(target=load, daemon=True).start()


def render(
    template: Template,
    destination: Path,
    answers: Answers,
    *,
    work: Path,
    defaults: bool,
    suggested: Answers,
) -> None:
    """Render a template into a folder that does not exist yet.

    Args:
        template: the version to render.
        destination: its last component is the name that the template sees.
        answers: given answers, by question.
        work: scratch folder; copier's clones and caches go there.
        defaults: take defaults for what is not answered; otherwise ask on the terminal.
        suggested: defaults that win over the template's own.

    """
    environment = template.environment() | {
        "COPIER_CACHE_DIR": str(work / "cache"),
        # Otherwise git looks for a repository around the project and obeys its settings.
        "GIT_CEILING_DIRECTORIES": os.pathsep.join((str(destination.parent), str(work))),
    }
    with _inside(environment, work), warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always", UserWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            _copy(template, destination, answers, defaults=defaults, suggested=suggested)
        except (KeyboardInterrupt, ScaffoldError):
            raise
        except OSError as error:
            if error.errno in _MACHINES:
                raise
            raise _explained(error, template) from error
        except Exception as error:  # bare TypeError, ValueError, yaml and plumbum errors as well
            raise _explained(error, template) from error
    for warning in raised:
        console.note(str(warning.message).splitlines()[0])


def _copy(
    template: Template, destination: Path, answers: Answers, *, defaults: bool, suggested: Answers
) -> None:
    from copier import Settings, run_copy

    run_copy(
        template.url,
        destination,
        answers,
        vcs_ref=template.ref,
        settings=Settings(),
        defaults=defaults,
        user_defaults=suggested,
        quiet=True,
        skip_tasks=True,
    )


@contextmanager
def _inside(environment: Mapping[str, str], work: Path) -> Iterator[None]:
    """Run copier, and every git it starts, in this environment, with scratch files in `work`."""
    outside, scratch = dict(os.environ), tempfile.tempdir
    _replace(environment)
    tempfile.tempdir = str(work)
    try:
        from plumbum import local

        # plumbum, through which copier runs git, keeps a copy of the environment of its own.
        with local.env():
            local.env.clear()
            local.env.update(environment)
            yield
    finally:
        tempfile.tempdir = scratch
        _replace(outside)


def _replace(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _explained(error: Exception, template: Template) -> ScaffoldError:
    """Say in our words what copier, jinja2, yaml or git could not do."""
    text = str(error).strip() or type(error).__name__
    if found := _REQUIRED.search(text):
        return ScaffoldError(
            f"the question {found[1]!r} has no answer and no default",
            f"give it with --data {found[1]}=...",
            Exit.USAGE,
        )
    if found := _INVALID.search(text):
        return ScaffoldError(
            " ".join(found[2].split()),
            f"give another answer with --data {found[1]}=...",
            Exit.USAGE,
        )
    kind = type(error).__name__
    if kind == "UnsafeTemplateError":
        features = text.splitlines()[0].rpartition(": ")[2].rstrip(".")
        return ScaffoldError(
            f"the template wants to run code of its own ({features}), which is never allowed here",
            "use another template or version; `copier copy --trust` runs it, if you trust it",
            Exit.UNSAFE,
        )
    if kind == "ForbiddenPathError":
        return ScaffoldError(
            f"the template reaches outside the project: {text.splitlines()[0]}",
            "do not use this template as it is; tell its owner",
            Exit.UNSAFE,
        )
    stderr = str(getattr(error, "stderr", "") or "")
    lines = [line for line in stderr.splitlines() if line.startswith(("fatal:", "error:"))]
    return ScaffoldError(
        f"{template.url} {template.version} cannot be rendered: {(lines or text.splitlines())[0]}",
        "give other answers or another version (--ref), or tell the template's owner",
    )
