"""The weekly look at the template: it says whether there is a newer version, and never fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import commit, run, sh


@pytest.mark.parametrize(
    ("tags", "mine", "said"),
    [
        (["v0.1.0"], "v0.1.0", "up-to-date"),
        (["v0.1.0", "v0.2.0"], "v0.1.0", "latest version is 0.2.0"),
        (["v0.9.0", "v0.10.0"], "v0.9.0", "latest version is 0.10.0"),
        (["v0.2.0", "v9-nightly"], "v0.2.0", "up-to-date"),
    ],
)
def test_a_newer_version_of_the_template_is_told(
    project: Path, tmp_path: Path, tags: list[str], mine: str, said: str
) -> None:
    for tag in tags:
        commit(tmp_path / "template", {"copier.yml": f"# {tag}\n"}, tag=tag)
    assert said in news(project, tmp_path, str(tmp_path / "template"), mine)


def test_a_template_that_cannot_be_reached_is_no_failure(project: Path, tmp_path: Path) -> None:
    said = news(project, tmp_path, "https://127.0.0.1:1/a/nowhere.git", "v0.1.0")
    assert said == "the template does not answer\n"


def news(project: Path, tmp_path: Path, source: str, mine: str) -> str:
    """What the first command of `make weekly` prints in a clone of such a project."""
    clone = tmp_path / "clone"
    sh("git", "clone", "-q", project, clone)
    answers = clone / ".copier-answers.yml"
    text = re.sub(r"(?m)^_src_path: .*$", f"_src_path: {source}", answers.read_text())
    answers.write_text(re.sub(r"(?m)^_commit: .*$", f"_commit: {mine}", text))
    command = sh("make", "--dry-run", "weekly", cwd=clone).splitlines()[0]
    done = run("sh", "-c", command, cwd=clone)
    assert done.returncode == 0 and not done.stderr
    return done.stdout
