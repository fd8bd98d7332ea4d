"""Renderings as Git trees: (template version, answers) in, a tree out; from the cache if it can be.

The same version and answers give the same tree, so a rendering is kept by what went in.
"""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache as cache_result
from pathlib import Path

import yaml

from scaffold.ground import cache, git, paths
from scaffold.ground.errors import ScaffoldError
from scaffold.ground.installed import version
from scaffold.ground.store import Store
from scaffold.origin import extensions
from scaffold.origin.answers import (
    Answers,
    jinja_extensions,
    of_their_types,
    read_questions,
)
from scaffold.origin.external import laid
from scaffold.origin.render import RefusedAnswer, Rendering, render
from scaffold.origin.source import Template
from scaffold.project import record
from scaffold.project.project import Project

_NOT_KEPT = re.compile(r"(?m)^\W*(secret|_secret_questions|_external_data)\W*:|!include")
# What renders differently each time: kept, it would look like something the template has changed.
_CHANGING = re.compile(
    rb"\{[{%][^}]*\b(random|shuffle|make_secret|now|strftime|uuid|to_uuid|password_hash|lipsum)\b"
)
_FORM = "1"  # of the key; a change of ours that changes what comes out needs another


@dataclass(frozen=True)
class Rendered:
    """A rendered tree in a store; `answers` is the text of its answers file, if it has one."""

    tree: str
    answers: str | None
    rendering: Rendering


def cache_store(work: Path, form: str = "sha1") -> Store:
    """Return the store that keeps renderings, for repositories with this form of object names."""
    path = cache.folder("renderings", work) / f"{form}.git"
    if path.is_dir() and not ((path / "HEAD").is_file() and (path / "objects").is_dir()):
        _put_away(path)
    if not path.is_dir():
        made = Path(tempfile.mkdtemp(prefix="making-", dir=path.parent))
        Store.create(made, form=form)
        cache.put(made, path)
    cache.touch(path)
    return Store(path)


def render_old(
    template: Template,
    project: Project,
    answers: Answers,
    store: Store,
    work: Path,
    left_out: Sequence[str] = (),
) -> str:
    """Return the tree that a version gives for recorded answers.

    Args:
        template: the version.
        project: whose name, answers file and external data it sees.
        answers: as recorded; none is asked for.
        store: where the tree goes.
        work: scratch folder.
        left_out: patterns of files that the new version leaves to the project from now on.

    """
    name, answers_file = project.name, project.answers_file
    if not left_out and (tree := find_kept(template, name, answers_file, answers, store)):
        return tree
    folder = work / "old" / name
    _render_old(template, project, folder, answers, left_out, work)
    key = None if left_out else _key(template, name, answers_file, answers)
    return _store(folder, store, key)


def _render_old(
    template: Template,
    project: Project,
    folder: Path,
    answers: Answers,
    left_out: Sequence[str],
    work: Path,
) -> None:
    """Render; an answer that was changed by hand to what the version refuses is left out."""
    taken = of_their_types(answers, read_questions(template))
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            with laid(template, project, folder, answers, then=True):
                render(
                    template,
                    folder,
                    taken,
                    work=work,
                    defaults=True,
                    answers_file=project.answers_file,
                    updating=True,
                    exclude=left_out,
                )
        except RefusedAnswer as refused:
            if refused.question not in taken:
                raise
            del taken[refused.question]
        else:
            return


