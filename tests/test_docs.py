"""The documents: each command in them exists, and each file they point to is there."""

import re
from pathlib import Path

import pytest

from tests.support import ROOT, cli

PAGES = ["README.md", "CONTRIBUTING.md"]


def commands(text: str) -> list[str]:
    """The lines of the fenced blocks without a language, or of a shell, without remarks."""
    blocks = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", text)
    lines = "".join(body for language, body in blocks if language in ("", "sh")).splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def verbs(makefile: Path) -> set[str]:
    """The targets of a Makefile."""
    return set(re.findall(r"(?m)^([a-z]+):", makefile.read_text("utf-8")))


def ours() -> list[str]:
    """The verbs of our own command, each with a page whose commands are run by test_pages."""
    listed = cli("--help").stdout.partition("Commands:")[2]
    return [f"mlops-scaffold {verb}" for verb in re.findall(r"(?m)^  ([a-z]+) ", listed)]


def known_options(command: str) -> bool:
    """Tell whether the options of a command of ours are in its help."""
    if "mlops-scaffold " not in command:
        return True
    verb, *words = command.partition("mlops-scaffold ")[2].split()
    known = re.findall(r"--?[a-z][a-z-]*", cli(verb, "--help").stdout)
    return {word for word in words if word.startswith("-")} <= set(known)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_one_that_a_test_runs(page: str) -> None:
    known = verbs(ROOT / "Makefile") | verbs(ROOT / "template" / "Makefile")
    tested = ("git clone", "cd ", "uv tool install .", *ours())
    tested += tuple(f".venv/bin/{command}" for command in tested[3:])
    found = commands((ROOT / page).read_text("utf-8"))
    assert found
    for command in found:
        if command.startswith("make "):
            assert command.split()[1] in known, command
        else:
            assert command.startswith(tested), command
            assert known_options(command), command


def test_every_command_of_the_generated_documents_is_a_verb_of_its_makefile(project: Path) -> None:
    pages = [project / "README.md", *sorted((project / "docs").glob("*.md"))]
    for page in pages:
        for command in commands(page.read_text("utf-8")):
            verb = command.split()
            assert verb[0] in ("make", "curl"), f"{page.name}: {command}"
            assert verb[0] == "curl" or verb[1] in verbs(project / "Makefile"), command
        named = re.findall(r"`make ([a-z]+)", page.read_text("utf-8"))
        assert set(named) <= verbs(project / "Makefile"), page.name


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_leads_to_one(page: str) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", (ROOT / page).read_text("utf-8"))
    for link in links:
        assert (ROOT / link).exists(), link


def test_the_links_of_the_generated_documents_lead_to_files(project: Path) -> None:
    for page in [project / "README.md", *sorted((project / "docs").glob("*.md"))]:
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_option_of_new_is_explained_by_its_help() -> None:
    said = cli("new", "--help").stdout
    for option in ("template", "ref", "defaults", "data", "data-file", "no-setup", "no-git"):
        assert f"--{option}" in said
