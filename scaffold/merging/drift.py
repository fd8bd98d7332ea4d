"""How a project's files differ from what its template rendered. Needs no copier."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from scaffold.ground.store import Entry, Store, Tree
from scaffold.origin.answers import Answers
from scaffold.origin.rendered import look_up
from scaffold.origin.source import Template
from scaffold.placing.worktree import read, side
from scaffold.project.project import Project


@dataclass(frozen=True)
class Difference:
    """A file of the template that is not in the project as rendered."""

    path: str
    state: Literal["changed", "missing"]


def kept_tree(template: Template, project: Project, answers: Answers, store: Store) -> str | None:
    """Return the rendering of a project's version for answers, if this machine has kept it."""
    return look_up(template, project.name, project.answers_file, answers, store)


def differences(project: Project, rendered: Tree, store: Store) -> list[Difference]:
    """Compare the work tree with a rendered tree, file by file of the template.

    Line ends that the project converts are no difference, nor are modes where Git ignores them.
    """
    suspects = [
        path for path, entry in rendered.items() if not _is_as_rendered(project, path, entry)
    ]
    filtered = {
        path
        for path, said in project.attributes(suspects).items()
        if said.get("filter", "unset") != "unset"
    }
    now = project.hashes(path for path in suspects if path not in filtered)
    texts = store.read(rendered[path].oid for path in suspects)
    found: list[Difference] = []
    for path, entry in sorted((path, rendered[path]) for path in suspects):
        here = project.folder / path
        mine = now.get(path)
        if mine == entry:
            continue
        if not here.is_symlink() and not here.is_file():
            found.append(Difference(path, "missing"))
        elif _content(project, path, texts[entry.oid]) != texts[entry.oid] or (
            (mine is not None and mine.mode != entry.mode)
            and project.setting("core.fileMode") != "false"
        ):
            found.append(Difference(path, "changed"))
    return found


def _is_as_rendered(project: Project, path: str, entry: Entry) -> bool:
    """Tell whether a file is byte by byte as rendered; what is not, Git has to look at."""
    now = side(project.folder, path)
    if now is None or now.mode != int(entry.mode, 8):
        return False
    content = read(project.folder / path)
    name = hashlib.new(project.form, b"blob %d\0" % len(content))  # how Git names content
    name.update(content)
    return name.hexdigest() == entry.oid


def patch(project: Project, rendered: Tree, found: list[Difference], store: Store) -> str:
    """Return the differences as a unified diff, from the template's files to the project's."""
    mine = dict(rendered)
    texts = store.read(rendered[difference.path].oid for difference in found)
    now = project.hashes(d.path for d in found if d.state == "changed")
    for difference in found:
        path = difference.path
        entry = mine.pop(path)
        if difference.state == "changed":
            mode = now[path].mode if path in now else entry.mode
            mine[path] = Entry(mode, store.blob(_content(project, path, texts[entry.oid])))
    return store.run("diff", "--no-renames", "--no-color", store.write(rendered), store.write(mine))


def _content(project: Project, path: str, text: bytes) -> bytes:
    """Return what the project has at a path, with the line ends of the rendering."""
    content = read(project.folder / path)
    if b"\r\n" in content and b"\r\n" not in text:
        return content.replace(b"\r\n", b"\n")
    return content
