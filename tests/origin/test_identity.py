"""Which addresses are one template, and which are not."""

import itertools
from pathlib import Path

import pytest

from scaffold.origin.identity import is_same
from tests.support import IDENTITY, SMALL, Done, commit, sh, template, write
from tests.warm import cli

AZURE = "https://dev.azure.com/Contoso/ML%20Platform/_git/template"
ONE = {
    "a repository on GitHub": (
        "gh:a/b",
        "gh:/A/b.git",
        "https://github.com/a/b",
        "https://github.com/a/b/",
        "https://GitHub.com/A/B.git",
        "https://me@github.com/a/b.git",
        "https://github.com:443/a/b",
        "https://www.github.com/a/b",
        "git+https://github.com/a/b.git",
        "git@github.com:a/b",
        "git@github.com:a/b.git",
        "git@github.com:/a/b.git",
        "org-123456@github.com:a/b.git",
        "ssh://git@github.com/a/b.git",
        "ssh://git@github.com:22/a/b",
        "ssh://git@ssh.github.com:443/a/b.git",
        "git+ssh://git@github.com/a/b.git",
    ),
    "a repository in a subgroup on GitLab": (
        "gl:g/s/p",
        "https://gitlab.com/G/s/p.git",
        "git@gitlab.com:g/s/p.git",
        "ssh://git@altssh.gitlab.com:443/g/s/p",
    ),
    "a repository on Bitbucket": (
        "https://me@bitbucket.org/w/r.git",
        "git@bitbucket.org:w/r",
    ),
    "a repository on Azure DevOps": (
        AZURE,
        "https://Contoso@dev.azure.com/contoso/ml%20platform/_git/template",
        "git@ssh.dev.azure.com:v3/Contoso/ML%20Platform/template",
        "ssh://git@ssh.dev.azure.com/v3/Contoso/ML%20Platform/template",
        "https://contoso.visualstudio.com/DefaultCollection/ML%20Platform/_git/template",
        "contoso@vs-ssh.visualstudio.com:v3/Contoso/ML%20Platform/template",
    ),
    "the main repository of a project on Azure DevOps": (
        "https://dev.azure.com/o/p/_git/p",
        "https://dev.azure.com/o/_git/p",
        "https://o.visualstudio.com/_git/p",
    ),
    "https on a host of one's own": (
        "https://git.example.com/G/p",
        "https://GIT.example.com:443/G/p.git/",
        "git+https://me@git.example.com/G/p",
    ),
    "ssh on a host of one's own": ("git@git.example.com:G/p", "git@GIT.example.com:G/p.git/"),
    "the same by ssh from the root": (
        "ssh://git@git.example.com/G/p.git",
        "ssh://git@git.example.com:22/G/p",
        "git@git.example.com:/G/p",
    ),
    "a folder": ("/srv/t", "/srv/t/", "/srv/./x/../t", "file:///srv/t", "git+file:///srv/t"),
}
# Beside those: none is the same as any other, nor as any above.
OTHERS = (
    "https://github.com/a/c",
    "https://github.com/c/b",
    "https://github.com/a/b.git.git",
    "https://github.com/a/b/c",
    "https://github.com/a%2Fb",
    "https://github.com/a/../b",
    "https://github.com/a/b?x",
    "https://github.com/a/b#x",
    "http://github.com/a/b",  # anybody on the way could answer
    "git://github.com/a/b",
    "https://github.com:8443/a/b",
    "ssh://git@github.com:443/a/b",
    "ssh://evil@github.com/a/b",
    "https://github.com.evil.example/a/b",
    "https://evil.example/github.com/a/b",
    "https://github.com@evil.example/a/b",
    "https://evil.example\\@github.com/a/b",
    "https://gitHub.com\u212a/a/b",
    "https://bitbuc\u212aet.org/w/r",  # a Kelvin sign, which is a k in small letters
    "https://gitlab.com/a/b",
    "https://gist.github.com/a/b",
    "https://gitlab.com/g/s/p/q",
    "https://git.example.com/g/p",  # letter case may count there
    "https://git.example.com:8443/G/p",
    "http://git.example.com/G/p",
    "https://git.example.org/G/p",
    "https://git2.example.com/G/p",
    "ssh://other@git.example.com/G/p",
    "ssh://git.example.com/G/p",
    "ssh://git@git.example.com:2222/G/p",
    "https://dev.azure.com/Contoso/ML%20Platform/_git/template.git",
    "https://dev.azure.com/Contoso/Other/_git/template",
    "https://fabrikam.visualstudio.com/ML%20Platform/_git/template",
    "https://dev.azure.com.evil.example/Contoso/ML%20Platform/_git/template",
    "git@ssh.dev.azure.com:v2/Contoso/ML%20Platform/template",
    "/srv/t.git",
    "/srv/T",
    "srv/t",
    "file:///srv/%74",
    "ext::sh -c touch% x",
)


@pytest.mark.parametrize("kind", ONE)
def test_every_spelling_is_the_same_template(kind: str) -> None:
    for one, other in itertools.combinations(ONE[kind], 2):
        assert is_same(one, other), (one, other)


