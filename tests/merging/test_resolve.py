"""Each way to settle a conflict of each kind gives a tree that Git takes, and nothing is lost."""

from pathlib import Path

import pytest

from scaffold.ground.store import Entry, Store, Tree
from scaffold.merging.merge import Conflict, Merged, merge
from scaffold.merging.resolve import BOTH, EDIT, MINE, THEIRS, EditorError, is_file, settle

LINES = "".join(f"line {number}\n" for number in range(12))
OURS, OTHERS = LINES.replace("line 5", "mine: 5"), LINES.replace("line 5", "theirs: 5")
Files = dict[str, str | bytes]
KINDS: dict[str, tuple[Files, Files, Files]] = {
    "both changed it": ({"a": LINES}, {"a": OURS}, {"a": OTHERS}),
    "both added it": ({}, {"a": OURS}, {"a": OTHERS}),
    "deleted by the template": ({"a": LINES}, {"a": OURS}, {}),
    "binary": ({"a": b"\0 1"}, {"a": b"\0 mine"}, {"a": b"\0 theirs"}),
    "a link and a file": ({}, {"a": OURS}, {"a@": "elsewhere"}),
    "two links": ({"a@": "old"}, {"a@": "mine"}, {"a@": "theirs"}),
    "a file and a folder": ({}, {"a": OURS}, {"a/b": OTHERS}),
    "a folder and a file": ({}, {"a/b": OURS}, {"a": OTHERS}),
    "renamed twice": ({"a": LINES}, {"b": LINES}, {"c": LINES}),
    "no newline at the end": ({"a": "1"}, {"a": "mine"}, {"a": "theirs"}),
    "nothing but a conflict": ({"a": "1\n"}, {"a": ""}, {"a": "2\n"}),
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store.git")


def tree(store: Store, files: Files) -> str:
    """Write a tree; a name with @ is a link."""
    entries: Tree = {"other.txt": Entry("100755", store.blob(b"other\n"))}
    for name, content in files.items():
        oid = store.blob(content if isinstance(content, bytes) else content.encode())
        entries[name.rstrip("@")] = Entry("120000" if name.endswith("@") else "100644", oid)
    return store.write(entries)


def merged(store: Store, kind: str) -> Merged:
    base, ours, theirs = (tree(store, files) for files in KINDS[kind])
    found = merge(store, base, ours, theirs, "v2.0.0")
    assert found.conflicts
    return found


def settle_all(store: Store, found: Merged, choice: str) -> Merged:
    for conflict in found.conflicts:
        found = settle(store, found, conflict, choice)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("choice", "stage"), [(MINE, 2), (THEIRS, 3)])
def test_a_side_that_is_taken_is_whole(store: Store, kind: str, choice: str, stage: int) -> None:
    found = merged(store, kind)
    done = settle_all(store, found, choice)
    assert done.conflicts == ()
    for conflict in found.conflicts:
        assert done.files.get(conflict.path) == conflict.stages.get(stage)
    assert store.list(store.write(done.files)) == done.files
    elsewhere = {conflict.path for conflict in found.conflicts}
    for path in {*found.files, *done.files} - elsewhere:
        assert done.files[path] == found.files[path]


@pytest.mark.parametrize("kind", KINDS)
def test_both_leaves_everything_to_git(store: Store, kind: str) -> None:
    found = merged(store, kind)
    assert settle_all(store, found, BOTH) == found


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An editor whose script the test writes."""
    script = tmp_path / "an editor"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"'{script}'")
    return script


def edit(store: Store, kind: str = "both changed it") -> tuple[Conflict, Merged]:
    found = merged(store, kind)
    conflict = found.conflicts[0]
    return conflict, settle(store, found, conflict, EDIT)


def test_what_the_editor_saves_is_taken_byte_by_byte(store: Store, editor: Path) -> None:
    editor.write_text('#!/bin/sh\nprintf "one\\r\\ntwo\\377" > "$1"\n')
    conflict, done = edit(store)
    assert done.conflicts == ()
    entry = done.files[conflict.path]
    assert (entry.mode, store.read([entry.oid])[entry.oid]) == ("100644", b"one\r\ntwo\xff")


def test_an_editor_that_saves_by_a_rename_is_understood(store: Store, editor: Path) -> None:
    editor.write_text('#!/bin/sh\necho saved > "$1.new"\nmv "$1.new" "$1"\n')
    conflict, done = edit(store)
    oid = done.files[conflict.path].oid
    assert store.read([oid])[oid] == b"saved\n"


@pytest.mark.parametrize(
    "script",
    ["exit 1", 'rm "$1"', 'echo "<<<<<<< project" > "$1"', 'echo ">>>>>>> template-v2" > "$1"', ""],
    ids=["failed", "removed", "first marker", "last marker", "nothing"],
)
def test_what_is_not_resolved_stays_a_conflict(
    store: Store, editor: Path, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    editor.write_text(f"#!/bin/sh\n{script}\n")
    _, done = edit(store)
    assert done == merged(store, "both changed it")
    assert "a stays a conflict: " in capsys.readouterr().err


def test_the_editor_is_the_one_for_screens_then_any_then_vi(
    store: Store, editor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor.write_text('#!/bin/sh\necho edited > "$1"\n')
    assert edit(store)[1].conflicts == ()
    monkeypatch.setenv("VISUAL", " ")
    assert edit(store)[1].conflicts == ()
    monkeypatch.setenv("VISUAL", "/no/such/editor")
    with pytest.raises(EditorError, match="/no/such/editor"):
        edit(store)
    (editor.parent / "vi").symlink_to(editor)
    monkeypatch.setenv("PATH", str(editor.parent), prepend=":")
    monkeypatch.delenv("VISUAL")
    monkeypatch.setenv("EDITOR", "")
    assert edit(store)[1].conflicts == ()


def test_only_an_ordinary_file_can_be_edited(store: Store) -> None:
    for kind, expected in {"both changed it": True, "binary": True, "two links": False}.items():
        found = merged(store, kind)
        assert is_file(found, found.conflicts[0]) is expected, kind
    found = merged(store, "renamed twice")
    assert {c.path: is_file(found, c) for c in found.conflicts} == {
        "a": False,
        "b": True,
        "c": True,
    }
