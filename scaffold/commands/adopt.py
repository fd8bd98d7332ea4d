"""`mlops-scaffold adopt`: put an existing repository under a template.

It finds the version of the template whose files are most like the repository's, and merges from
there: what is equal is brought up to date, what the person changed stays, what is missing comes.
"""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from scaffold.ground import console, git
from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.ground.scratch import scratch
from scaffold.ground.store import Store, Tree
from scaffold.merging.plan import Plan, answer_changes
from scaffold.merging.proceed import Options, current, merge_store, proceed, refuse_unfinished
from scaffold.merging.proposal import propose
from scaffold.origin import answers, trust, versions
from scaffold.origin.address import open_named, open_source
from scaffold.origin.ahead import preload
from scaffold.origin.identity import is_same
from scaffold.origin.rendered import Rendered, cache_store, render_new, render_old
from scaffold.origin.source import HEAD, Source, Template
from scaffold.placing.journal import locked
from scaffold.project import record
from scaffold.project.project import Project, find_project
from scaffold.project.record import Record, answers_in

COMPARED = 40  # releases, from the newest
SHOWN = 5  # of the files that differ


@dataclass(frozen=True)
class Request:
    """What the person typed."""

    path: Path
    template: str
    ref: str | None = None
    defaults: bool = False
    data: tuple[str, ...] = ()
    dry_run: bool = False
    as_json: bool = False
    trust: bool = False
    answers_file: str | None = None


def adopt(request: Request) -> int:
    """Put the repository under the template and return the exit code."""
    git.require(git.MERGES)
    given = answers.collect(None, list(request.data))
    asks = not request.defaults and not request.as_json and console.is_terminal()
    options = Options(asks and not request.dry_run, request.dry_run, request.as_json)
    project = find_project(request.path, request.answers_file, answers=False)
    with locked(project), scratch() as work:
        before = _before(project)
        source = _source(request, before, work)
        new = source.at(request.ref)
        is_free = request.answers_file is None and not (before and is_same(before.url, source.url))
        if is_free and (wanted := answers.read_questions(new).answers_file):
            project = replace(project, answers_file=record.inside(project.folder, wanted))
            before = _before(project)
        _refuse_adopted(project, before, source, new, request.ref)
        refuse_unfinished(project)
        preload()
        # Whoever names the version has the last word on where the merge starts.
        code = _adopt(
            project, source, new, before, given, options, work, named=request.ref is not None
        )
        if not request.dry_run:
            trust.allow(project, source.url)
        return code


def _before(project: Project) -> Record | None:
    """Return what an answers file says that is there already, if it can be read."""
    try:
        return project.recorded()
    except ScaffoldError:
        return None


def _source(request: Request, before: Record | None, work: Path) -> Source:
    head = request.ref == HEAD
    if before is None:
        return open_source(request.template, work, head=head, trusted=request.trust)
    return open_named(request.template, before.url, work, head=head, trusted=request.trust)


def _refuse_adopted(
    project: Project, before: Record | None, source: Source, new: Template, ref: str | None
) -> None:
    if before is None:
        return
    if not is_same(before.url, source.url):
        raise ScaffoldError(
            f"{project.place} is under another template already: {before.url}",
            "if that has moved: `mlops-scaffold update --template URL`; if both shall be: "
            "`-a .copier-answers.NAME.yml`, a file for this one",
        )
    if source.is_moving(before.version):
        return
    try:
        old = source.at(before.version)
    except ScaffoldError:
        return  # a version that is not there: find the nearest one instead
    to = f" --to {shlex.quote(ref)}" if ref else ""
    raise ScaffoldError(
        f"{project.place} is already under this template, at {before.version}",
        f"nothing is left to do; `mlops-scaffold diff{project.words}` shows what you have changed"
        if old.commit == new.commit
        else f"bring it there: `mlops-scaffold update{to}{project.words}`",
    )


