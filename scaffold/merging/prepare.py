"""An update up to its proposal: two versions and their answers, rendered, merged, told as a plan.

Whatever verb brings an improvement to a project goes through here. Nothing is touched: what
becomes of the proposal is the caller's.
"""

import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from scaffold.ground import console
from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.ground.store import Store
from scaffold.merging import edited, lost, report
from scaffold.merging.plan import AnswerChange, Plan, answer_changes, file_changes
from scaffold.merging.proceed import merge_store
from scaffold.merging.proposal import Proposal, propose
from scaffold.origin import answers, changelog
from scaffold.origin.identity import is_same
from scaffold.origin.render import RefusedAnswer, Rendering
from scaffold.origin.rendered import Rendered, cache_store, render_new, render_old
from scaffold.origin.source import Template
from scaffold.origin.unrun import Unrun
from scaffold.project.project import Project
from scaffold.project.record import Record, answers_in, parse

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """What an update would do (`plan`), as trees (`proposal`) in the repository that has them.

    `answers` is the text of its answers file, `told` the plan that the person has seen already,
    before new questions were asked.
    """

    plan: Plan
    proposal: Proposal
    store: Store
    answers: str
    told: Plan | None = None


def refuse_uncommitted_answers(project: Project) -> None:
    """Refuse when the recorded version is not what the last commit says."""
    if project.answers_file not in project.committed:
        raise ScaffoldError(
            f"the answers file {project.answers_file} is not committed, so the project's version "
            "could be lost",
            f"commit it: `git add -f {project.answers_file} && git commit`",
        )
    file = project.answers_file
    if project.hashes([file]).get(file) != project.committed[file]:
        edited.refuse_uncommitted(project)
        raise ScaffoldError(
            f"{file} is not as committed: an update, or its undoing, is unfinished",
            "commit it first, or take it back: `mlops-scaffold undo`",
        )


def prepare(
    project: Project,
    record: Record,
    old: Template,
    new: Template,
    given: answers.Answers,
    work: Path,
    *,
    asks: bool,
    accepts: bool = False,
) -> Prepared:
    """Render both versions, merge what changed between them into the last commit, and tell it.

    Args:
        project: with no unfinished merge, its answers file committed.
        record: what the answers file says.
        old: the version that it names.
        new: the version to come.
        given: answers that the person gave for it.
        work: a scratch folder.
        asks: whether a person may be asked for what is new or refused.
        accepts: whether answers that the new version hides may change unasked.

    Raises ScaffoldError when the new version refuses an answer or cannot be rendered.
    """
    questions = answers.read_questions(new)
    answers.check(given, questions)
    _refuse_wrong_folder(project, questions.answers_file)
    renderings = cache_store(work, project.form)
    by_hand = edited.look(project, old, record, renderings, work)

    def render(given: answers.Answers, asks: bool = False, tell: Tell | None = None) -> Rendered:
        facts = (new, project, record.answers, given, renderings, work)
        return render_new(*facts, asks=asks, since=old, tell=tell)

    store = merge_store(project, renderings, work)
    here = (project.name, project.shown, project.words)
    news = changelog.between(new, old.version, new.version)
    empty = Plan("update", *here, new.url, old.version, new.version, changelog=news)

    def prepared(rendered: Rendered) -> Prepared:
        left_out = _left_out(answers.read_questions(old), rendered.rendering)
        before = _before(record.answers, given, by_hand)
        base = render_old(old, project, before, renderings, work, left_out)
        after = _answers_after(rendered, project, new)
        changes = answer_changes(before, after, given, rendered.rendering.hidden, asked=asks)
        if not (asks or accepts) and (
            missed := lost.find(changes, given, rendered, render, renderings)
        ):
            lost.refuse(missed, new.version, questions)
        _refuse_refused(changes, new.version, questions)
        changes += tuple(change for change in by_hand if change.question not in given)
        skips = rendered.rendering.skips
        proposal = propose(project, store, base, rendered.tree, new.version, skips)
        plan = replace(empty, answers=changes, unrun=rendered.rendering.unrun)
        return Prepared(plan, proposal, store, rendered.answers or "")

    if asks:
        done = _after_questions(lambda *how: render(given, *how), prepared, empty, given)
    else:
        done = prepared(render(given))
    _tell_move(done.answers, project.answers_file, new.url)
    return done


