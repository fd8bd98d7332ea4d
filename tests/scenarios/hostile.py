"""Somebody means harm: with the answers file, with the template, with the project's own settings.

Whatever would run somebody's code creates the witness, which must not exist afterwards.
"""

import os

from tests.scenarios.answers import by_hand
from tests.scenarios.damage import from_the_start
from tests.scenarios.model import (
    ANSWERS,
    CLASH,
    MINE,
    OTHER_CLASH,
    QUESTIONS,
    THEIRS,
    Edits,
    Link,
    Place,
    Scenario,
    nine,
    put,
)
from tests.scenarios.place import copy
from tests.support import ANSWERS_FILE, Done, commit

A = ({"a.txt": nine()}, {"a.txt": nine(THEIRS)})
LINKS = {"copier.yml": f"_preserve_symlinks: true\n{QUESTIONS}"}

HOOKS = (
    *("pre-commit", "post-checkout", "post-index-change", "post-merge", "post-commit"),
    *("pre-auto-gc", "reference-transaction", "fsmonitor-watchman", "post-rewrite"),
)


def source(address: str) -> Edits:
    """Return the edit of a person who puts another template into the answers file."""

    def edit(place: Place) -> None:
        by_hand(str(place.template), address.format(place=place))(place)

    return edit


def other_template(place: Place) -> None:
    """Point the answers file at a real template that nobody agreed to."""
    other = place.folder / "other"
    put(other, {"copier.yml": QUESTIONS, **ANSWERS_FILE, "a.txt": nine()})
    commit(other, tag="v1.0.0")
    put(other, {"a.txt": nine(THEIRS)})
    commit(other, tag="v2.0.0")
    by_hand(str(place.template), str(other))(place)


def script(place: Place, name: str = "evil") -> str:
    """Make a program that leaves the witness, and passes its input on."""
    path = place.folder / "bin" / name
    put(path.parent, {name: ""})
    path.write_text(f"#!/bin/sh\ntouch '{place.witness}'\ncat\n")
    path.chmod(0o755)
    return str(path)


def drivers(place: Place, text: str = nine(MINE)) -> None:
    """Have a merge driver, a diff driver and a text conversion of one's own."""
    evil = script(place)
    place.config(merge__evil__driver=f"{evil} %A", diff__evil__textconv=evil)
    place.config(diff__evil__command=evil, diff__external=evil, merge__default="evil")
    put(place.project, {".gitattributes": "*.txt merge=evil diff=evil\n", "a.txt": text})


def hooks(place: Place) -> None:
    """Have every hook, and whatever else git would run."""
    evil = script(place)
    for name in HOOKS:
        hook = place.project / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch '{place.witness}'\n")
        hook.chmod(0o755)
    place.config(core__fsmonitor=evil, core__editor=evil, core__pager=evil, core__sshCommand=evil)
    place.config(core__askPass=evil, gpg__program=evil, commit__gpgSign="true", gc__auto="1")
    place.config(credential__helper=evil, core__alternateRefsCommand=evil)


def filters(text: str | None) -> Edits:
    """Return the edit of a person whose a.txt goes through a filter of their own."""

    def edit(place: Place) -> None:
        evil = script(place)
        place.config(filter__evil__clean=evil, filter__evil__smudge=evil)
        place.config(filter__evil__required="true")
        put(place.project, {".gitattributes": "a.txt filter=evil\n"})
        if text is not None:
            put(place.project, {"a.txt": text})

    return edit


def racy(place: Place) -> None:
    """Have an index so old that git compares contents, which goes through the filter."""
    os.utime(place.project / ".git/index", (1, 1))


def filter_process(place: Place) -> None:
    """Have a filter that runs as a process, as LFS does."""
    place.config(filter__evil__process=script(place))
    put(place.project, {".gitattributes": "other.txt filter=evil\n", "a.txt": nine(MINE)})


def template_settings(place: Place) -> None:
    """Have a template repository with hooks and settings that run something."""
    evil = script(place)
    for name in ("post-checkout", "pre-upload", "post-index-change"):
        put(place.template / ".git/hooks", {name: f"#!/bin/sh\ntouch '{place.witness}'\n"})
        (place.template / ".git/hooks" / name).chmod(0o755)
    for key in ("core.fsmonitor", "uploadpack.packObjectsHook", "core.sshCommand"):
        place.git("config", key, evil, cwd=place.template)


def outside_link(place: Place) -> None:
    """Have a link of one's own to a folder outside."""
    put(place.folder / "outside", {"own.txt": "mine: outside\n"})
    put(place.project, {"docs": Link("../outside")})


def runs(kind: str) -> dict[str, str]:
    """Return a version whose copier.yml wants to run something on the way."""
    wish = {
        "tasks": "_tasks: ['touch ../witness']\n",
        "migrations": "_migrations: [{version: v2.0.0, command: 'touch ../witness'}]\n",
        "extensions": "_jinja_extensions: [os.path]\n",
    }
    return {"copier.yml": wish[kind] + QUESTIONS, "a.txt": nine(THEIRS)}


