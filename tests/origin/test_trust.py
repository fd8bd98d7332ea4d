"""Which template a project may be updated from."""

import json
import threading
from functools import partial
from http.server import CGIHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support import IDENTITY, SMALL, commit, sh, template, write
from tests.warm import cli


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """A project whose committed answers file names another template than at the beginning."""
    for name in ("first", "second"):
        source = template(tmp_path / name)
        commit(source, {"more.txt": f"of the {name}\n"}, tag="v1.1.0")
    made = tmp_path / "p"
    assert cli("new", made, "--template", tmp_path / "first", "--ref", "v1.0.0").returncode == 0
    text = (made / ".copier-answers.yml").read_text()
    commit(made, {".copier-answers.yml": text.replace("/first", "/second")})
    return made


@pytest.mark.parametrize("verb", ["update", "status", "diff"])
def test_a_changed_source_is_refused_and_nothing_is_rendered(moved: Path, verb: str) -> None:
    done = cli(verb, moved)
    assert done.returncode == 4
    assert "another template than the project began with" in done.stderr
    assert f"--template {moved.parent / 'second'}" in done.stderr
    assert sh("git", "status", "--porcelain", cwd=moved) == ""


def test_a_confirmed_source_counts_in_this_clone_and_on_the_default_branch_for_all(
    moved: Path, tmp_path: Path
) -> None:
    done = cli("update", moved, "--template", moved.parent / "second")
    assert done.returncode == 0, done.stderr
    assert (moved / "more.txt").read_text() == "of the second\n"
    commit(moved)
    commit(moved.parent / "second", {"more.txt": "later\n"}, tag="v1.2.0")
    assert cli("status", moved).returncode == 5
    assert cli("update", moved).returncode == 0
    assert (moved / "more.txt").read_text() == "later\n"
    commit(moved)
    sh("git", "clone", "-q", moved, tmp_path / "clone")
    for verb in ("status", "diff", "update"):
        done = cli(verb, tmp_path / "clone")
        assert done.returncode == 0, done.stderr


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A repository of a project whose branch `evil` names another template, and its own does not.

    To make it hard the branch is also there as `HEAD` and `master`.
    """
    for name in ("first", "second"):
        template(tmp_path / name)
    made = tmp_path / "server"
    assert cli("new", made, "--template", tmp_path / "first").returncode == 0
    text = (made / ".copier-answers.yml").read_text()
    sh("git", "checkout", "-q", "-b", "evil", cwd=made)
    evil = commit(made, {".copier-answers.yml": text.replace("/first", "/second")})
    sh("git", "checkout", "-q", "main", cwd=made)
    for name in ("HEAD", "master"):
        sh("git", "update-ref", f"refs/heads/{name}", evil, cwd=made)
    return made


def cloned(server: Path, name: str, *options: str) -> Path:
    """A clone in the folder `name` beside the server, as over a network."""
    folder = server.parent / name
    sh("git", "clone", "-q", *options, server.as_uri(), folder)
    return folder


@pytest.mark.parametrize(
    "options",
    [(), ("--depth=1",), ("--depth=1", "--branch=main"), ("--depth=1", "--branch=evil"), ("bare",)],
    ids=" ".join,
)
def test_a_branch_under_review_cannot_bring_another_source(
    server: Path, options: tuple[str, ...]
) -> None:
    if options == ("bare",):  # as continuous integration does it: nothing but one commit
        clone = server.parent / "clone"
        sh("git", "init", "-q", clone)
        sh("git", "remote", "add", "origin", server.as_uri(), cwd=clone)
        sh("git", "fetch", "-q", "--depth=1", "origin", "evil", cwd=clone)
        sh("git", "checkout", "-q", "FETCH_HEAD", cwd=clone)
    else:
        clone = cloned(server, "clone", *options)
        sh("git", "fetch", "-q", "--depth=1", "origin", "evil", cwd=clone)
        sh("git", "checkout", "-q", "FETCH_HEAD", cwd=clone)
    for verb in ("status", "diff", "update"):
        done = cli(verb, clone)
        assert done.returncode == 4, done.stderr
        assert "another template than" in done.stderr
    # What it says on the default branch is no fault, whatever the clone lacks.
    sh("git", "fetch", "-q", "--depth=1", "origin", "main", cwd=clone)
    sh("git", "checkout", "-q", "FETCH_HEAD", cwd=clone)
    assert cli("status", clone).returncode == 0


def test_a_move_that_the_default_branch_has_taken_counts_in_every_clone(server: Path) -> None:
    sh("git", "merge", "-q", "--no-ff", "evil", cwd=server, env=IDENTITY)
    shallow = cloned(server, "shallow", "--depth=1", "--branch=evil")
    full = cloned(server, "full")
    # It was made here and pushed, so git never noted which branch is the default.
    sh("git", "symbolic-ref", "--delete", "refs/remotes/origin/HEAD", cwd=full)
    for clone in (shallow, full):
        done = cli("status", clone)
        assert done.returncode == 0, done.stderr
        assert sh("git", "status", "--porcelain", cwd=clone) == ""


def test_a_job_asks_with_the_header_that_its_checkout_has_left(server: Path) -> None:
    """As on GitHub: the token of a job stands in the settings of the clone, and nowhere else."""
    header = "Authorization: Basic dG9rZW46aHVzaA=="
    program = server.parent / "web/cgi-bin/git"
    write(program.parent, {"git": f"#!/bin/sh\nGIT_PROJECT_ROOT='{server.parent}' "
          "GIT_HTTP_EXPORT_ALL=1 HOME=/ exec git http-backend\n"})  # fmt: skip
    program.chmod(0o755)

    class Private(CGIHTTPRequestHandler):
        have_fork = False  # a thread serves; it must not be copied

        def is_cgi(self) -> bool:
            if self.headers.get("Authorization") != header.partition(": ")[2]:
                self.path = "/401"
            return super().is_cgi()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Private, directory=program.parents[1])
    ) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{web.server_port}/cgi-bin/git/server"
        clone = server.parent / "clone"
        sh("git", "init", "-q", clone)
        sh("git", "remote", "add", "origin", url, cwd=clone)
        sh("git", "config", f"http.{url}.extraheader", header, cwd=clone)
        sh("git", "fetch", "-q", "--depth=1", "origin", "evil", cwd=clone)
        sh("git", "checkout", "-q", "FETCH_HEAD", cwd=clone)
        assert cli("status", clone).returncode == 4
        sh("git", "merge", "-q", "--no-ff", "evil", cwd=server, env=IDENTITY)
        assert cli("status", clone).returncode == 0
        sh("git", "config", "--unset", f"http.{url}.extraheader", cwd=clone)
        assert cli("status", clone).returncode == 1
        web.shutdown()


def test_where_nobody_can_be_asked_nothing_is_guessed(server: Path) -> None:
    clone = cloned(server, "clone", "--depth=1", "--branch=evil")
    server.rename(server.parent / "gone")
    done = cli("status", clone)
    assert done.returncode == 1
    assert "template v1.0.0, its newest version is unknown" in done.stdout
    assert "shallow" in done.stderr
    assert "git fetch --unshallow" in done.stderr
    assert json.loads(cli("status", clone, "--json").stdout)["problem"].startswith("this clone is")
    for verb in ("diff", "update"):
        assert cli(verb, clone).returncode == 4


def test_asking_for_the_default_branch_runs_no_program_of_the_clone(
    server: Path, tmp_path: Path
) -> None:
    clone = cloned(server, "clone", "--depth=1", "--branch=evil")
    witness = tmp_path / "witness"
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch '{witness}'\nexit 1\n")
    script.chmod(0o755)
    for address in ("https://127.0.0.1:1/a/b.git", "git@127.0.0.1:a/b", f"ext::{script}", "../no"):
        settings = {
            "remote.origin.url": address,
            "remote.origin.uploadpack": script,
            "core.sshCommand": script,
            "core.gitProxy": script,
            "core.askPass": script,
            "credential.helper": script,
        }
        for key, value in settings.items():
            sh("git", "config", key, value, cwd=clone)
        assert cli("status", clone).returncode == 1
        assert not witness.exists()


def test_a_source_is_confirmed_also_where_there_is_nothing_to_update(moved: Path) -> None:
    sh("git", "tag", "--delete", "v1.1.0", cwd=moved.parent / "second")
    assert cli("status", moved).returncode == 4
    done = cli("update", moved, "--template", moved.parent / "second")
    assert "is already at v1.0.0" in done.stdout + done.stderr
    assert cli("status", moved).returncode == 0


def test_a_dry_run_confirms_nothing(moved: Path) -> None:
    assert cli("update", moved, "--template", moved.parent / "second", "--dry-run").returncode == 0
    assert cli("update", moved).returncode == 4


def test_an_address_that_the_template_itself_changes_is_told(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    assert cli("new", tmp_path / "p", "--template", source).returncode == 0
    written = "_commit: v1.1.0\n_src_path: gh:some/other\nproject_name: p\nsize: 3\n"
    commit(source, {"{{_copier_conf.answers_file}}.jinja": written}, tag="v1.1.0")
    done = cli("update", tmp_path / "p")
    assert "another address of itself into .copier-answers.yml: gh:some/other" in done.stderr


def test_a_template_that_really_moved_keeps_its_versions(tmp_path: Path) -> None:
    source = template(tmp_path / "t", SMALL | {"a.txt": "a\n"})
    assert cli("new", tmp_path / "p", "--template", source).returncode == 0
    commit(source, {"a.txt": "b\n"}, tag="v1.1.0")
    source.rename(tmp_path / "moved")
    done = cli("update", tmp_path / "p")
    assert done.returncode == 1
    assert "--template URL" in done.stderr
    done = cli("update", tmp_path / "p", "--template", tmp_path / "moved")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p/a.txt").read_text() == "b\n"
    assert str(tmp_path / "moved") in (tmp_path / "p/.copier-answers.yml").read_text()


def test_the_source_a_subfolder_began_with_counts_also_after_a_move(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    commit(tmp_path / "mono", {"README.md": "all\n"})
    options = ("--template", source, "--no-git")
    assert cli("new", tmp_path / "mono/one", *options).returncode == 0
    commit(tmp_path / "mono")
    sh("git", "mv", "one", "two", cwd=tmp_path / "mono")
    commit(tmp_path / "mono")
    commit(source, {"more.txt": "more\n"}, tag="v1.1.0")
    done = cli("update", "mono/two", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