def _after_questions(
    render: Callable[[bool, Tell | None], Rendered],
    prepared: Callable[[Rendered], Prepared],
    empty: Plan,
    given: answers.Answers,
) -> Prepared:
    """Show the plan as new questions' defaults would have it; then ask them, if there are any.

    Where there is no plan without answers, what is new is shown alone.
    """
    told = empty
    try:
        rendered = render(False, None)
        found = prepared(rendered)
        if not rendered.rendering.unanswered:
            return found
        told = replace(found.plan, files=file_changes(found.store, found.proposal))
    except ScaffoldError as error:  # of a question without a default, say: an answer may help
        if isinstance(error, RefusedAnswer) and error.question in given:
            raise
    report.show_news(told)
    if told != empty:
        report.show(told)
        console.detail("The questions that follow may change it; this is with their defaults.\n")
        return replace(prepared(render(True, None)), told=told)
    console.detail("\nThe plan depends on your answers.\n")
    said = [""]

    def tell(message: str) -> None:
        if message not in said:
            report.quote(message)
            said.append(message)

    done = prepared(render(True, tell))
    return replace(done, told=replace(empty, unrun=Unrun(before=said[-1])))


def _answers_after(rendered: Rendered, project: Project, new: Template) -> answers.Answers:
    """Return the answers that the new version records, or refuse one that records none."""
    if rendered.answers is None:
        raise ScaffoldError(
            f"{new.url} {new.version} writes no answers file, so later updates were impossible",
            "tell its owner; its documentation calls it `{{ _copier_conf.answers_file }}.jinja`",
        )
    return answers_in(rendered.answers, Path(project.answers_file))


def _refuse_refused(
    changes: tuple[AnswerChange, ...], version: str, questions: answers.Questions
) -> None:
    """Refuse to put defaults in the place of answers that the new version does not take.

    The default is no advice where there are choices: what the person had may have got a new name.
    """
    refused = [change for change in changes if change.change == "refused"]
    if refused:
        said = "; ".join(f"{c.question}: {c.old!r} would become {c.new!r}" for c in refused)
        first = refused[0]
        choices = answers.choices(questions.asked.get(first.question, {}))
        example = f"--data {first.question}="
        raise ScaffoldError(
            f"{version} refuses recorded answers: {said}",
            f"say what to use: {example}..., one of {', '.join(choices)}"
            if choices
            else f"say what to use, e.g. {example}{first.new}",
            Exit.USAGE,
        )


def _before(
    recorded: answers.Answers, given: answers.Answers, by_hand: tuple[AnswerChange, ...]
) -> answers.Answers:
    """Return the answers that the files were made with, as far as they are given now.

    What was changed by hand, and is not given, is left to the person: the files stay as they are.
    """
    were = {change.question: change.old for change in by_hand if change.question in given}
    merged = {**recorded, **were}
    return {key: value for key, value in merged.items() if value is not None or key not in were}


def _refuse_wrong_folder(project: Project, declared: str) -> None:
    """Refuse an answers file that was named by itself, while the project is a folder above it."""
    whole = f"/{project.folder.as_posix()}/{project.answers_file}"
    if "/" in declared and project.answers_file != declared and whole.endswith(f"/{declared}"):
        root = project.folder.parents[declared.count("/") - 1]
        raise ScaffoldError(
            f"the template keeps its answers file in a folder ({declared}), so the project is not "
            f"{project.place}",
            f"name both: `mlops-scaffold update {shlex.join([str(root), '-a', declared])}`",
            Exit.USAGE,
        )


def _tell_move(text: str, file: str, url: str) -> None:
    """Say that a template names another address of itself, which later updates would follow."""
    with suppress(ScaffoldError):  # what is damaged is refused where it is used
        written = parse(text, Path(file)).url
        if not is_same(written, url):
            console.note(f"the template writes another address of itself into {file}: {written}")


def _left_out(old: answers.Questions, new: Rendering) -> list[str]:
    """Return the patterns that only the new version excludes: those files are the project's now.

    Not those with a condition: they follow the answers, and switch a file on and off. A condition
    on the update itself may ask for answers that only the new version knows.
    """
    added = [pattern for pattern in new.excludes if pattern not in old.excludes]
    plain = [p for p in added if "{" not in p or "_copier_operation" in p]
    return [line for pattern in plain for line in new.excludes[pattern]]