def escapes(path: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return versions of which the second writes where it must not."""
    config = f"_subdirectory: inner\n_exclude: [nothing]\n{QUESTIONS}"
    answers = {f"inner/{name}": text for name, text in ANSWERS_FILE.items()}
    start = {"copier.yml": config, "inner/a.txt": nine(), **answers}
    return start, {"inner/a.txt": nine(THEIRS), f"inner/{path}": "theirs: here\n"}


def next_is_refused(place: Place, done: Done) -> None:
    """The update after it goes nowhere, because the template has changed the address."""
    after = copy(place)
    after.commit()
    done = after.cli("update", after.project, "--defaults")
    assert done.returncode == 4, done.stderr
    assert not place.witness.exists()


SCENARIOS = (
    Scenario("a source that is a command", A, source("ext::sh -c touch% {place.witness}"), code=4),
    Scenario(
        "a source that is a command from the start",
        A,
        from_the_start("{place.template}", "ext::sh -c touch% {place.witness}"),
        code=1,
    ),
    Scenario(
        "a source that is an option", A, source("--upload-pack=touch {place.witness}"), code=4
    ),
    Scenario(
        "a source that is an option from the start",
        A,
        from_the_start("{place.template}", "--upload-pack=touch {place.witness}"),
        code=4,
    ),
    Scenario(
        "a source that hides an option in a host",
        A,
        source("ssh://-oProxyCommand=touch%20witness/x.git"),
        code=4,
    ),
    Scenario("another source is refused", A, other_template, code=4, says=("--template", "other")),
    Scenario(
        "another source is taken once it is named",
        A,
        other_template,
        args=("--template", "{folder}/other"),
        then={"a.txt": nine(THEIRS)},
    ),
    Scenario(
        "a template that writes another source into the answers file is found out next time",
        (
            {**A[0]},
            {
                "{{_copier_conf.answers_file}}.jinja": "_commit: v1.0.0\n"
                "_src_path: 'ext::sh -c touch% witness'\nsize: 3\n"
            },
        ),
        after=(next_is_refused,),
    ),
    Scenario(
        "a version that is an option",
        A,
        by_hand("_commit: v1.0.0", "_commit: --output=witness"),
        code=4,
    ),
    Scenario("a version asked for that is an option", A, args=("--to=--output=witness",), code=2),
    Scenario("a template that writes into .git", escapes("{{ '.git' }}/hooks/pre-commit"), code=4),
    Scenario("a template that writes into .GIT", escapes("{{ '.GIT' }}/config"), code=4),
    Scenario(
        "a template that writes into .git of a subfolder",
        escapes("sub/{{ '.git' }}/config"),
        code=4,
    ),
    Scenario("a template that writes outside", escapes("{{ '..' }}/escaped.txt"), code=4),
    Scenario(
        "a template that links outside",
        ({**LINKS, **A[0]}, {"out": Link("../../outside")}),
        code=4,
        says=("out",),
    ),
    Scenario(
        "a template that links to an absolute path",
        ({**LINKS, **A[0]}, {"out": Link("/etc/passwd")}),
        code=4,
        says=("out",),
    ),
    Scenario(
        "a template that writes through a link of the project writes nothing outside",
        ({}, {"docs/own.txt": "theirs: docs\n"}),
        outside_link,
        then={"docs": Link("../outside")},
        plan={"docs/own.txt": "kept-deleted"},
    ),
    Scenario(
        "a template that writes through an untracked link is refused",
        ({}, {"docs/own.txt": "theirs: docs\n"}),
        dirty=outside_link,
        code=1,
        says=("docs",),
    ),
    Scenario("tasks of the new version never run", (A[0], runs("tasks")), then=A[1]),
    Scenario("migrations of the new version never run", (A[0], runs("migrations")), then=A[1]),
    Scenario("a new version with code in its Jinja", (A[0], runs("extensions")), code=4),
    Scenario(
        "merge and diff drivers of the project never run",
        A,
        drivers,
        then={"a.txt": nine(MINE | THEIRS)},
    ),
    Scenario(
        "merge and diff drivers of the project never run on a conflict",
        (A[0], {"a.txt": nine(OTHER_CLASH)}),
        lambda place: drivers(place, nine(CLASH)),
        code=3,
        stages={"a.txt": "123"},
    ),
    Scenario(
        "hooks, monitors and helpers of the project never run",
        A,
        {"a.txt": nine(MINE)},
        hooks,
        then={"a.txt": nine(MINE | THEIRS)},
    ),
    Scenario("hooks and settings of the template never run", A, template_settings, then=A[1]),
    Scenario(
        "a filtered file that the template does not change stays",
        (A[0], {"b.txt": "theirs: b\n"}),
        filters(nine(MINE)),
        racy,
        then={"a.txt": nine(MINE), "b.txt": "theirs: b\n"},
    ),
    Scenario(
        "a filtered file that nobody edited is left to git add",
        A,
        filters(None),
        racy,
        then=A[1],
        plan={"a.txt": "left-to-add"},
    ),
    Scenario(
        "a filtered file that both changed is refused by name",
        A,
        filters(nine(MINE)),
        racy,
        code=1,
        says=("a.txt",),
    ),
    Scenario(
        "a filter that is a process never runs",
        (A[0], {**A[1], "b.txt": "theirs: b\n"}),
        filter_process,
        then={"a.txt": nine(MINE | THEIRS), "b.txt": "theirs: b\n"},
    ),
    Scenario(
        "an answers file that asks for objects",
        A,
        {ANSWERS: "!!python/object/apply:os.system ['touch witness']\n"},
        code=1,
        says=(ANSWERS,),
    ),
)
