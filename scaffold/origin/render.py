"""Renders one version of a template, by copier, into a folder.

copier is imported late, because that takes longer than most of our commands. A template's tasks
never run, its Jinja extensions only where that is harmless or the person trusts it, and what copier
raises leaves here as our one error type.
"""

import errno
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from scaffold.ground import console
from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.origin import extensions, unrun
from scaffold.origin.ahead import await_import
from scaffold.origin.answers import Answers, choices, jinja_extensions, read_questions
from scaffold.origin.source import Template
from scaffold.origin.unrun import Unrun

# Errors that are the machine's and not the template's: a full or broken disk, a missing right.
_MACHINES = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE)
_REQUIRED = re.compile(r'Question "(.+)" is required')
_INVALID = re.compile(
    r"(?:Invalid choice for '(.+?)'|Validation error for question '(.+?)'): (.+)", re.DOTALL
)
_MODULE = re.compile(r"No module named '(.+?)'")


class RefusedAnswer(ScaffoldError):
    """The template refuses the answer to `question`."""

    question = ""


@dataclass(frozen=True)
class Rendering:
    """What came out beside the files.

    `answers_file` is its path, `skips` tells what an update leaves alone, `hidden` are the answers
    that were taken for questions that were not asked, `excludes` what each pattern of files that
    are left out came to with all answers, `unrun` what the template would have run and said,
    `unanswered` the questions that took their defaults, or were asked.
    """

    answers_file: str
    skips: Callable[[str], bool]
    hidden: Answers
    excludes: Mapping[str, tuple[str, ...]]
    unrun: Unrun
    unanswered: frozenset[str] = frozenset()


def render(
    template: Template,
    destination: Path,
    answers: Answers,
    *,
    work: Path,
    defaults: bool,
    suggested: Answers | None = None,
    answers_file: str | None = None,
    updating: bool = False,
    exclude: Sequence[str] = (),
    since: Template | None = None,
    tell: Callable[[str], None] | None = None,
    shown: str = ".",
) -> Rendering:
    """Render a template into a folder.

    Args:
        template: the version to render.
        destination: its last component is the name that the template sees. It does not exist, or
            holds only an answers file, whose answers then count as given before.
        answers: given answers, by question.
        work: scratch folder.
        defaults: take defaults for what is not answered; otherwise ask on the terminal.
        suggested: defaults that win over the template's own.
        answers_file: its path in the project, where it is not the template that decides.
        updating: leave out what the template excludes from updates.
        exclude: more patterns of files to leave out.
        since: the version that a project is updated from, if it is.
        tell: is given the message that comes before, before anything is asked.
        shown: the project's folder, as the person calls it.

    """
    await_import()
    path = os.environ.get("PATH", os.defpath)
    with _inside(work), warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always", UserWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            rendering = _copy(
                template,
                destination,
                path=path,
                data=answers,
                defaults=defaults,
                user_defaults=suggested or {},
                answers_file=answers_file,
                updating=updating,
                exclude=exclude,
                since=since,
                tell=tell,
                shown=shown,
            )
        except (KeyboardInterrupt, ScaffoldError):
            raise
        except OSError as error:
            if error.errno in _MACHINES:
                raise
            raise _explained(error, template) from error
        except SystemExit as error:  # code of the template that the person trusts
            raise ScaffoldError(
                f"{template.url} {template.version} cannot be rendered: its own code, an extension "
                f"of Jinja, ended with {error.code!r}",
                "look above at what it says, and at what it needs on this machine",
            ) from error
        except Exception as error:  # bare TypeError, ValueError, yaml and plumbum errors as well
            if isinstance(error.__cause__, EOFError):  # Ctrl-D at a question
                raise KeyboardInterrupt from error
            raise _explained(error, template) from error
    for text in dict.fromkeys(str(warning.message).splitlines()[0] for warning in raised):
        console.note(text)
    return rendering


