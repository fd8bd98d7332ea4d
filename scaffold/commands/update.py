"""`mlops-scaffold update`: the template's improvements, merged into a project.

The old and the new version are rendered with the project's answers, and Git merges what changed
between them into the last commit. Nothing in the project is touched until the outcome is known.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from scaffold.ground import console, git
from scaffold.ground.errors import ScaffoldError
from scaffold.ground.scratch import scratch
from scaffold.merging import edited
from scaffold.merging.plan import AnswerChange, Plan
from scaffold.merging.prepare import prepare, refuse_uncommitted_answers
from scaffold.merging.proceed import Options, current, proceed, refuse_unfinished
from scaffold.origin import answers, trust, versions
from scaffold.origin.address import open_named, open_recorded
from scaffold.origin.ahead import preload
from scaffold.origin.rendered import cache_store
from scaffold.origin.source import HEAD, Source, Template
from scaffold.origin.standing import find_nearest, goes_aside, goes_back, recorded, standing
from scaffold.placing.journal import find, locked
from scaffold.project.project import Project
from scaffold.project.record import Record


@dataclass(frozen=True)
class Request:
    """What the person typed."""

    path: Path
    to: str | None = None
    template: str | None = None
    defaults: bool = False
    data: tuple[str, ...] = ()
    dry_run: bool = False
    as_json: bool = False
    trust: bool = False
    accept: bool = False
    answers_file: str | None = None


def update(request: Request) -> int:
    """Update the project and return the exit code."""
    git.require(git.MERGES)
    given = answers.collect(None, list(request.data))
    asks = not request.defaults and not request.as_json and console.is_terminal()
    options = Options(asks and not request.dry_run, request.dry_run, request.as_json)
    project = find(request.path, request.answers_file)
    with locked(project), scratch() as work:
        record = project.recorded()
        source = _source(project, record, request, work)
        here = (project.name, project.shown, project.words)
        plan = Plan("update", *here, source.url, record.version, record.version)
        moved = source.url != record.url
        refuse_unfinished(project)
        if not given and not moved and (said := _is_current(source, record, request.to)):
            _remember(project, source, request)
            plan = replace(plan, answers=_edited(project, source, record, work))
            _tell_edited(project, plan)
            return current(plan, f"{project.name} {said}", options)
        preload()
        refuse_uncommitted_answers(project)
        old, new = _old(project, source, record), source.at(request.to)
        _refuse_older(source, old, new)
        if goes_aside(source, old, new):
            console.note(
                f"{new.version} does not come after {old.version}: what only that one brought is "
                "taken back"
            )
        if not options.as_json:
            to = f"{old.version} -> {new.version}" if old.version != new.version else new.version
            console.title(f"{project.name}: {to}, from {new.url}")
        asks, accepts = options.asks, request.accept
        prepared = prepare(project, record, old, new, given, work, asks=asks, accepts=accepts)
        plan, proposal = prepared.plan, prepared.proposal
        _tell_edited(project, plan)
        if not proposal.touched and not proposal.left:
            code = current(
                plan, f"{project.name} is already as {new.version} would make it", options
            )
        else:
            code = proceed(project, prepared.store, proposal, plan, options, prepared.told)
        _remember(project, source, request)
        return code


def _edited(
    project: Project, source: Source, record: Record, work: Path
) -> tuple[AnswerChange, ...]:
    """Return the answers that were changed by hand, where that can be found out."""
    with suppress(ScaffoldError):
        old, renderings = source.at(record.version), cache_store(work, project.form)
        return edited.look(project, old, record, renderings, work)
    return ()


def _tell_edited(project: Project, plan: Plan) -> None:
    for change in plan.answers:
        if change.change == "edited":
            console.note(edited.told(change, project))


def _remember(project: Project, source: Source, request: Request) -> None:
    """Take a template that the person named for confirmed, also where there is nothing to do."""
    if request.template and not request.dry_run:
        trust.allow(project, source.url)


def _source(project: Project, record: Record, request: Request, work: Path) -> Source:
    """Return the template, if the project may have it."""
    head = request.to == HEAD
    if request.template is not None:
        return open_named(request.template, record.url, work, head=head, trusted=request.trust)
    trust.check(project, record.url, work)
    return open_recorded(record.url, work, project.folder, head=head, trusted=request.trust)


def _is_current(source: Source, record: Record, to: str | None) -> str | None:
    """Say that the project has the version already, if it does: known from the versions alone."""
    if to is not None:
        return f"is already at {to}" if to == record.version and to in source.tags else None
    if source.is_moving(record.version):
        return None
    try:
        found = standing(source, record.version)
    except ScaffoldError:
        return None  # there is no such version, which is said where it is needed
    if found.behind:
        return None
    if found.ahead and source.shipped:
        raise ScaffoldError(
            f"the project's template is {record.version}, and this installation knows "
            f"versions up to {found.newest}",
            "upgrade mlops-scaffold, e.g. `uv tool upgrade mlops-scaffold`",
        )
    said = f"is already at {record.version}, the template's newest {found.unit}"
    if found.ahead:
        said = f"is already at {record.version}, after the template's newest {found.unit} "
        said += found.newest
        if record.version not in source.tags and not versions.is_commit(record.version):
            said += f"; it has no {record.version} itself, so that tag is gone or still to come"
    if found.prerelease:
        said += f"; newer is the pre-release {found.prerelease} (`--to {found.prerelease}`)"
    return said


def _old(project: Project, source: Source, record: Record) -> Template:
    if source.is_moving(record.version):
        raise ScaffoldError(
            f"the answers file names the version {record.version!r}, which is moved along with "
            "newer ones, so what the project was made from is not known",
            find_nearest(source, project.shown),
        )
    return recorded(source, record.version, project.shown)


def _refuse_older(source: Source, old: Template, new: Template) -> None:
    if goes_back(source, old, new):
        raise ScaffoldError(
            f"{new.version} is older than the project's {old.version}",
            "to go back, use `mlops-scaffold undo`, or Git",
        )
