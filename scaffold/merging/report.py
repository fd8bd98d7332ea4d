"""The words in which a plan and its outcome are told to a person."""

import shlex
from collections import Counter
from collections.abc import Mapping

from scaffold.ground import console
from scaffold.merging.plan import AnswerChange, FileChange, FileKind, Plan

_WORDS: dict[FileKind, str] = {
    "added": "added",
    "changed": "changed",
    "merged": "merged",
    "renamed": "renamed",
    "deleted": "deleted",
    "conflict": "conflict",
    "kept-deleted": "kept deleted",
    "left-to-add": "left to you",
}
_LIST = 40  # files of one kind that are listed by name
_NAMED = 5  # files with declined changes


def show(plan: Plan) -> None:
    """Print what is new, and what would happen to answers and files."""
    if plan.changelog:
        console.title("\nWhat is new\n")
        console.detail(
            "\n".join(f"  {console.plain(line)}".rstrip() for line in plan.changelog.splitlines())
        )
    console.title("\nThe plan\n")
    for answer in plan.answers:
        console.detail(f"  {'answer':<13} {_answer(answer, plan.command)}")
    for kind, word in _WORDS.items():
        changes = [change for change in plan.files if change.change == kind]
        for change in changes[:_LIST]:
            console.detail(f"  {word:<13} {_file(change)}")
        if len(changes) > _LIST:
            console.detail(f"  {word:<13} ... and {len(changes) - _LIST} more")
    if not plan.files:
        console.detail("  no file changes")
    console.detail("")


def count(plan: Plan) -> str:
    """Return how many files of each kind, in words."""
    counts = Counter(change.change for change in plan.files)
    said = [f"{counts[kind]} {word}" for kind, word in _WORDS.items() if counts[kind]]
    if counts["conflict"] > 1:
        said = [f"{text}s" if text.endswith("conflict") else text for text in said]
    if declined := sum(plan.declined.values()):
        said.append(f"{declined} declined")
    return ", ".join(said) or "no file changed"


def close(plan: Plan, *, locked: bool) -> None:
    """Print what was done and what to type next.

    Args:
        plan: what was done.
        locked: the project has a uv.lock.

    """
    console.say(f"{plan.name}: {subject(plan)}: {count(plan)}")
    here = "" if plan.path == "." else f" {shlex.quote(plan.path)}"
    git = f"git -C{here}" if here else "git"
    if plan.conflicts:
        console.say("Resolve the conflicts as in any merge. Next:\n")
        steps = [
            (f"{git} status", "the files to resolve; edit them, then `git add` each"),
            (f"{git} commit", "when none is left; its message is ready"),
        ]
    else:
        console.say("Everything is staged, nothing is committed. Next:\n")
        steps = [
            (f"{git} diff --cached", "look at it"),
            (f'{git} commit -m "{message(plan)}"', "keep it"),
        ]
    if any(change.change == "left-to-add" for change in plan.files):
        steps.insert(0, (f"{git} add ...", "the files left to you: your filter converts them"))
    if locked and any(change.path == "pyproject.toml" for change in plan.files):
        lock = f"uv lock --project{here}" if here else "uv lock"
        steps.insert(1, (f"{lock} && {git} add uv.lock", "pyproject.toml changed"))
    steps.append((plan.undo, "or go back to how it was"))
    width = max(len(command) for command, _ in steps)
    for command, why in steps:
        console.say(f"  {command:<{width}}  # {why}")
    if plan.declined:
        console.say(f"\n{_declined(plan.declined)}")


def _declined(changes: Mapping[str, int]) -> str:
    """Say how many changes of the template were not taken, and in which files."""
    number, named = sum(changes.values()), list(changes)[:_NAMED]
    files = [f"{path} ({changes[path]} places)" if changes[path] > 1 else path for path in named]
    if len(changes) > _NAMED:
        files.append(f"{len(changes) - _NAMED} more files")
    what = (
        "1 change of the template was" if number == 1 else f"{number} changes of the template were"
    )
    return console.plain(f"{what} declined: {', '.join(files)}")


def subject(plan: Plan) -> str:
    """Return what the plan is about, in a few words."""
    if plan.command == "adopt":
        return f"put under {plan.new}"
    return f"{plan.old} -> {plan.new}" if plan.old != plan.new else f"{plan.new}, other answers"


def message(plan: Plan) -> str:
    """Return what to say of the change in its commit."""
    if plan.command == "adopt":
        return f"Adopt the template {plan.new}"
    return f"Update the template to {plan.new}" if plan.old != plan.new else "Change answers"


def _file(change: FileChange) -> str:
    origin = f"{change.origin} -> " if change.origin else ""
    note = f"  ({change.note})" if change.note else ""
    return console.plain(f"{origin}{change.path}{note}")


def _answer(change: AnswerChange, command: str) -> str:
    old, new = repr(change.old), repr(change.new)
    return (
        f"{change.question}: "
        + {
            "new": f"{new} (the default)" if command == "adopt" else f"{new} (a new question)",
            "given": f"{old} -> {new}" if change.old is not None else f"{new} (given)",
            "changed": f"{old} -> {new}",
            "refused": f"{old} is refused, would become {new}",
            "hidden": f"{old} is not asked any more with these answers, and is {new} now"
            if change.is_lost
            else f"{old} is not asked any more with these answers",
            "dropped": f"{old} is not asked any more",
            "edited": f"{old} was changed by hand to {new}, which the files do not say",
        }[change.change]
    )
