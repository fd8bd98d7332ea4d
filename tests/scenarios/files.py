"""Files that are not plain text: modes, links, binaries, line endings, odd names, sizes."""

import shutil
from pathlib import Path

from tests.scenarios.model import (
    CLASH,
    MINE,
    THEIRS,
    After,
    Exec,
    Link,
    Place,
    Scenario,
    nine,
    put,
)
from tests.support import Done, sh

BOTH = nine(MINE | THEIRS)
LINKS = {"copier.yml": "_preserve_symlinks: true\nsize:\n  type: int\n  default: 3\n"}
BINARY = bytes(range(256))
NAMES = ("größe ü.txt", 'two words/it\'s "$x".txt', "日本/語.txt", "-dash.txt", "star*[a].txt")
TEXT_AUTO = {".gitattributes": "* text=auto\n"}
MANY = [f"line {n}" for n in range(20_000)]


def crlf(text: str) -> str:
    """Return a text with Windows line endings."""
    return text.replace("\n", "\r\n")


def long(**lines: str) -> str:
    """Return a file of 20,000 lines but for some of them, e.g. n7='other'."""
    return "".join(f"{lines.get(f'n{n}', line)}\n" for n, line in enumerate(MANY))


def autocrlf(place: Place) -> None:
    """Work as on Windows: CRLF in the work tree, LF in the repository."""
    place.config(core__autocrlf="true")
    (place.project / "a.txt").unlink()
    place.git("checkout", "-q", "--", "a.txt")
    (place.project / "a.txt").write_bytes(crlf(nine(MINE)).encode())


def linked_folder(place: Place) -> None:
    """Put a link out of the repository in place of a folder."""
    shutil.move(place.project / "conf", place.folder / "shared")
    put(place.folder / "shared", {"a": "mine: a\n"})
    put(place.project, {"conf": Link("../shared")})


def moved_folder(place: Place) -> None:
    """Move a folder, and leave a link to it behind."""
    place.mv("conf", "etc")
    put(place.project, {"conf": Link("etc"), "etc/a": nine(MINE)})


def in_index(name: str, text: str) -> After:
    """Return a check that the index holds this text."""

    def look(place: Place, done: Done) -> None:
        assert sh("git", "cat-file", "blob", f":{name}", cwd=place.project) == text

    return look


def ignore_modes(place: Place) -> None:
    """Work on a file system that knows no executable bit."""
    place.config(core__fileMode="false")


def executable(name: str) -> After:
    """Return a check that the index has the executable bit of a file."""

    def look(place: Place, done: Done) -> None:
        assert place.git("ls-files", "-s", name).startswith("100755")

    return look


def same_text(name: str, text: str) -> After:
    """Return a check that a file holds this text, whatever its line endings."""

    def look(place: Place, done: Done) -> None:
        data = Path(place.project, name).read_bytes()
        assert data.replace(b"\r\n", b"\n") == text.encode()

    return look


