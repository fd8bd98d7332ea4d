"""`mlops-scaffold new`: a project from a template, ready to work in.

Everything up to the first commit happens on a stage beside the target, and one rename then puts it
in place: the target is absent or whole, never half-made. From there on it is what a fresh clone is,
so `make setup` finishes whatever was interrupted.
"""

import shlex
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scaffold.ground import console, git, paths
from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.merging import report
from scaffold.origin import answers
from scaffold.origin.address import open_template
from scaffold.origin.ahead import preload
from scaffold.origin.render import render
from scaffold.origin.rendered import keep
from scaffold.origin.source import Template
from scaffold.origin.unrun import Unrun
from scaffold.project import around, constraints, ports, record, setup
from scaffold.project.stage import Stage, check_target, stage


@dataclass(frozen=True)
class Request:
    """What the person typed. `setup` None means: for our own template, yes."""

    path: Path
    template: str | None = None
    ref: str | None = None
    defaults: bool = False
    data: tuple[str, ...] = ()
    data_file: Path | None = None
    setup: bool | None = None
    git: bool = True
    trust: bool = False
    answers_file: str | None = None


def new(request: Request) -> None:
    """Make the project and say what to type next."""
    target = check_target(request.path)
    given = answers.collect(request.data_file, list(request.data))
    named = request.answers_file and record.inside(target, request.answers_file)
    git.require()
    if request.git:
        around.refuse_nested(target)
    preload()
    with stage(target) as staged:
        template = open_template(request.template, request.ref, staged.work, trusted=request.trust)
        wants_setup = template.ours if request.setup is None else request.setup
        if wants_setup:
            setup.find_uv()
            constraints.options()  # what is wrong with them is said before anything is made
        questions = answers.read_questions(template)
        answers.check(given, questions)
        unrun = _render(staged, template, questions, given, request, named)
        unfinished = _before(staged.project, template, request, wants_setup)
        staged.publish()
    unfinished += _after(target, request, wants_setup)
    _close(request, target, template, unrun, wants_setup, unfinished)


def _render(
    staged: Stage,
    template: Template,
    questions: answers.Questions,
    given: answers.Answers,
    request: Request,
    named: str | None,
) -> Unrun:
    """Render and check, asking on the terminal if there is one and it is wanted."""
    asks = not request.defaults and console.is_terminal()
    suggested: answers.Answers = {}
    if template.ours and questions.asked.get("port", {}).get("type") == "int":
        suggested["port"] = ports.free_base(beside=staged.target.parent)
    console.title(f"{staged.target.name}, from {template.url} {template.version}")
    if not template.config:
        console.note("it has no copier.yml, so it asks nothing, and its files come as they are")

    first: list[str] = []

    def work() -> Unrun:
        rendering = render(
            template,
            staged.project,
            given,
            work=staged.work,
            defaults=not asks,
            suggested=suggested,
            answers_file=named,
            tell=report.quote if asks else first.append,
            shown=str(request.path),
        )
        if not staged.project.is_dir() or not paths.check(staged.project):
            raise ScaffoldError("the template rendered no file", "give other answers", Exit.ERROR)
        with suppress(ScaffoldError):  # it only makes the first update and status faster
            keep(template, staged.project, rendering.answers_file, staged.work)
        return rendering.unrun

    if asks:
        return work()  # a running clock would write over the questions
    with console.step("render"):
        unrun = work()
    for message in filter(None, first):
        report.quote(message)
        console.detail("")
    return unrun


def _before(project: Path, template: Template, request: Request, wants_setup: bool) -> list[str]:
    """Do what needs no final place: lock and commit. Return what is left to type."""
    unfinished: list[str] = []
    if wants_setup and (project / "pyproject.toml").is_file():
        unfinished += _try("uv lock", lambda: setup.lock(project))
    if request.git:
        with console.step("git commit"):
            setup.init(project)
            known = setup.commit(project, f"Start from {template.url} {template.version}")
        if not known:
            console.note(
                f"no git identity is set, so {setup.FALLBACK['GIT_AUTHOR_NAME']} is the author; "
                "set yours with `git config --global user.name` and `user.email`"
            )
    if unfinished and request.git:
        unfinished.append("git add uv.lock && git commit -m 'Lock the dependencies'")
    return unfinished


def _after(project: Path, request: Request, wants_setup: bool) -> list[str]:
    """Do what needs the final place: environment and hooks. Return what is left to type."""
    if not wants_setup or not (project / "pyproject.toml").is_file():
        return []
    hooks = _hooks_wanted(project, request)
    left = ["uv sync", *(["uv run pre-commit install"] if hooks else [])]
    if not (project / "uv.lock").is_file():
        return left
    try:
        if unfinished := _try("uv sync", lambda: setup.sync(project)):
            return unfinished + left[1:]
        return _try("hooks", lambda: setup.install_hooks(project)) if hooks else []
    except KeyboardInterrupt:
        raise ScaffoldError(
            f"interrupted; {project} is whole, but not set up",
            f"cd {shlex.quote(str(request.path))} && {' && '.join(left)}",
            Exit.INTERRUPTED,
        ) from None


def _hooks_wanted(project: Path, request: Request) -> bool:
    """Tell whether commit hooks can be installed, and say so if they cannot."""
    if not (project / ".pre-commit-config.yaml").is_file():
        return False
    if not request.git:
        later = "`make setup` installs them later"
        if around.repository_around(project):
            later = "those of the repository around it count"
        console.note(f"no Git repository of its own, so no commit hooks; {later}")
        return False
    if elsewhere := setup.hooks_elsewhere(project):
        console.note(f"no hooks installed: your git runs those in {elsewhere} (core.hooksPath)")
    return not elsewhere


def _try(name: str, action: Callable[[], None]) -> list[str]:
    """Run a step; one that fails is reported, and what to type instead is returned."""
    try:
        with console.step(name):
            action()
    except setup.StepError as error:
        console.detail(f"    {error.cause}")
        return [error.remedy]
    return []


def _close(
    request: Request,
    target: Path,
    template: Template,
    unrun: Unrun,
    wants_setup: bool,
    unfinished: list[str],
) -> None:
    """Say what is there, what is missing, and what to type next."""
    report.show_unrun(unrun, template.url, template.version)
    report.quote(unrun.after)
    if not request.git and (unread := around.ci_files_without_effect(target)):
        console.note(unread)
    go = f"cd {shlex.quote(str(request.path))}"
    if unfinished:
        raise ScaffoldError(
            f"{request.path} is whole, but not all of its setup worked",
            " && ".join([go, *unfinished]),
        )
    if wants_setup and not shutil.which("uv"):
        console.note(f"uv is not on your PATH, and the project runs on it: it is {setup.find_uv()}")
    console.say(f"\n{request.path} is ready. Next:\n")
    if template.ours:
        commands = [go, "make ship", "make status"]
    else:
        commands = [go, "git show --stat" if request.git else "ls"]
    for command in commands:
        console.say(f"  {command}")
