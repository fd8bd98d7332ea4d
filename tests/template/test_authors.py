"""Who made a release, and so cannot approve it: all who made what it brings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import run, sh
from tests.template.conftest import python

CODE = "from ops.state import authors; print(*authors(), sep='\\n')"

APPROVE = """
from ops import config, deploy, release
production = config.find("production").model_copy(update={"approval": True})
made = release.Release.model_construct(name="r", authors=["Ann", "ann@example.com", "ann-b"])
print(deploy.approval(production, made, "seen", ""))
"""


def authors(project: Path, **env: str) -> set[str]:
    return set(sh(python(project), "-c", CODE, cwd=project, env=env).splitlines())


def commit(project: Path, name: str, mail: str, *more: str) -> None:
    who = ("-c", f"user.name={name}", "-c", f"user.email={mail}")
    sh(
        "git",
        *who,
        "commit",
        "-q",
        "--no-verify",
        "--allow-empty",
        "-m",
        "Change",
        *more,
        cwd=project,
    )


def test_a_commit_is_made_by_its_author_its_co_authors_and_who_starts_the_build(
    fresh_project: Path,
) -> None:
    told = (
        "-m",
        "Co-authored-by: Bob B. <bob@example.com>\nCo-authored-by: Cy <7+cy@users.example>",
    )
    commit(fresh_project, "Ann", "1234+ann@users.noreply.github.com", *told)
    people = {"Ann", "ann", "1234+ann@users.noreply.github.com", "Bob B.", "bob", "bob@example.com"}
    people |= {"Cy", "cy", "7+cy@users.example"}
    assert authors(fresh_project) == people
    assert authors(fresh_project, GITHUB_ACTOR="dan") == people | {"dan"}


def test_a_merge_is_made_by_all_whose_commits_it_brings(fresh_project: Path) -> None:
    sh("git", "checkout", "-q", "-b", "change", cwd=fresh_project)
    commit(fresh_project, "Ann", "ann@example.com")
    commit(fresh_project, "Bob", "bob@example.com")
    sh("git", "checkout", "-q", "main", cwd=fresh_project)
    merger = ("-c", "user.name=Eve", "-c", "user.email=eve@example.com")
    sh("git", *merger, "merge", "-q", "--no-ff", "-m", "Merge", "change", cwd=fresh_project)
    assert {"Ann", "ann", "Bob", "bob"} <= authors(fresh_project)
    assert "Eve" in authors(fresh_project, GITLAB_USER_LOGIN="Eve")


def test_the_logins_that_a_vendor_tells_of_a_push_are_authors_too(fresh_project: Path) -> None:
    assert {"dan", "fay"} <= authors(fresh_project, AUTHORS="dan fay")


@pytest.mark.parametrize(
    "told",
    [
        {"GITHUB_ACTOR": "Ann-B"},
        {"GITLAB_USER_LOGIN": "a", "GITLAB_USER_EMAIL": "Ann@example.com"},
        {"GITLAB_USER_LOGIN": "a", "GITLAB_USER_NAME": "ann"},
    ],
    ids=["login", "address", "name"],
)
def test_an_author_cannot_approve_whatever_the_vendor_calls_them(
    fresh_project: Path, told: dict[str, str]
) -> None:
    done = run(python(fresh_project), "-c", APPROVE, cwd=fresh_project, env=told)
    assert "and so cannot approve it for production" in done.stderr
    others = told | {name: "bob" for name in told}
    assert sh(python(fresh_project), "-c", APPROVE, cwd=fresh_project, env=others) == "bob\n"


def test_in_a_shallow_clone_the_author_is_that_of_the_one_commit_there(
    fresh_project: Path, tmp_path: Path
) -> None:
    commit(fresh_project, "Ann", "ann@example.com")
    shallow = tmp_path / "shallow"
    sh("git", "clone", "-q", "--depth=1", f"file://{fresh_project}", shallow)
    done = sh(python(fresh_project), "-c", CODE, cwd=shallow, env={"PYTHONPATH": str(shallow)})
    assert set(done.splitlines()) == {"Ann", "ann", "ann@example.com"}
