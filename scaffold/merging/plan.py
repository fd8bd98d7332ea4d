"""The plan of an update, as data: what happens to each file and each answer. Prints nothing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from scaffold.ground.store import Entry, Store
from scaffold.merging.proposal import Proposal
from scaffold.origin.answers import Answers
from scaffold.origin.unrun import NOTHING, Unrun
from scaffold.project.history import as_text

SCHEMA = 1
FileKind = Literal[
    "added", "changed", "merged", "renamed", "deleted", "conflict", "kept-deleted", "left-to-add"
]
AnswerKind = Literal["new", "given", "changed", "refused", "hidden", "dropped", "edited"]
Outcome = Literal["current", "planned", "updated", "conflicts"]


@dataclass(frozen=True)
class FileChange:
    """What happens to a file. `origin` is its old name, `note` says more, where there is more."""

    path: str
    change: FileKind
    origin: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class AnswerChange:
    """What happens to an answer: new question, given now, refused by the new version, not asked
    any more (hidden by other answers, or dropped with its question), or edited by hand in the
    answers file without a trace in the other files."""

    question: str
    change: AnswerKind
    old: object = None
    new: object = None

    @property
    def is_lost(self) -> bool:
        """Whether a recorded answer gives way to another one that nobody gave."""
        return self.change == "hidden" and as_text(self.old) != as_text(self.new)


@dataclass(frozen=True)
class Plan:
    """All that an update, or an adoption, would do.

    `path` is the project's folder as the person called it, `words` what a command needs to find it.
    `declined` counts the template's changes that the person was asked about, and did not take, by
    file.
    """

    command: str
    name: str
    path: str
    words: str
    url: str
    old: str
    new: str
    files: tuple[FileChange, ...] = ()
    answers: tuple[AnswerChange, ...] = ()
    changelog: str = ""
    declined: Mapping[str, int] = field(default_factory=dict)
    unrun: Unrun = NOTHING

    @property
    def conflicts(self) -> list[FileChange]:
        """The files with a conflict."""
        return [change for change in self.files if change.change == "conflict"]

    @property
    def undo(self) -> str:
        """The command that takes it back."""
        return f"mlops-scaffold undo{self.words}"

    def as_data(self, outcome: Outcome) -> dict[str, object]:
        """Return the plan in the form that --json prints; docs/json.md describes it."""
        return {
            "schema": SCHEMA,
            "command": self.command,
            "outcome": outcome,
            "path": self.path,
            "template": {"url": self.url, "from": self.old, "to": self.new},
            "answers": [asdict(change) for change in self.answers],
            "files": [
                {"path": c.path, "change": c.change, "from": c.origin, "note": c.note}
                for c in self.files
            ],
            "changelog": self.changelog,
            "messages": {"before": self.unrun.before, "after": self.unrun.after},
            "not_run": [asdict(step) for step in self.unrun.steps],
            "undo": self.undo if outcome in ("updated", "conflicts") else None,
        }


def file_changes(store: Store, proposal: Proposal) -> tuple[FileChange, ...]:
    """Return what happens to each file, by path."""
    merged = proposal.merged
    gone = "you deleted it, the template changed it"
    found = [FileChange(path, "kept-deleted", note=gone) for path in merged.kept_deleted]
    linked = "new in the template, but its folder is a link or a submodule of yours"
    found += [FileChange(path, "kept-deleted", note=linked) for path in proposal.behind]
    found += [FileChange(c.path, "conflict", note=c.kind) for c in merged.conflicts]
    for path, entry in proposal.left.items():
        found.append(FileChange(path, "left-to-add", note=None if entry else "deleted"))
    told = proposal.conflicting
    for change in _changed(store, proposal):
        if change.path not in told:
            found.append(change)
    return tuple(sorted(found, key=lambda change: change.path))


def _changed(store: Store, proposal: Proposal) -> list[FileChange]:
    """Compare the project with the outcome, finding renames as Git does."""
    moved: dict[str, str] | None = None
    found = []
    for letter, path, origin in _compare(store, proposal.tree, store.write(proposal.merged.files)):
        kind = _kind(letter, proposal.merged.files.get(path), proposal.theirs.get(path))
        note = None
        if kind == "merged" and path not in proposal.theirs:
            if moved is None:
                pairs = _compare(store, proposal.base, proposal.tree)
                moved = {new: old for _, new, old in pairs if old}
            note = f"{moved[path]} in the template" if path in moved else None
        found.append(FileChange(path, kind, origin, note))
    return found


def _compare(store: Store, before: str, after: str) -> list[tuple[str, str, str | None]]:
    """Return letter, path and old path of what differs between two trees, as Git says it."""
    listed = store.run("diff-tree", "-r", "-z", "-M", "--raw", before, after)
    fields = iter(listed.split("\0"))
    found: list[tuple[str, str, str | None]] = []
    for facts in fields:
        if not facts:
            break
        letter, path, origin = facts.split(" ")[4][0], next(fields), None
        if letter == "R":
            origin, path = path, next(fields)
        found.append((letter, path, origin))
    return found


def _kind(letter: str, outcome: Entry | None, theirs: Entry | None) -> FileKind:
    if letter == "A":
        return "added"
    if letter == "D":
        return "deleted"
    if letter == "R":
        return "renamed"
    return "changed" if outcome == theirs else "merged"


def answer_changes(
    before: Answers,
    after: Answers,
    given: Mapping[str, object],
    hidden: Mapping[str, object],
    *,
    asked: bool,
) -> tuple[AnswerChange, ...]:
    """Return what happens to each answer.

    Args:
        before: as recorded.
        after: as the new version's answers file records them.
        given: by the person, with --data.
        hidden: what the new version takes for questions that it does not ask with these answers.
        asked: a person was asked for what is new or refused.

    """
    found = []
    for question in dict.fromkeys([*before, *after]):
        old, new = before.get(question), after.get(question)
        if question not in after:
            if question in hidden:
                found.append(AnswerChange(question, "hidden", old, hidden[question]))
            else:
                found.append(AnswerChange(question, "dropped", old))
        elif question in given:
            if question not in before or as_text(old) != as_text(new):
                found.append(AnswerChange(question, "given", old, new))
        elif question not in before:
            found.append(AnswerChange(question, "new", None, new))
        elif as_text(old) != as_text(new):
            found.append(AnswerChange(question, "changed" if asked else "refused", old, new))
    return tuple(found)
