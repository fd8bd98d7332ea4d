"""The documentation: what its pages say that a command prints, that it prints.

`UPDATE_PAGES=1 pytest tests/test_pages.py` writes the real output into the pages.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import pytest

from scaffold.merging.drift import Difference
from scaffold.merging.plan import AnswerKind, FileKind, Outcome
from tests.pages import SITUATIONS, Reader, follow
from tests.support import ROOT, cli
from tests.terminal import ENTER, Person

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
FOLLOWED = [
    page for page in [ROOT / "README.md", *PAGES] if "```console" in page.read_text("utf-8")
]
VERBS = re.findall(r"(?m)^  ([a-z]+) ", cli("--help").stdout.partition("Commands:")[2])
TYPES = {"number": int, "text": str, "list": list, "null": type(None), "any": object}
Table = list[list[str]]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(tmp_path_factory.mktemp("reader"))


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.name)
def test_every_command_of_a_page_prints_what_the_page_says(page: Path, reader: Reader) -> None:
    followed = follow(page, reader)
    if os.environ.get("UPDATE_PAGES"):
        page.write_text(followed.text, "utf-8")
    else:
        told = "\n".join(["UPDATE_PAGES=1 writes the page anew", *followed.differences])
        assert not followed.differences, told
    assert followed.unsaid == [], "a command that fails shows its error, or `echo $?` follows"


def test_every_situation_is_one_of_a_page() -> None:
    used = {name for page in FOLLOWED for name in re.findall(r"situation: (\S+)", text_of(page))}
    assert used == set(SITUATIONS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_page_that_names_each_of_its_options(verb: str) -> None:
    page = text_of(DOCS / f"{verb}.md")
    assert page.startswith(f"# mlops-scaffold {verb}\n")
    options = set(
        re.findall(r"--[a-z][a-z-]+", cli(verb, "--help").stdout.partition("Options:")[2])
    )
    for option in options - {"--help", "--git"}:  # --git is what happens anyway
        assert option in page, option


def test_no_page_names_an_option_that_is_not_there() -> None:
    for verb in VERBS:
        known = cli(verb, "--help").stdout
        for line in re.findall(
            rf"(?m)^\$? ?mlops-scaffold {verb} .*$", text_of(DOCS / f"{verb}.md")
        ):
            for option in re.findall(
                r"(?<![\w-])--?[a-z][a-z-]*", line.split("|")[0].split(" 2>")[0]
            ):
                assert option in known, line


def test_the_index_leads_to_every_page() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", text_of(DOCS / "README.md"))
    assert sorted(links) == [page.name for page in PAGES if page.name != "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(page: Path) -> None:
    for link in re.findall(r"\]\((?!http)([^)]+)\)", text_of(page)):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.is_file(), link
        headings = re.findall(r"(?m)^#+ (.+)$", text_of(target)) if anchor else []
        assert not anchor or anchor in [slug(heading) for heading in headings], link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_message_that_a_page_explains_is_one_that_is_printed(page: Path) -> None:
    sources = "\n".join(text_of(file) for file in (ROOT / "scaffold").rglob("*.py"))
    sources = re.sub(r'"\s*\n\s*f?"', "", sources)
    for row in tables(text_of(page)).get("it says", []):
        for said in re.findall(r"`([^`]+)`", row[0]):
            for part in said.split(" ... "):
                assert part in sources, said


def test_a_page_is_short() -> None:
    for page in PAGES:
        words = re.sub(r"(?ms)^```python\n.*?^```$", "", text_of(page))  # code is for copying
        assert len(words.splitlines()) <= (230 if page.name == "json.md" else 190), page


def test_at_a_terminal_a_person_is_asked_as_the_page_says(reader: Reader) -> None:
    (block,) = re.findall(
        r"(?ms)^<!-- terminal -->\n```text\n(.*?)^```$", text_of(DOCS / "update.md")
    )
    reader.settle("clashing")
    env = {name: reader.environment[name] for name in ("HOME", "GIT_CONFIG_NOSYSTEM")}
    person = Person(reader.at, "update", env=env)
    person.see("Apply?").press("y", ENTER).see("What shall be done?").press(ENTER)
    assert person.end() == 0, person.screen
    for line in block.splitlines():
        assert line.strip() in person.screen, line
    assert reader.type("git ls-files -u").output == ""


@pytest.mark.parametrize(
    ("page", "section", "situation", "commands"),
    [
        (
            "json.md",
            "update and adopt",
            "clashing",
            (
                "update --json --dry-run -d ci=gitlab",
                "update --json -d ci=gitlab",
            ),
        ),
        ("json.md", "update and adopt", "copied", ("adopt --json --template TEMPLATE",)),
        ("json.md", "status", "edited", ("status --json",)),
        ("diff.md", "JSON", "edited", ("diff --json", "diff --json --to v0.4.1")),
    ],
)
def test_json_has_the_fields_that_its_page_describes(
    page: str, section: str, situation: str, commands: tuple[str, ...], reader: Reader
) -> None:
    part = re.split(rf"(?m)^## {section}$", text_of(DOCS / page))[1].split("\n## ")[0]
    described = {row[0].strip("`"): row[1] for row in tables(part)["field"]}
    reader.settle(situation)
    for command in commands:
        address = "https://git.example.com/ml/template.git"
        ran = reader.type(f"mlops-scaffold {command.replace('TEMPLATE', address)} 2>/dev/null")
        found = list(fields(json.loads(ran.output)))
        for name, value in found:
            kinds = tuple(TYPES[kind] for kind in described[name].split(" or "))
            assert isinstance(value, kinds), name
        lists = {name for name, value in found if value == []}
        missing = set(described) - {name for name, _ in found}
        assert {name for name in missing if name.split("[]")[0] not in lists} == set()


def test_json_has_the_words_that_its_page_describes() -> None:
    told = tables(text_of(DOCS / "json.md"))
    said = {name: {row[0].strip("`") for row in rows} for name, rows in told.items()}
    assert said["`outcome`"] == set(get_args(Outcome))
    assert said["`files[].change`"] == set(get_args(FileKind))
    assert said["`answers[].change`"] == set(get_args(AnswerKind)) - {"refused"}  # an error
    states = get_args(Difference.__annotations__["state"])
    for page in ("json.md", "diff.md"):
        assert " or ".join(f"`{state}`" for state in states) in text_of(DOCS / page)


def test_the_picture_shows_in_light_and_dark_and_needs_nothing_from_elsewhere() -> None:
    text = text_of(DOCS / "merge.svg")
    picture = ElementTree.fromstring(text)
    assert picture.get("viewBox")
    assert "prefers-color-scheme: dark" in text
    assert re.findall(r'(?:href|url|src)\s*[=(]\s*["\']?(?!#)', text) == []
    assert picture.findtext("{http://www.w3.org/2000/svg}title")


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def slug(heading: str) -> str:
    """The name under which a heading is linked to."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def tables(text: str) -> dict[str, Table]:
    """The rows of the tables of a page, by what is written above their first column."""
    found: dict[str, Table] = {}
    for table in re.findall(r"(?m)(?:^\|.*\|\n)+", text):
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
        ]
        found.setdefault(rows[0][0], []).extend(rows[2:])
    return found


def fields(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """The fields in some data, by the names that the page gives them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            path = f"{name}.{key}" if name else key
            if not isinstance(inner, dict):
                yield path, inner
            yield from fields(inner, path)
    if isinstance(value, list):
        for entry in value:
            yield from fields(entry, f"{name}[]")
