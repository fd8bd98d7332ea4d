"""The weekly look at the template: it says what is new and which command brings it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import commit, sh
from tests.template.conftest import python

ASK = "from ops.__main__ import template_news as news; print(news())"


@pytest.mark.parametrize(
    ("tags", "mine", "said"),
    [
        (["v0.1.0"], "v0.1.0", "no version newer than v0.1.0"),
        (["v0.1.0", "v0.2.0"], "v0.1.0", "has v0.2.0, this is v0.1.0: mlops-scaffold update"),
        (["v0.9.0", "v0.10.0"], "v0.9.0", "has v0.10.0, this is v0.9.0: mlops-scaffold update"),
        (["v0.2.0", "v9-nightly"], "v0.2.0-1-gabc1234", "no version newer"),
    ],
)
def test_a_newer_version_of_the_template_is_told_with_the_command(
    project: Path, tmp_path: Path, tags: list[str], mine: str, said: str
) -> None:
    for tag in tags:
        commit(tmp_path / "template", {"copier.yml": f"# {tag}\n"}, tag=tag)
    assert said in news(project, tmp_path, str(tmp_path / "template"), mine)


def test_a_template_that_cannot_be_reached_is_no_failure(project: Path, tmp_path: Path) -> None:
    assert "could not be asked" in news(project, tmp_path, str(tmp_path / "nowhere"), "v0.1.0")


def news(project: Path, tmp_path: Path, source: str, mine: str) -> str:
    clone = tmp_path / "clone"
    sh("git", "clone", "-q", project, clone)
    answers = clone / ".copier-answers.yml"
    text = re.sub(r"(?m)^_src_path: .*$", f"_src_path: {source}", answers.read_text())
    answers.write_text(re.sub(r"(?m)^_commit: .*$", f"_commit: {mine}", text))
    return sh(python(project), "-c", ASK, cwd=clone)
