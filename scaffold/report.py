"""The words in which a plan and its outcome are told to a person."""

from collections import Counter

from scaffold import console
from scaffold.plan import AnswerChange, FileChange, FileKind, Plan

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


def show(plan: Plan) -> None:
    """Print what is new, and what would happen to answers and files."""
    if plan.changelog:
        console.title("\nWhat is new\n")
        console.detail("\n".join(f"  {line}".rstrip() for line in plan.changelog.splitlines()))
    console.title("\nThe plan\n")
    for answer in plan.answers:
        console.detail(f"  {'answer':<13} {_answer(answer)}")
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
    return ", ".join(said) or "no file changed"


def close(plan: Plan, path: str) -> None:
    """Print what was done and what to type next."""
    console.say(f"{plan.path}: {plan.old} -> {plan.new}: {count(plan)}")
    there = "" if path == "." else f" {path}"
    inside = "" if path == "." else f"-C {path} "
    if plan.conflicts:
        console.say("The conflicts have markers, as in any merge. Next:\n")
        steps = [
            (f"git {inside}status", "the files to resolve"),
            (f"git {inside}mergetool", "or edit them, and `git add` each"),
            (f"git {inside}commit", "when all are resolved"),
        ]
    else:
        console.say("Everything is staged and nothing is committed. Next:\n")
        message = f"Update the template to {plan.new}"
        steps = [
            (f"git {inside}diff --cached", "look at it"),
            (f'git {inside}commit -m "{message}"', "keep it"),
        ]
    if any(change.change == "left-to-add" for change in plan.files):
        steps.insert(0, (f"git {inside}add ...", "the files left to you, through your filter"))
    steps.append((f"mlops-scaffold undo{there}", "go back to how it was"))
    width = max(len(command) for command, _ in steps)
    for command, why in steps:
        console.say(f"  {command:<{width}}  # {why}")


def _file(change: FileChange) -> str:
    origin = f"{change.origin} -> " if change.origin else ""
    note = f"  ({change.note})" if change.note else ""
    return f"{origin}{change.path}{note}"


def _answer(change: AnswerChange) -> str:
    old, new = repr(change.old), repr(change.new)
    return (
        f"{change.question}: "
        + {
            "new": f"{new} (a new question)",
            "given": f"{old} -> {new}" if change.old is not None else f"{new}",
            "changed": f"{old} -> {new}",
            "refused": f"{old} is refused, would become {new}",
            "hidden": f"{old} is not asked any more with these answers",
            "dropped": f"{old} is not asked any more",
        }[change.change]
    )