SCENARIOS = (
    Scenario(
        "the template makes a file executable that the user edited",
        ({"run.sh": nine()}, {"run.sh": Exec(nine())}),
        {"run.sh": nine(MINE)},
        then={"run.sh": Exec(nine(MINE))},
    ),
    Scenario(
        "a file that the user made executable stays so when the template changes it",
        ({"run.sh": nine()}, {"run.sh": nine(THEIRS)}),
        {"run.sh": Exec(nine(MINE))},
        then={"run.sh": Exec(BOTH)},
    ),
    Scenario(
        "the executable bit of a new file arrives where the file system knows none",
        ({"a.txt": nine()}, {"run.sh": Exec("theirs: run\n"), "a.txt": nine(THEIRS)}),
        ignore_modes,
        then={"a.txt": nine(THEIRS)},
        after=(executable("run.sh"),),
    ),
    Scenario(
        "the template turns a link elsewhere",
        ({**LINKS, "a.txt": "a\n", "b.txt": "b\n", "now": Link("a.txt")}, {"now": Link("b.txt")}),
        then={"now": Link("b.txt"), "a.txt": "a\n", "b.txt": "b\n"},
        plan={"now": "changed"},
    ),
    Scenario(
        "the template adds links, to a file and to a folder",
        ({**LINKS, "d/a.txt": "a\n"}, {"one": Link("d/a.txt"), "two": Link("d")}),
        then={"one": Link("d/a.txt"), "two": Link("d")},
        plan={"one": "added", "two": "added"},
    ),
    Scenario(
        "a link that both turned elsewhere conflicts and stays the user's",
        ({**LINKS, **{f"{n}.txt": n for n in "abc"}, "now": Link("a.txt")}, {"now": Link("b.txt")}),
        {"now": Link("c.txt")},
        code=3,
        then={"now": Link("c.txt")},
        stages={"now": "123"},
    ),
    Scenario(
        "a file that the template turned into a link becomes one",
        ({**LINKS, "a.txt": nine(), "b.txt": "b\n"}, {"a.txt": Link("b.txt")}),
        then={"a.txt": Link("b.txt"), "b.txt": "b\n"},
    ),
    Scenario(
        "an edited file that the template turned into a link conflicts",
        ({**LINKS, "a.txt": nine(), "b.txt": "b\n"}, {"a.txt": Link("b.txt")}),
        {"a.txt": nine(MINE)},
        code=3,
    ),
    Scenario(
        "a file that the user turned into a link conflicts with the template's edit",
        ({"a.txt": nine(), "b.txt": "b\n"}, {"a.txt": nine(THEIRS)}),
        {"a.txt": Link("b.txt")},
        code=3,
        then={"b.txt": "b\n"},
    ),
    Scenario(
        "a folder that the user replaced by a link keeps the link, and nothing goes through it",
        (
            {"a.txt": nine(), "conf/a": nine(), "conf/b": nine()},
            {"a.txt": nine(THEIRS), "conf/a": nine(THEIRS), "conf/b": None, "conf/new/c": "c\n"},
        ),
        linked_folder,
        then={"a.txt": nine(THEIRS), "conf": Link("../shared"), "conf/new": None},
        plan={"conf/a": "kept-deleted", "conf/new/c": "kept-deleted"},
    ),
    Scenario(
        "a folder that the user turned into a link within the project is followed to its new place",
        ({"conf/a": nine()}, {"conf/a": nine(THEIRS), "conf/b": "theirs: b\n"}),
        moved_folder,
        then={"etc/a": BOTH, "conf": Link("etc")},
        plan={"etc/a": "merged", "conf/b": "kept-deleted"},
    ),
    Scenario(
        "a new folder of the template that meets a link of the user's stays out",
        ({"a.txt": nine()}, {"a.txt": nine(THEIRS), "conf/a": "theirs: a\n"}),
        {"conf": Link("nowhere")},
        then={"a.txt": nine(THEIRS), "conf": Link("nowhere")},
        plan={"conf/a": "kept-deleted"},
    ),
    Scenario(
        "a folder that was replaced by a link and not committed is refused",
        ({"conf/a": nine()}, {"conf/a": nine(THEIRS), "conf/b": "theirs: b\n"}),
        dirty=linked_folder,
        code=1,
        says=("conf",),
    ),
    Scenario(
        "a link of the template that becomes a folder becomes one",
        (
            {**LINKS, "etc/a": nine(), "conf": Link("etc")},
            {"conf": None, "conf/a": nine(THEIRS)},
        ),
        {"etc/a": nine(MINE)},
        then={"conf/a": nine(THEIRS), "etc/a": nine(MINE)},
    ),
    Scenario(
        "a binary file that only the template changed is changed",
        ({"a.bin": BINARY}, {"a.bin": BINARY + b"theirs"}),
        then={"a.bin": BINARY + b"theirs"},
        plan={"a.bin": "changed"},
    ),
    Scenario(
        "a binary file that both changed conflicts and stays the user's",
        ({"a.bin": BINARY}, {"a.bin": BINARY + b"theirs"}),
        {"a.bin": BINARY + b"mine: bytes"},
        code=3,
        then={"a.bin": BINARY + b"mine: bytes"},
        stages={"a.bin": "123"},
        plan={"a.bin": "conflict"},
    ),
    Scenario(
        "Windows line endings in a template with text=auto conflict with nothing",
        ({**TEXT_AUTO, "a.txt": crlf(nine())}, {"a.txt": crlf(nine(THEIRS))}),
        {"a.txt": crlf(nine(MINE))},
        plan={"a.txt": "merged"},
        after=(same_text("a.txt", BOTH), in_index("a.txt", BOTH)),
    ),
    Scenario(
        "a template that turns to Windows line endings under text=auto changes no line",
        ({**TEXT_AUTO, "a.txt": nine()}, {"a.txt": crlf(nine(THEIRS))}),
        {"a.txt": nine(MINE)},
        after=(same_text("a.txt", BOTH), in_index("a.txt", BOTH)),
    ),
    Scenario(
        "under autocrlf the work tree keeps Windows line endings and the index has none",
        ({"a.txt": nine()}, {"a.txt": nine(THEIRS)}),
        autocrlf,
        then={"a.txt": crlf(BOTH)},
        after=(in_index("a.txt", BOTH),),
    ),
    Scenario(
        "a file that the user turned to Windows line endings keeps them",
        ({"a.txt": nine()}, {"a.txt": nine(THEIRS)}),
        {"a.txt": crlf(nine())},
        then={"a.txt": crlf(nine(THEIRS))},
    ),
    Scenario(
        "a file that the user edited and turned to Windows line endings keeps both",
        ({"a.txt": nine()}, {"a.txt": nine(THEIRS)}),
        {"a.txt": crlf(nine(MINE))},
        then={"a.txt": crlf(BOTH)},
    ),
    Scenario(
        "a file that the user turned to Unix line endings keeps them",
        ({"a.txt": crlf(nine())}, {"a.txt": crlf(nine(THEIRS))}),
        {"a.txt": nine(MINE)},
        then={"a.txt": BOTH},
    ),
    Scenario(
        "a missing newline at the end stays missing",
        ({"a.txt": nine()}, {"a.txt": nine({1: "theirs: at the top"})}),
        {"a.txt": nine({9: "mine: at the end"}).rstrip("\n")},
        then={"a.txt": nine({1: "theirs: at the top", 9: "mine: at the end"}).rstrip("\n")},
    ),
    Scenario(
        "a newline that the template adds at the end arrives",
        ({"a.txt": nine().rstrip("\n")}, {"a.txt": nine()}),
        {"a.txt": nine(MINE).rstrip("\n")},
        then={"a.txt": nine(MINE)},
    ),
    Scenario(
        "names in Unicode, with spaces, quotes, dashes and wildcards",
        ({name: nine() for name in NAMES}, {name: nine(THEIRS) for name in NAMES}),
        {name: nine(MINE) for name in NAMES[1:]},
        then={NAMES[0]: nine(THEIRS), **dict.fromkeys(NAMES[1:], BOTH)},
        plan={NAMES[0]: "changed", **dict.fromkeys(NAMES[1:], "merged")},
    ),
    Scenario(
        "names in Unicode and with spaces, in conflict",
        ({name: nine() for name in NAMES}, {name: nine({5: "theirs: 5"}) for name in NAMES}),
        {name: nine(CLASH) for name in NAMES},
        code=3,
        stages=dict.fromkeys(NAMES, "123"),
    ),
    Scenario(
        "a file of 20,000 lines",
        ({"a.txt": long()}, {"a.txt": long(n19000="theirs: far down", n20="theirs: near")}),
        {"a.txt": long(n9000="mine: half way", n40="mine: near")},
        then={
            "a.txt": long(
                n9000="mine: half way",
                n40="mine: near",
                n19000="theirs: far down",
                n20="theirs: near",
            )
        },
    ),
    Scenario(
        "an empty file arrives, and one that the template emptied is empty",
        ({"a.txt": "a\n"}, {"a.txt": "", "pkg/__init__.py": ""}),
        then={"a.txt": "", "pkg/__init__.py": ""},
    ),
    Scenario(
        "a folder of the user's where the template puts a file conflicts",
        ({}, {"data": "theirs: a file\n"}),
        {"data/own.csv": "mine: own\n"},
        code=3,
        then={"data/own.csv": "mine: own\n"},
    ),
    Scenario(
        "a file of the user's where the template puts a folder conflicts",
        ({}, {"data/x.csv": "theirs: x\n"}),
        {"data": "mine: a file\n"},
        code=3,
    ),
)
