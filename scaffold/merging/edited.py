"""Answers that somebody changed by hand in the answers file, so the project does not say them.

Only `update` brings an answer into the files. Git's history shows an answer that changed without a
new version; whether that was `update --data` or a hand, the files tell: what the answer changes in
a rendering is in them, or it could still be merged into them.
"""

import shlex
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from scaffold.ground import git
from scaffold.ground.errors import ScaffoldError
from scaffold.ground.store import Entry, Store, Tree
from scaffold.merging.merge import merge
from scaffold.merging.plan import AnswerChange
from scaffold.origin.answers import Answers, read_questions
from scaffold.origin.rendered import render_old
from scaffold.origin.source import Template
from scaffold.placing.worktree import read, side
from scaffold.project import history
from scaffold.project.history import ABSENT, differ
from scaffold.project.project import Project
from scaffold.project.record import Record, parse

Render = Callable[[Answers], str | None]  # the tree of the project's version, if it can be had


def look(
    project: Project, template: Template, record: Record, renderings: Store, work: Path
) -> tuple[AnswerChange, ...]:
    """Return the answers that were changed by hand; rarely is anything to be rendered for that."""
    suspected = history.suspects(project, record)
    if not suspected:
        return ()

    def render(answers: Answers) -> str:
        return render_old(template, project, answers, renderings, work)

    with suppress(ScaffoldError):  # what cannot be rendered is told where it is in the way
        store = scratch(project, renderings, work)
        return find(project, template, record, suspected, render, store) or ()
    return ()


def scratch(project: Project, renderings: Store, work: Path) -> Store:
    """Make the repository in which `find` works."""
    borrows = (project.objects, renderings.path / "objects")
    return Store.create(work / "edited.git", borrows, form=project.form)


def find(
    project: Project,
    template: Template,
    record: Record,
    suspected: Answers,
    render: Render,
    store: Store,
) -> tuple[AnswerChange, ...] | None:
    """Return the answers of these that the files do not say; None if a rendering is not to be had.

    Args:
        project: whose work tree is looked at.
        template: the version that it has.
        record: what its answers file says.
        suspected: answers as they were before.
        render: gives the tree of that version for other answers.
        store: a scratch repository that holds or borrows these trees.

    """
    questions = read_questions(template)
    if questions.complete:  # what else is in the file is no answer, and --data would not take it
        suspected = {q: was for q, was in suspected.items() if q in questions.asked}
    after = render(record.answers) if suspected else None
    found: list[AnswerChange] = []
    singles = [{question: was} for question, was in suspected.items()]
    for changed in [*singles, suspected]:
        if changed is suspected and (found or len(singles) < 2):
            break  # only where several answers are in one line, they show together alone
        kept = {q: value for q, value in record.answers.items() if q not in changed}
        before = render({**kept, **{q: v for q, v in changed.items() if v is not ABSENT}})
        if before is None or after is None:
            return None
        if _lacks(project, template, store.list(before), store.list(after), store):
            found += [
                AnswerChange(q, "edited", None if was is ABSENT else was, record.answers.get(q))
                for q, was in changed.items()
            ]
    return tuple(found)


def told(change: AnswerChange, project: Project) -> str:
    """Say what an answer changed by hand means, and what can be done."""
    answer = f"--data {shlex.quote(f'{change.question}={change.new}')}"
    return (
        f"{change.question} was changed by hand in {project.answers_file}, from {change.old!r} to "
        f"{change.new!r}, and the files do not say so: `mlops-scaffold update{project.words} "
        f"{answer}` brings it into them; or write {change.old!r} again"
    )


def refuse_uncommitted(project: Project) -> None:
    """Refuse answers that were changed by hand just now: nothing but the answers file is."""
    file = project.answers_file
    staged = project.index().get(file, {}).get(0) == project.committed[file]
    try:
        now = project.recorded()
        committed = project.git("cat-file", "blob", project.committed[file].oid)
        before = parse(committed, Path(file))
    except ScaffoldError:
        return
    names = [
        question
        for question in {**before.answers, **now.answers}
        if differ(now.answers.get(question, ABSENT), before.answers.get(question, ABSENT))
    ]
    if staged and names and now.version == before.version:
        data = [f"--data {shlex.quote(f'{q}={now.answers[q]}')}" for q in names if q in now.answers]
        raise ScaffoldError(
            f"answers were changed by hand in {file} and not committed: {', '.join(names)}",
            f"`git restore {file}`, then let the update change them: "
            f"`{' '.join([f'mlops-scaffold update{project.words}', *data])}`",
        )


def as_data(changes: Iterable[AnswerChange]) -> list[dict[str, object]]:
    """Return such answers in the form that --json prints; docs/json.md describes it."""
    return [{"question": c.question, "old": c.old, "new": c.new} for c in changes]


def from_data(listed: Iterable[dict[str, object]]) -> tuple[AnswerChange, ...]:
    """Read what `as_data` has made."""
    return tuple(AnswerChange(str(c["question"]), "edited", c["old"], c["new"]) for c in listed)


def _lacks(project: Project, template: Template, old: Tree, new: Tree, store: Store) -> bool:
    """Tell whether something that differs between two renderings could be merged in without ado."""
    index = project.index()
    differing = [path for path in {*old, *new} if old.get(path) != new.get(path)]
    skipped = _skipped(template, differing, store)
    paths = [path for path in differing if path not in {project.answers_file, *skipped}]
    attributes = project.attributes(paths)
    ours: Tree = {}
    for path in list(paths):
        now, stages = side(project.folder, path), index.get(path, {})
        if attributes.get(path, {}).get("filter", "unset") != "unset" or (
            set(stages) != ({0} if now else set())
        ):
            paths.remove(path)  # in conflict, not in Git, or converted by a program
        elif now is not None:
            content = read(project.folder / path).replace(b"\r\n", b"\n")
            ours[path] = Entry(f"{now.mode:o}", store.blob(content))
    base, theirs = ({p: tree[p] for p in paths if p in tree} for tree in (old, new))
    merged = merge(store, store.write(base), store.write(ours), store.write(theirs), "new")
    changed = {p for p in {*ours, *merged.files} if ours.get(p) != merged.files.get(p)}
    changed -= {conflict.path for conflict in merged.conflicts}
    return any(path in ours or not history.knows(project, path) for path in changed)


def _skipped(template: Template, paths: list[str], store: Store) -> set[str]:
    """Return those of the paths that updates leave alone, by Git's own way to match patterns."""
    questions = read_questions(template)
    if not questions.complete or any("{" in pattern for pattern in questions.skips):
        return set(paths)  # not known without rendering, so nothing is claimed
    if not questions.skips:
        return set()
    with tempfile.TemporaryDirectory(prefix="skips-", dir=store.path) as folder:
        patterns = Path(folder, "patterns")
        patterns.write_text("".join(f"{pattern}\n" for pattern in questions.skips))
        here = ("-C", folder, f"--work-tree={folder}", "-c", f"core.excludesFile={patterns}")
        stdin = git.encode("".join(f"{path}\0" for path in paths))
        argv = (*here, "check-ignore", "--no-index", "-z", "--stdin")
        return set(git.decode(store.raw(*argv, stdin=stdin, allowed=1)).split("\0"))
