"""A template that cannot be fetched: the line that says why, and what helps against just that."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support import Done
from tests.warm import cli

END = """\
fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists.
"""
# As ssh and the forges' servers say it, before git adds its own lines.
SSH = {
    "Host key verification failed.\n": (
        "Host key verification failed.",
        "`ssh -T git@git.invalid`",
    ),
    "@@@@@@@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@@@@@@@@@\n"
    "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\nHost key verification failed.\n": (
        "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\n",
        "ask the host's owner",
    ),
    "Warning: Permanently added 'git.invalid' (ED25519) to the list of known hosts.\n"
    "git@git.invalid: Permission denied (publickey).\n": (
        "git@git.invalid: Permission denied (publickey).",
        "ssh-add",
    ),
    "@@@@@@@@@@@\n@    WARNING: UNPROTECTED PRIVATE KEY FILE!     @\n@@@@@@@@@@@\n"
    "git@git.invalid: Permission denied (publickey).\n": ("UNPROTECTED PRIVATE KEY", "chmod 600"),
    "ssh: Could not resolve hostname git.invalid: Name or service not known\n": (
        "ssh: Could not resolve hostname git.invalid",
        "the host's name",
    ),
    "ssh: connect to host git.invalid port 22: Connection timed out\n": (
        "port 22: Connection timed out",
        "closed port 22",
    ),
    "ERROR: Repository not found.\n": ("ERROR: Repository not found.", "whether you may read it"),
    "remote: \nremote: ========\nremote: \n"
    "remote: ERROR: The project you were looking for could not be found or you don't have "
    "permission to view it.\nremote: \nremote: ========\nremote: \n": (
        "The project you were looking for could not be found",
        "whether you may read it",
    ),
    "something that nobody has heard of\n": ("something that nobody has heard of", "your access"),
    "": ("fatal: Could not read from remote repository.", "your access"),
}


def fetched(url: str, folder: Path, **env: str) -> Done:
    """What `new` says of a template that it cannot fetch."""
    alone = {"HOME": str(folder), "XDG_CONFIG_HOME": "", "GIT_CONFIG_NOSYSTEM": "1"}
    done = cli("new", "x", "--template", url, cwd=folder, env=alone | env)
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) == 2, done.stderr
    assert done.stderr.startswith("error: the template ")
    assert not (folder / "x").exists()
    return done


@pytest.mark.parametrize("said", SSH)
def test_the_line_of_ssh_is_shown_with_what_helps_against_it(tmp_path: Path, said: str) -> None:
    (tmp_path / "said").write_text(said)
    shown, remedy = SSH[said]
    ssh = f"cat '{tmp_path}/said' >&2; exit 255; :"
    done = fetched("git@git.invalid:tls/not-found", tmp_path, GIT_SSH_COMMAND=ssh)
    assert shown.strip() in done.stderr.splitlines()[0]
    assert remedy in done.stderr.splitlines()[1]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The place of a web server that answers with the status that the path begins with."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code = int(self.path.split("/")[1])
            self.send_response(code)
            if code == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()

        def do_CONNECT(self) -> None:
            self.send_response(407)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{made.server_port}"
        made.shutdown()


@pytest.mark.parametrize(
    ("url", "shown", "remedy"),
    [
        ("http://{0}/404/t.git", "not found", "whether you may read it"),
        ("http://{0}/403/t.git", "403", "check your access to it"),
        ("http://{0}/401/t.git", "could not read Username", "credential helper"),
        ("https://{0}/200/t.git", "unable to access", "http.sslCAInfo"),
        ("https://127.0.0.1:1/not-found.git", "port 1", "check the network"),
        ("https://git.invalid/ssl/t.git", "Could not resolve host", "the host's name"),
        ("nonsense://git.invalid/t", "nonsense", "https://, ssh:// or git@"),
    ],
)
def test_the_line_of_git_is_shown_with_what_helps_against_it(
    tmp_path: Path, server: str, url: str, shown: str, remedy: str
) -> None:
    done = fetched(url.format(server), tmp_path, no_proxy="*")
    assert shown in done.stderr.splitlines()[0]
    assert remedy in done.stderr.splitlines()[1]


def test_a_proxy_that_refuses_is_named_as_the_cause(tmp_path: Path, server: str) -> None:
    for proxy in (f"http://{server}", "http://proxy.invalid:3128"):
        env = {"https_proxy": proxy, "no_proxy": "", "NO_PROXY": ""}
        done = fetched("https://git.invalid/t.git", tmp_path, **env)
        assert "http.proxy" in done.stderr, done.stderr


def test_a_password_that_git_knows_is_not_shown(tmp_path: Path, server: str) -> None:
    rewrite = f'[url "http://me:hushhush@{server}/401/"]\n\tinsteadOf = https://git.invalid/\n'
    (tmp_path / ".gitconfig").write_text(rewrite)
    done = fetched("https://git.invalid/t.git", tmp_path, no_proxy="*")
    assert "hushhush" not in done.stderr