def render_new(
    template: Template,
    project: Project,
    before: Answers,
    given: Answers,
    store: Store,
    work: Path,
    *,
    asks: bool,
    since: Template | None = None,
    tell: Callable[[str], None] | None = None,
) -> Rendered:
    """Render a version for answers given before, and some given now; keep it for the next update.

    Args:
        template: the version.
        project: whose name, answers file and external data it sees.
        before: recorded answers; what the version refuses of them is asked again, or takes its
            default.
        given: answers that win over those.
        store: where the tree goes.
        work: scratch folder.
        asks: ask on the terminal what has no answer.
        since: the version that the project is updated from.
        tell: is given what the template says before, before anything is asked.

    """
    name, answers_file = project.name, project.answers_file
    folder = work / "new" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    seed = folder / answers_file
    seed.parent.mkdir(parents=True, exist_ok=True)
    recorded = {"_src_path": template.url, "_commit": template.version, **before}
    seeded = f"# As it was.\n{yaml.safe_dump(recorded)}"
    seed.write_text(seeded, encoding="utf-8")
    with laid(template, project, folder, {**before, **given}):
        rendering = render(
            template,
            folder,
            given,
            work=work,
            defaults=not asks,
            answers_file=answers_file,
            updating=True,
            since=since,
            tell=tell,
            shown=project.shown,
        )
    text: str | None = record.read(seed)
    if text == seeded:  # the template writes no answers file
        seed.unlink()
        text = None
    after = record.answers_in(text, seed) if text else {}
    # A given answer that is not recorded, a hidden question's say, shows in the files all the same.
    whole = all(key in after for key in given)
    tree = _store(folder, store, _key(template, name, answers_file, after) if whole else None)
    return Rendered(tree, text, rendering)


def find_kept(
    template: Template, name: str, answers_file: str, answers: Answers, store: Store
) -> str | None:
    """Return the tree of a rendering that was kept; None if it was not, or is damaged.

    A store that turns out to be damaged is begun anew.
    """
    try:
        tree = look_up(template, name, answers_file, answers, store)
    except git.GitError:
        tree = "damaged"
    if tree and not store.holds(tree):
        _put_away(store.path)
        cache_store(store.path.parent.parent, store.path.stem)
        return None
    return tree


def _put_away(path: Path) -> None:
    """Take a damaged store away, in one step for whoever else looks at it."""
    broken = Path(tempfile.mkdtemp(prefix="broken-", dir=path.parent), "git")
    with suppress(FileNotFoundError):  # another one was quicker
        path.rename(broken)
    shutil.rmtree(broken.parent, ignore_errors=True)


def look_up(
    template: Template, name: str, answers_file: str, answers: Answers, store: Store
) -> str | None:
    """Return the tree of a rendering that was kept, without a look at its files."""
    key = _key(template, name, answers_file, answers)
    if key is None:
        return None
    return (
        store.run("for-each-ref", "--format=%(objectname)", f"refs/renderings/{key}").strip()
        or None
    )


def keep(template: Template, folder: Path, answers_file: str, work: Path) -> None:
    """Keep a rendering that was made for a new project."""
    file = folder / answers_file
    if file.is_file():
        answers = record.answers_in(record.read(file), file)
        if key := _key(template, folder.name, answers_file, answers, updating=False):
            _store(folder, cache_store(work), key)


def _store(folder: Path, store: Store, key: str | None) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    if not paths.check(folder):
        raise ScaffoldError("the template rendered no file", "give other answers")
    tree = store.add(folder)
    if key is not None:
        with suppress(git.GitError):  # a lock of a killed process: it is made again next time
            store.run("update-ref", f"refs/renderings/{key}", tree)
    return tree


def _key(
    template: Template, name: str, answers_file: str, answers: Answers, *, updating: bool = True
) -> str | None:
    """Return a name for what goes into a rendering; None for what is not to be kept."""
    keeps, only_updating = _keeps(template)
    if not keeps or (only_updating and not updating):
        return None
    parts = [_FORM, version("copier"), template.url, template.version, template.commit]
    facts = [*parts, name, answers_file, yaml.safe_dump(answers)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@cache_result
def _keeps(template: Template) -> tuple[bool, bool]:
    """Tell whether renderings of a template are kept at all, and whether only those of updates."""
    config = template.config
    # Secrets stay out of the cache; other files' content and included questions are not in the key,
    # and nobody knows what code of a template looks at.
    foreign = extensions.foreign(jinja_extensions(template))
    keeps = not (_NOT_KEPT.search(config) or foreign) and not any(
        _CHANGING.search(file.read_bytes()) for file in template.folder.rglob("*") if file.is_file()
    )
    return keeps, "_copier_operation" in config