def _adopt(
    project: Project,
    source: Source,
    new: Template,
    before: Record | None,
    given: answers.Answers,
    options: Options,
    work: Path,
    *,
    named: bool,
) -> int:
    questions = answers.read_questions(new)
    answers.check(given, questions)
    renderings = cache_store(work, project.form)
    name = project.name
    if not options.as_json:
        console.title(f"{name}: put under {new.url} {new.version}")
    recorded = before.answers if before else {}
    rendered = render_new(new, project, recorded, given, renderings, work, asks=options.asks)
    if rendered.answers is None:
        raise ScaffoldError(
            f"{new.url} {new.version} writes no answers file, so updates would be impossible",
            "tell its owner; its documentation calls it `{{ _copier_conf.answers_file }}.jinja`",
        )
    after = answers_in(rendered.answers, Path(project.answers_file))
    store = merge_store(project, renderings, work)
    nearest, base = _nearest(project, source, new, rendered, after, store, renderings, work)
    if not options.as_json:
        console.detail(f"  it looks most like {nearest}, so the merge starts there")
    if nearest == new.version:
        _weigh(project, store, base, new, before, named=named)
    proposal = propose(project, store, base, rendered.tree, new.version, rendered.rendering.skips)
    changes = answer_changes(recorded, after, given, rendered.rendering.hidden, asked=True)
    place = (name, project.shown, project.words)
    facts = (*place, new.url, nearest, new.version, (), changes)
    plan = Plan("adopt", *facts, unrun=rendered.rendering.unrun)
    if not proposal.touched and not proposal.left:
        return current(plan, f"{name} is already as {new.version} would make it", options)
    return proceed(project, store, proposal, plan, options)


def _weigh(
    project: Project,
    store: Store,
    base: str,
    new: Template,
    before: Record | None,
    *,
    named: bool,
) -> None:
    """Say what a merge that starts at its own target takes for the person's work: all that differs.

    Of a project that came of an unknown version, that may be the template's own progress: refused,
    until the person names the version.
    """
    differing = sorted(
        path for path, entry in store.list(base).items() if project.committed[path] != entry
    )
    if not differing:
        return
    more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
    said = f"{', '.join(differing[:SHOWN])}{more}"
    if before and not named:
        raise ScaffoldError(
            f"what {project.place} was made from is not known, and it looks most like "
            f"{new.version} itself, so all that differs would be taken for your work: {said}",
            f"look: `mlops-scaffold diff --to {new.version}{project.words}`; if it is all yours: "
            f"the same again with `--ref {new.version}`",
            Exit.UNSAFE,
        )
    console.note(f"what differs from {new.version} is taken for your own work: {said}")


def _nearest(
    project: Project,
    source: Source,
    new: Template,
    rendered: Rendered,
    recorded: answers.Answers,
    store: Store,
    renderings: Store,
    work: Path,
) -> tuple[str, str]:
    """Return the version most like the repository, and its tree of the files that both have.

    What the repository lacks is left out of the base, or the merge would take it for deleted.
    """
    ours = project.committed
    best = (_likeness(ours, store.list(rendered.tree), store), new.version, rendered.tree)
    for tag in _candidates(source, new):
        try:
            template = source.at(tag)
            tree = render_old(template, project, recorded, renderings, work)
        except ScaffoldError:
            continue  # an older version may not render with these answers
        likeness = _likeness(ours, store.list(tree), store)
        if likeness > best[0]:
            best = (likeness, template.version, tree)
    both = {path: e for path, e in store.list(best[2]).items() if path in ours}
    both.pop(project.answers_file, None)
    return best[1], store.write(both)


def _candidates(source: Source, new: Template) -> list[str]:
    older = [tag for tag in source.releases if versions.is_older(tag, new.version)]
    if not older:  # its versions are called otherwise: what came before is in the history
        moved = versions.aliases(source.tags)
        before = source.run("tag", "--sort=creatordate", "--merged", new.commit).split()
        older = [tag for tag in before if tag not in moved and source.tags[tag] != new.commit]
    if not older and source.holds(new.commit):
        most = f"--max-count={COMPARED + 1}"
        return source.run("rev-list", "--first-parent", most, new.commit).split()[1:]
    return older[: -COMPARED - 1 : -1]


def _likeness(ours: Tree, theirs: Tree, store: Store) -> float:
    """Return how much of a rendering is in the repository: 1 an equal file, less for a part."""
    shared = [path for path in theirs if path in ours]
    texts = store.read(tree[path].oid for path in shared for tree in (ours, theirs))
    total = 0.0
    for path in shared:
        one, other = ours[path].oid, theirs[path].oid
        total += 1.0 if one == other else 0.9 * _common(texts[one], texts[other])
    return total


def _common(one: bytes, other: bytes) -> float:
    """Return the share of distinct lines that two texts have in common."""
    lines, others = _lines(one), _lines(other)
    return len(lines & others) / max(len(lines | others), 1)


def _lines(content: bytes) -> set[bytes]:
    return {line.strip() for line in content.splitlines()}