def _copy(
    template: Template,
    destination: Path,
    *,
    path: str,
    answers_file: str | None,
    updating: bool,
    since: Template | None,
    tell: Callable[[str], None] | None,
    shown: str,
    **options: Any,
) -> Rendering:
    """Run copier's worker on files that are there already, instead of on a clone of its own.

    copier knows the template by its address and clones it on every run; giving it the facts that it
    would have read off that clone saves ten processes of git, and one more for every file.
    """
    from copier._main import Worker, _operation
    from copier._settings import SettingsModel
    from copier._template import Template as Theirs

    facts = {
        "vcs": "git",
        "local_abspath": template.folder.resolve(),
        "commit": template.version,
        "commit_hash": template.commit,
        "git_index_modes": {},  # the files have their modes
    }
    theirs = Theirs(url=template.url, ref=template.version)
    theirs.__dict__.update(facts)
    listed = [*jinja_extensions(template), *theirs.jinja_extensions]  # some may be included
    extensions.check(listed, template)
    if extensions.foreign(listed):  # trusted: as with plain copier it may call git
        os.environ["PATH"] = path
    verb: Literal["update", "copy"] = "update" if updating else "copy"
    token = _operation.set(verb)
    try:
        with Worker(
            src_path=template.url,
            dst_path=destination,
            vcs_ref=template.version,
            settings=SettingsModel(trust={template.url} if listed else set()),
            answers_file=Path(answers_file) if answers_file else None,
            overwrite=True,
            skip_answered=True,
            skip_tasks=True,
            quiet=True,
            **options,
        ) as worker:
            worker.__dict__["template"] = theirs
            if tell:
                tell(unrun.message(worker, theirs._raw_config, f"before_{verb}", shown))
            worker.run_copy()
            written, matches = str(worker.answers_relpath), worker.match_skip
            used = worker.answers.combined
            hidden = {str(key): used.get(key) for key in worker.answers.hidden}
            unanswered = frozenset(worker.answers.user) - {*worker.answers.init, *hidden}
            operation = {"_copier_operation": _operation.get()}
            excludes = {
                pattern: tuple(worker._render_string(pattern, operation).splitlines())
                for pattern in theirs.exclude
            }
            left = unrun.find(
                worker, theirs._raw_config, template, since, updating=updating, shown=shown
            )
        found = Rendering(written, lambda path: bool(matches(Path(path))), hidden, excludes, left)
        return replace(found, unanswered=unanswered)
    finally:
        _operation.reset(token)


@contextmanager
def _inside(work: Path) -> Iterator[None]:
    """Run copier with scratch files in `work`, and where it finds no git to run.

    Modules do not come from where one stands, which can be a project, nor leave bytecode beside
    the template's files.
    """
    outside, scratch = dict(os.environ), tempfile.tempdir
    modules, writes = sys.path[:], sys.dont_write_bytecode
    sys.path[:] = [entry for entry in modules if not _is_here(entry)]
    sys.dont_write_bytecode = True
    environment = {**outside, "PATH": str(work), "COPIER_CACHE_DIR": str(work / "cache")}
    _replace(environment)
    tempfile.tempdir = str(work)
    try:
        from plumbum import local

        # plumbum, through which copier runs programs, keeps a copy of the environment of its own.
        with local.env():
            local.env.clear()
            local.env.update(environment)
            yield
    finally:
        tempfile.tempdir = scratch
        sys.path[:], sys.dont_write_bytecode = modules, writes
        _replace(outside)


def _is_here(entry: str) -> bool:
    try:
        return Path(entry).resolve() == Path.cwd()
    except OSError:  # the folder is gone
        return entry in ("", ".")


def _replace(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _one_of(template: Template, question: str) -> str:
    listed = choices(read_questions(template).asked.get(question, {}))
    return f", one of {', '.join(listed)}" if listed else ""


def _explained(error: Exception, template: Template) -> ScaffoldError:
    """Say in our words what copier, jinja2, yaml or git could not do."""
    text = str(error).strip() or type(error).__name__
    if found := _REQUIRED.search(text):
        return ScaffoldError(
            f"the question {found[1]!r} has no answer and no default",
            f"give it with --data {found[1]}=..." + _one_of(template, found[1]),
            Exit.USAGE,
        )
    if found := _INVALID.search(text):
        question, reason = found[1] or found[2], " ".join(found[3].split())
        refused = RefusedAnswer(
            reason if question in reason else f"the answer to {question!r} will not do: {reason}",
            f"give another answer with --data {question}=...",
            Exit.USAGE,
        )
        refused.question = question
        return refused
    kind = type(error).__name__
    if kind == "ExtensionNotFoundError" and (found := _MODULE.search(text)):
        return extensions.missing(found[1])
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