def test_no_two_templates_are_taken_for_one() -> None:
    kinds = [*ONE.values(), *((other,) for other in OTHERS)]
    for some, others in itertools.combinations(kinds, 2):
        for one, other in itertools.product(some, others):
            assert not is_same(one, other), (one, other)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project `p` of a template on GitHub, of which a copy lies in `t`."""
    source = template(tmp_path / "t", SMALL | {"a.txt": "a\n"})
    hosts = ("https://github.com/ml/t", "https://github.com/ML/t", "git@github.com:ml/t")
    azure = ("https://acme@dev.azure.com/acme/p/_git/t",)
    addresses = (*hosts, *(f"{host}.git" for host in hosts), *azure)
    lines = "".join(f"insteadOf = {address}\n" for address in addresses)
    write(tmp_path, {".gitconfig": f'[url "{source}"]\n{lines}'})
    done = at_home(tmp_path, "new", tmp_path / "p", "--template", "https://github.com/ml/t.git")
    assert done.returncode == 0, done.stderr
    commit(source, {"a.txt": "b\n"}, tag="v1.1.0")
    return tmp_path / "p"


def at_home(home: Path, *argv: str | Path) -> Done:
    return cli(*argv, env=IDENTITY | {"HOME": str(home), "XDG_CONFIG_HOME": ""})


def recorded(project: Path) -> str:
    lines = (project / ".copier-answers.yml").read_text().splitlines()
    return next(line for line in lines if line.startswith("_src_path: "))


def test_another_spelling_in_the_answers_file_is_the_template_it_began_with(project: Path) -> None:
    text = (project / ".copier-answers.yml").read_text()
    spelled = text.replace("https://github.com/ml/t.git", "gh:ML/t")
    commit(project, {".copier-answers.yml": spelled})
    assert at_home(project.parent, "status", project).returncode == 5
    done = at_home(project.parent, "update", project)
    assert done.returncode == 0, done.stderr
    assert recorded(project) == "_src_path: gh:ML/t"
    assert (project / "a.txt").read_text() == "b\n"


def test_a_spelling_that_is_typed_is_no_move_and_is_not_recorded(project: Path) -> None:
    before = recorded(project)
    done = at_home(project.parent, "adopt", project, "--template", "git@github.com:ml/t")
    assert "already under this template, at v1.0.0" in done.stderr
    done = at_home(project.parent, "update", project, "--template", "git@github.com:ml/t")
    assert done.returncode == 0, done.stderr
    assert recorded(project) == before
    commit(project)
    done = at_home(project.parent, "update", project, "--template", "git@github.com:ml/t")
    assert "is already at v1.1.0" in done.stdout + done.stderr
    assert sh("git", "status", "--porcelain", cwd=project) == ""


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ml/t", "gh:ml/t"),
        ("github.com/ml/t", "https://github.com/ml/t"),
        ("git@github.com/ml/t", "git@HOST:PATH"),
        ("./ml/t", "check the path"),
    ],
)
def test_a_path_that_leads_nowhere_says_which_address_may_be_meant(
    tmp_path: Path, typed: str, meant: str
) -> None:
    done = cli("new", "p", "--template", typed, cwd=tmp_path)
    assert done.returncode == 1
    assert f"the template {typed} cannot be reached: there is no folder" in done.stderr
    assert meant in done.stderr.splitlines()[1]


def test_a_user_name_in_the_address_is_no_password(project: Path) -> None:
    url = "https://acme@dev.azure.com/acme/p/_git/t"
    done = at_home(project.parent, "new", project.parent / "q", "--template", url)
    assert done.returncode == 0, done.stderr
    assert recorded(project.parent / "q") == f"_src_path: git+{url}"
    for secret in ("me:pw@", "ghp_0123456789@", "0123456789abcdef01234567@", ":pw@"):
        url = f"https://{secret}git.invalid/t.git"
        done = at_home(project.parent, "new", project.parent / "r", "--template", url)
        assert done.returncode == 4, secret
        assert secret not in done.stderr


def test_a_password_in_the_answers_file_is_refused_and_goes_with_the_next_update(
    project: Path,
) -> None:
    text = (project / ".copier-answers.yml").read_text()
    leaked = text.replace("https://", "https://me:hushhush@")
    commit(project, {".copier-answers.yml": leaked})
    assert at_home(project.parent, "diff", project).returncode == 4
    done = at_home(project.parent, "update", project, "--template", "https://github.com/ml/t.git")
    assert done.returncode == 0, done.stderr
    assert "hushhush" not in (project / ".copier-answers.yml").read_text()
    assert "hushhush" not in done.stdout + done.stderr


def test_a_folder_of_the_project_is_never_taken_for_an_address(project: Path) -> None:
    inner = template(project / "gh:ml/t", SMALL | {"a.txt": "of the folder\n"}, tag="v9.0.0")
    assert inner.is_dir()
    env = IDENTITY | {"HOME": str(project.parent), "XDG_CONFIG_HOME": ""}
    done = cli("update", ".", "--template", "gh:ml/t", "--dry-run", cwd=project, env=env)
    assert "v1.1.0" in done.stdout + done.stderr
    assert "v9.0.0" not in done.stdout + done.stderr
