"""copier.yml: few questions, each with a default, a help text and a check."""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import ROOT, sh

CONFIG = yaml.safe_load((ROOT / "copier.yml").read_text())
ASKED = {
    name: question
    for name, question in CONFIG.items()
    if not name.startswith("_") and question.get("when") is not False
}


def listed(name: str) -> set[str]:
    return set(CONFIG[name]["default"].split())


def dependencies(config: dict[str, Any]) -> list[str]:
    """What the server and every group of developers' tools need."""
    groups = [entry for group in config["dependency-groups"].values() for entry in group]
    return [*config["project"]["dependencies"], *(e for e in groups if isinstance(e, str))]


def test_there_are_at_most_eight_questions() -> None:
    asked = ["project_name", "description", "team", "ci", "target", "port", "criticality"]
    assert list(ASKED) == asked


def test_the_pages_say_how_many_questions_there_are() -> None:
    number = ("five", "six", "seven", "eight")[len(ASKED) - 5]
    for page in ("README.md", "docs/new.md"):
        assert f"asks up to {number} questions" in (ROOT / page).read_text(), page


@pytest.mark.parametrize("name", ASKED)
def test_each_question_has_a_type_a_help_a_default_and_a_check(name: str) -> None:
    question = ASKED[name]
    assert {"type", "help", "default"} <= question.keys()
    assert "validator" in question or question["default"] in question["choices"].values()


def test_nothing_in_the_template_needs_trust() -> None:
    assert not {"_tasks", "_migrations", "_jinja_extensions"} & CONFIG.keys()


def test_every_keyword_and_standard_module_is_refused_as_a_name() -> None:
    import keyword

    assert {word for word in keyword.kwlist if word.islower()} <= listed("keyword_names")
    modules = {name.lower() for name in sys.stdlib_module_names if not name.startswith("_")}
    assert modules - listed("standard_library_names") == set()


def test_every_package_that_a_project_names_is_refused_as_a_name(project: Path) -> None:
    config = tomllib.loads((project / "pyproject.toml").read_text())
    needed = dependencies(config)
    names = {re.split(r"[^\w.-]", entry)[0].lower().replace("-", "_") for entry in needed}
    assert names - listed("dependency_names") == set()


def test_every_module_of_a_package_that_a_project_names_is_refused(project: Path) -> None:
    config = tomllib.loads((project / "pyproject.toml").read_text())
    needed = dependencies(config)
    names = [re.split(r"[^\w.-]", entry)[0].lower() for entry in needed]
    script = (
        "import sys; from importlib.metadata import packages_distributions as p;"
        "print(*[m.lower() for m, d in p().items() if m.isidentifier() and m[0] != '_'"
        " and {n.lower() for n in d} & set(sys.argv[1:])])"
    )
    modules = set(sh(project / ".venv/bin/python", "-c", script, *names).split())
    assert {"sklearn", "fastapi"} <= modules
    assert modules - listed("dependency_names") == set()


def test_every_folder_of_a_project_is_refused_as_a_name(project: Path) -> None:
    tracked = sh("git", "ls-files", cwd=project).splitlines()
    folders = {name.split("/")[0] for name in tracked if "/" in name and name[0] != "."}
    assert folders <= listed("folder_names")


def test_the_package_is_named_after_the_project(project: Path) -> None:
    assert (project / "src/churn_model/__init__.py").is_file()
