"""`mlops-scaffold undo`: exactly the state before the last update, adoption included."""

from pathlib import Path

from scaffold.ground import console
from scaffold.ground.errors import ScaffoldError
from scaffold.placing import index, journal
from scaffold.placing.change import Change
from scaffold.placing.worktree import side
from scaffold.project.project import Project, find_project


def undo(path: Path, answers_file: str | None = None) -> int:
    """Take the last update of a project back, and return the exit code.

    `answers_file`, or `path`, may name the answers file: of several templates each is taken back by
    itself. Without it the last update counts, of whichever template.
    """
    is_named = answers_file is not None or path.is_file()
    project = find_project(path, answers_file, answers=path.is_file())
    with journal.locked(project):
        found = journal.last(project) if is_named else journal.latest(project)
        if found is None:
            raise ScaffoldError(
                f"{project.place} has no update to take back",
                "an update can be taken back once; `git log` shows what was committed",
            )
        kept, change = found
        _refuse_changed(project, change)
        journal.apply(project, journal.way_back(kept, change))
    number = len(change.items)
    files = "1 file is" if number == 1 else f"{number} files are"
    console.say(f"{project.name}: {change.title} is undone; {files} as before")
    if _is_committed(project, change):
        console.detail("  it had been committed, so the way back is staged: commit that too")
    return 0


def _is_committed(project: Project, change: Change) -> bool:
    """Tell whether the last commit has the update in it."""
    return any(
        item.staged
        and item.old_index != item.new_index
        and item.new_index == _entry(project, item.path)
        for item in change.items
    )


def _entry(project: Project, path: str) -> index.Stages:
    entry = project.committed.get(path)
    return index.as_stages({0: entry} if entry else {})


def _refuse_changed(project: Project, change: Change) -> None:
    """Refuse when the person has worked on one of the files since."""
    now = index.entries(project, project.prefix)
    changed = []
    for item in change.items:
        known = not item.staged or now.get(item.path, ()) in (item.old_index, item.new_index)
        if not known or side(project.folder, item.path) not in (item.old, item.new):
            changed.append(item.path)
    if changed:
        raise ScaffoldError(
            f"you have changed files since {change.title}: {', '.join(changed)}",
            "`git restore FILE` brings one back to how the update left it; what is committed, "
            "`git revert` takes back",
        )
