"""The order of versions."""

import pytest

from scaffold.origin import versions


def test_releases_are_ordered_by_number_and_pre_releases_count_only_alone() -> None:
    tags = ["v0.10.0", "v0.9.0", "v1.0.0rc1", "latest", "0.11"]
    assert versions.releases(tags) == ["v0.9.0", "v0.10.0", "0.11"]
    assert versions.releases(["v1.0.0rc1", "v1.0.0a2", "x"]) == ["v1.0.0a2", "v1.0.0rc1"]


def test_the_newest_version_is_by_number_and_a_final_one_if_there_is_any() -> None:
    assert versions.newest(["v0.9.0", "v0.10.0", "v1.0.0rc1", "latest"]) == "v0.10.0"
    assert versions.newest(["v1.0.0.dev0", "v1.0.0a1"]) == "v1.0.0a1"
    assert versions.newest(["latest", "stable"]) is None
    assert versions.newest([]) is None


def test_a_release_is_no_alias_of_its_own_candidates() -> None:
    assert versions.releases(["v2.0.0rc1", "v2.0"]) == ["v2.0"]
    assert versions.releases(["v1.0rc1", "v1.0.0", "v1"]) == ["v1.0.0"]
    assert versions.aliases(["v2.0", "v2.0.post1", "v2.0.0.dev3"]) == set()


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("v1.0.0", "1.0.0"),
        ("v1.0.0-0-gabc1234", "1.0.0"),
        ("v1.0.0-3-gabc1234", "1.0.0.post3.dev0+abc1234"),
        ("v1.0.0rc1-3-gabc1234", "1.0.0rc1.post3.dev0+abc1234"),
        ("v1.0.post1-3-gabc1234", "1.0.post1"),
        ("template-v1.0.0-3-gabc1234", None),
        ("abc1234", None),
    ],
)
def test_the_number_of_a_version_is_as_copier_reckons_it(version: str, number: str | None) -> None:
    assert versions.number(version) == number


def test_commits_after_a_tag_lie_between_it_and_the_next() -> None:
    assert versions.is_older("v1.0.0", "v1.0.0-3-gabc1234")
    assert versions.is_older("v1.0.0-3-gabc1234", "v1.0.0-12-gabc1234")
    assert versions.is_older("v1.0.0-3-gabc1234", "v1.0.1")
    assert not versions.is_older("v1.0.1", "v1.0.0-3-gabc1234")


@pytest.mark.parametrize("commit", ["abc1234", "111a905", "1234567", "12b4567", "9" * 40])
def test_a_commit_is_no_version_even_when_it_looks_like_one(commit: str) -> None:
    assert versions.releases([commit, "v1.0.0"]) == ["v1.0.0"]
    assert not versions.is_older("v1.0.0", commit)
    assert versions.newest(["20251231", "20261121"]) == "20261121"


@pytest.mark.parametrize(("one", "other"), [("main", "v1.0.0"), ("v1.0.0", "abc1234"), ("", "")])
def test_what_is_no_version_is_neither_older_nor_newer(one: str, other: str) -> None:
    assert not versions.is_older(one, other)
    assert not versions.is_older(other, one)


def test_the_releases_after_a_version_are_what_a_project_is_behind() -> None:
    tags = ["v1.0.0", "v1.1.0", "v1.2.0", "v2.0.0rc1", "latest"]
    assert versions.after("v1.0.0", tags) == ["v1.1.0", "v1.2.0"]
    assert versions.after("v1.1.0-2-gabc1234", tags) == ["v1.2.0"]
    assert versions.after("v1.2.0", tags) == []
    assert versions.after("main", tags) == []
