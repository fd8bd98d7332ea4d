"""The answers file: read with suspicion."""

from pathlib import Path

import pytest

from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.project import record

GOOD = "_commit: v1.0.0\n_src_path: https://host.example/t.git\nname: x\nsize: 3\n"


def parse(text: str) -> record.Record:
    return record.parse(text, Path("p/.copier-answers.yml"))


def test_a_record_is_the_template_the_version_and_the_answers() -> None:
    found = parse(f"# made by copier\n{GOOD}_private: 1\n")
    assert (found.url, found.version) == ("https://host.example/t.git", "v1.0.0")
    assert found.answers == {"name": "x", "size": 3}


@pytest.mark.parametrize("version", ["1.10", "1e10", "0123456", "2024-01-01"])
def test_a_version_that_yaml_takes_for_something_else_is_read_as_written(version: str) -> None:
    assert parse(GOOD.replace("v1.0.0", version)).version == version


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no mapping"),
        ("- a\n", "no mapping"),
        ("a: [1\n", "line"),
        ("a: 1\na\n", "broken"),
        ("<<<<<<< ours\n_commit: v1\n", "broken"),
        ("_commit: v1.0.0\n", "_src_path"),
        ("_src_path: 7\n_commit: v1\n", "_src_path"),
        ("_src_path: x\n", "_commit"),
        ("_src_path: x\n_commit:\n", "_commit"),
        ("a: !!python/object/apply:os.system ['true']\n" + GOOD, "broken"),
        ("a: &a [x, x]\nb: *a\n" + GOOD, "aliases"),
        ("[" * 3000, "broken"),
        ("1: 2\n" + GOOD, "no mapping"),
    ],
)
def test_a_damaged_file_is_explained(text: str, word: str) -> None:
    with pytest.raises(ScaffoldError) as raised:
        parse(text)
    assert word in raised.value.cause
    assert "adopt" in raised.value.remedy


@pytest.mark.parametrize(
    "line",
    [
        "_src_path: --upload-pack=touch x",
        '_src_path: "https://host.example/\\n--x"',
        "_commit: --output=x",
        '_commit: "v1\\nfoo"',
        "_commit: v1 --x",
    ],
)
def test_what_could_be_taken_for_an_option_or_two_lines_is_unsafe(line: str) -> None:
    key = line.split(":")[0]
    text = "".join(f"{part}\n" for part in GOOD.splitlines() if not part.startswith(key))
    with pytest.raises(ScaffoldError) as raised:
        parse(f"{text}{line}\n")
    assert raised.value.code == Exit.UNSAFE


def test_the_file_is_found_in_a_folder_or_named_itself(tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match="no project made from a template"):
        record.find(tmp_path)
    other = tmp_path / ".copier-answers.docs.yml"
    other.write_text(GOOD)
    assert record.find(tmp_path) == other
    more = tmp_path / ".copier-answers.ci.yml"
    more.write_text(GOOD)
    with pytest.raises(ScaffoldError, match="several answers files") as raised:
        record.find(tmp_path)
    assert ".copier-answers.ci.yml" in raised.value.remedy
    assert record.find(more) == more
    (tmp_path / record.NAME).write_text(GOOD)
    assert record.find(tmp_path) == tmp_path / record.NAME


def test_a_project_behind_a_link_to_its_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / record.NAME).write_text(GOOD)
    (tmp_path / "link").symlink_to("p")
    assert record.find(tmp_path / "link").read_text() == GOOD


def test_a_link_a_giant_and_bytes_are_refused(tmp_path: Path) -> None:
    file = tmp_path / record.NAME
    (tmp_path / "real.yml").write_text(GOOD)
    file.symlink_to("real.yml")
    with pytest.raises(ScaffoldError) as raised:
        record.read(file)
    assert raised.value.code == Exit.UNSAFE
    file.unlink()
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ScaffoldError, match="no text"):
        record.read(file)
    file.write_text("#" * (record.LARGEST + 1))
    with pytest.raises(ScaffoldError, match="far too large"):
        record.read(file)
