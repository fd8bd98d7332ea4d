"""From a proposal to its outcome: show, ask, apply, report. What update and adopt share."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from scaffold.ground import console
from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.ground.store import Store
from scaffold.merging import outcome, report
from scaffold.merging.plan import Outcome, Plan, file_changes
from scaffold.merging.proposal import Proposal, obstacles
from scaffold.placing import journal
from scaffold.project.project import Project

_YES, _NO, _DIFF = ("", "y", "yes"), ("n", "no"), ("d", "diff")
_UNFINISHED = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}


@dataclass(frozen=True)
class Options:
    """How to go on: `asks` a person on the terminal, or only shows, or prints JSON."""

    asks: bool = False
    dry_run: bool = False
    as_json: bool = False


def refuse_unfinished(project: Project) -> None:
    """Refuse while Git waits for the person: two merges in one index could not be told apart."""
    for name, what in _UNFINISHED.items():
        if (project.git_dir / name).exists():
            raise ScaffoldError(
                f"a {what} is unfinished in {project.place}",
                f"finish it, or `git {what} --abort`",
            )
    unmerged = [path for path, stages in project.index().items() if set(stages) != {0}]
    if unmerged:
        raise ScaffoldError(
            f"{project.place} has unresolved conflicts: {', '.join(unmerged)}",
            "resolve and `git add` them, or take the last update back: `mlops-scaffold undo`",
        )


def merge_store(project: Project, renderings: Store, work: Path) -> Store:
    """Make the isolated repository in which the merge happens."""
    style = project.setting("merge.conflictStyle")
    config = (("merge.conflictStyle", style),) if style in ("merge", "diff3", "zdiff3") else ()
    borrows = (project.objects, renderings.path / "objects")
    return Store.create(work / "merge.git", borrows, form=project.form, config=config)


def current(plan: Plan, said: str, options: Options) -> int:
    """Say that there is nothing to do."""
    if options.as_json:
        _print_json(plan, "current")
    else:
        console.say(said)
    return 0


def proceed(
    project: Project,
    store: Store,
    proposal: Proposal,
    plan: Plan,
    options: Options,
    told: Plan | None = None,
) -> int:
    """Carry a proposal out, and return the exit code. The person has seen the plan `told`."""
    plan = replace(plan, files=file_changes(store, proposal))
    if not options.as_json:
        if told is None:
            report.show_news(plan)
        elif plan.unrun.before != told.unrun.before:  # it depends on the answers
            report.quote(plan.unrun.before)
        if plan != told:
            report.show(plan)
    _refuse_overlap(project, proposal)
    if options.dry_run:
        return _show_only(store, proposal, plan, options)
    if options.asks:
        if not _confirmed(store, proposal):
            console.say("nothing was changed")
            return 0
        if proposal.merged.conflicts:
            from scaffold.merging.resolve import resolve

            settled = resolve(store, proposal.merged)
            proposal = replace(proposal, merged=settled.merged)
            files = file_changes(store, proposal)
            plan = replace(plan, files=files, declined=settled.declined)
    title = f"the {plan.command} to {plan.new}" if plan.old != plan.new else "the change of answers"
    change = outcome.change(project, store, proposal, title, report.message(plan))
    _refuse_overlap(project, proposal)  # the person may have worked on in the meantime
    journal.apply(project, change)
    if options.as_json:
        _print_json(plan, "conflicts" if plan.conflicts else "updated")
    else:
        report.close(plan, locked=(project.folder / "uv.lock").is_file())
    return Exit.CONFLICTS if plan.conflicts else 0


def _refuse_overlap(project: Project, proposal: Proposal) -> None:
    found = obstacles(project, proposal)
    if not found:
        return
    said = ", ".join(f"{path} ({why})" for why, paths in found.items() for path in paths)
    raise ScaffoldError(
        f"files with uncommitted work would be touched: {said}",
        "commit them first, or `git stash`, or move what is untracked; nothing was changed",
    )


def _show_only(store: Store, proposal: Proposal, plan: Plan, options: Options) -> int:
    if options.as_json:
        _print_json(plan, "planned")
    else:
        console.show_diff(_diff(store, proposal))
        console.detail("nothing was changed (--dry-run)")
    return Exit.CONFLICTS if plan.conflicts else 0


def _diff(store: Store, proposal: Proposal) -> str:
    before, after = proposal.tree, store.write(proposal.merged.files)
    return store.run("diff", "-M", "--no-color", before, after)


def _confirmed(store: Store, proposal: Proposal) -> bool:
    """Ask whether to go on, as often as the person wants to see the diff first.

    A whole line is read, so that the Enter after a letter answers no question that comes next.
    """
    import questionary

    def check(said: str) -> bool | str:
        return said.strip().lower() in (*_YES, *_NO, *_DIFF) or "y, n, or d for the diff"

    while True:
        question = questionary.text("Apply? (Y/n, or d for the diff)", validate=check)
        said = question.unsafe_ask().strip().lower()
        if said not in _DIFF:
            return said in _YES
        console.page_diff(_diff(store, proposal))


def _print_json(plan: Plan, ended: Outcome) -> None:
    console.say(json.dumps(plan.as_data(ended), indent=2, default=str))
