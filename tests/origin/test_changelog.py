"""What is new, from a template's changelog."""

from pathlib import Path

import pytest

from scaffold.origin import changelog
from scaffold.origin.source import Template

MARKDOWN = """# Changelog

## Unreleased

- not yet

## [1.2.0] - 2026-03-01

- twelve

### Fixed

- a bug of 1.0.5 days

## v1.1.0 (2026-02-01)

- eleven

## 1.0.0

- ten
"""
UNDERLINED = """Changes
=======

1.2.0 (2026-03-01)
------------------

* twelve

1.1.0
-----

* eleven
"""


def between(folder: Path, text: str | None, old: str, new: str, name: str = "CHANGELOG.md") -> str:
    if text is not None:
        (folder / name).write_text(text)
    return changelog.between(Template("u", new, "0" * 40, folder), old, new)


def test_the_sections_after_the_old_version_up_to_the_new_one(tmp_path: Path) -> None:
    text = between(tmp_path, MARKDOWN, "v1.0.0", "v1.1.0")
    assert text == "## v1.1.0 (2026-02-01)\n\n- eleven"
    text = between(tmp_path, MARKDOWN, "v1.0.0", "v1.2.0")
    assert text.startswith("## [1.2.0] - 2026-03-01\n\n- twelve\n\n### Fixed")
    assert text.endswith("- eleven")
    assert "not yet" not in text
    assert "ten" not in text


@pytest.mark.parametrize("name", ["CHANGES.md", "HISTORY.md", "CHANGELOG.rst"])
def test_other_names_and_underlined_headings(tmp_path: Path, name: str) -> None:
    text = between(tmp_path, UNDERLINED, "v1.1.0", "v1.2.0", name)
    assert "* twelve" in text
    assert "eleven" not in text


def test_no_changelog_no_words(tmp_path: Path) -> None:
    assert between(tmp_path, None, "v1.0.0", "v1.1.0") == ""
    assert between(tmp_path, "nothing here\n", "v1.0.0", "v1.1.0") == ""
    assert between(tmp_path, MARKDOWN, "main", "v1.1.0") == ""


def test_a_very_long_one_is_cut(tmp_path: Path) -> None:
    long = "## 1.1.0\n" + "".join(f"- {number}\n" for number in range(500)) + "## 1.0.0\n"
    lines = between(tmp_path, long, "v1.0.0", "v1.1.0").splitlines()
    assert len(lines) == changelog.LONGEST + 1
    assert "more lines" in lines[-1]
