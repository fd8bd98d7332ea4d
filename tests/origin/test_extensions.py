"""Jinja extensions of a template: which are loaded for anybody, and which only with trust."""

import json
from pathlib import Path

import pytest

from tests import support
from tests.support import IDENTITY, SMALL, Done, commit, sh, template, write
from tests.warm import cli

FOREIGN = "copier._jinja_ext.YieldExtension"  # a real one, which nobody vouches for
QUESTIONS = SMALL["copier.yml"]
TASKS = "_tasks: ['touch {0}/ran']\n_migrations: [{{version: v2, command: 'touch {0}/ran'}}]\n"


def lists(*names: str) -> dict[str, str]:
    """A template's files that list these extensions."""
    return SMALL | {"copier.yml": f"{QUESTIONS}_jinja_extensions: {json.dumps(names)}\n"}


def test_what_comes_with_jinja_or_only_computes_works_with_every_command(tmp_path: Path) -> None:
    files = lists("jinja2.ext.do", "jinja2.ext:loopcontrols", "jinja2_time.TimeExtension")
    text = "{% set found = [] %}{% do found.append(size) %}{{ found }} {% now 'utc', '%Y' %}\n"
    source = template(tmp_path / "t", files | {"hello.txt.jinja": text})
    project = tmp_path / "p"
    assert cli("new", project, "--template", source).returncode == 0
    assert (project / "hello.txt").read_text().startswith("[3] 20")
    assert "no file differs" in cli("status", project).stdout
    assert cli("diff", project).stdout == ""
    commit(source, {"more.txt": "more\n"}, tag="v1.1.0")
    done = cli("update", project)
    assert done.returncode == 0, done.stderr
    assert (project / "more.txt").is_file()
    commit(tmp_path / "other", {"more.txt": "more\n"})
    done = cli("adopt", tmp_path / "other", "--template", source)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    """A project `p` of a template `t` that loads a foreign extension and wants to run tasks."""
    files = lists("jinja2.ext.do", FOREIGN)
    files["copier.yml"] += TASKS.format(tmp_path)
    source = template(tmp_path / "t", files)
    done = cli("new", tmp_path / "p", "--template", source, "--trust")
    assert done.returncode == 0, done.stderr
    commit(source, {"more.txt": "more\n"}, tag="v2.0.0")
    commit(tmp_path / "other", {"more.txt": "more\n"})
    return tmp_path / "p"


def commands(project: Path) -> list[tuple[str | Path, ...]]:
    """Every command that renders the template."""
    source = project.parent / "t"
    return [
        ("new", project.parent / "q", "--template", source),
        ("adopt", project.parent / "other", "--template", source),
        ("diff", project),
        ("status", project),
        ("update", project),
    ]


def said(done: Done) -> list[str]:
    """The cause and the remedy that a command ended with."""
    lines = done.stderr.splitlines()[-2:]
    return [line.partition(": ")[2] for line in lines]


def test_a_foreign_extension_is_refused_alike_by_every_command(trusted: Path) -> None:
    told = []
    for argv in commands(trusted):
        done = cli(*argv)
        # `status` still knows the version, so it says how far behind the project is.
        assert done.returncode == (5 if argv[0] == "status" else 4), (argv, done.stderr)
        told.append(said(done))
    assert all(lines == told[0] for lines in told), told
    assert f"(_jinja_extensions: {FOREIGN})" in told[0][0]
    assert "--trust" in told[0][1]
    assert sh("git", "status", "--porcelain", cwd=trusted) == ""
    assert not (trusted.parent / "q").exists()


def test_trust_on_the_command_line_lets_it_run_and_never_a_task(trusted: Path) -> None:
    for argv in commands(trusted):
        done = cli(*argv, "--trust")
        assert done.returncode == (5 if argv[0] == "status" else 0), (argv, done.stderr)
        assert "not compared" not in done.stdout
    assert (trusted / "more.txt").is_file()
    assert not (trusted.parent / "ran").exists()
    commit(trusted)
    assert "files not compared" in cli("status", trusted).stdout, "trust was remembered"


def settings(folder: Path, *entries: str | Path) -> dict[str, str]:
    """An environment in which copier's settings trust these."""
    text = json.dumps({"trust": [str(entry) for entry in entries], "defaults": {"size": 99}})
    write(folder, {"settings.yml": text})
    return {"COPIER_SETTINGS_PATH": str(folder / "settings.yml")}


def test_what_copiers_settings_trust_is_trusted_here(trusted: Path, tmp_path: Path) -> None:
    yes = ([tmp_path / "t"], [f"{tmp_path}/"], ["/elsewhere", f"file://{tmp_path}/t"])
    for entries in yes:
        done = cli("diff", trusted, env=settings(tmp_path / "s", *entries))
        assert done.returncode == 0, (entries, done.stderr)
    no = ([tmp_path], [f"{tmp_path}/t/t/"], [tmp_path / "T"], ["gh:a/b", "https://github.com/"], [])
    for entries in no:
        done = cli("diff", trusted, env=settings(tmp_path / "s", *entries))
        assert done.returncode == 4, entries
    write(tmp_path / "s", {"settings.yml": "trust: [\n"})
    done = cli("diff", trusted, env={"COPIER_SETTINGS_PATH": str(tmp_path / "s/settings.yml")})
    assert "copier's settings file cannot be read" in done.stderr
    home = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": ""}
    settings(tmp_path / "home/.config/copier", tmp_path / "t")
    assert cli("diff", trusted, env=home).returncode == 0


def test_neither_the_project_nor_the_template_can_give_trust(trusted: Path, tmp_path: Path) -> None:
    for folder in (trusted, tmp_path / "t"):
        settings(folder, tmp_path / "t")
        settings(folder / ".config/copier", tmp_path / "t")
        commit(folder)
    env = {"COPIER_SETTINGS_PATH": "settings.yml"}
    assert cli("diff", ".", cwd=trusted, env=env).returncode == 4
    text = (tmp_path / "t/copier.yml").read_text() + "_trust: true\n_settings: {trust: [/]}\n"
    commit(tmp_path / "t", {"copier.yml": text}, tag="v3.0.0")
    answers = (trusted / ".copier-answers.yml").read_text() + "_trust: true\ntrust: [/]\n"
    commit(trusted, {".copier-answers.yml": answers})
    assert cli("update", trusted).returncode == 4


def test_what_only_looks_harmless_is_refused(tmp_path: Path) -> None:
    names = (
        "jinja2.ext.pass_context",  # in Jinja's module, and no extension
        "jinja2.utils.import_string",
        "jinja2_time.os",
        "jinja2_time",
        "copier_templates_extensions.TemplateExtensionLoader",
        "extensions/own.py:Own",
    )
    source = template(tmp_path / "t", lists("jinja2.ext.do", *names))
    done = cli("new", tmp_path / "p", "--template", source)
    assert done.returncode == 4, done.stderr
    assert f"(_jinja_extensions: {', '.join(names[:3])} and 3 more)" in done.stderr


@pytest.mark.parametrize("text", ["jinja2.ext.do", "", "[{a: b}]"])
def test_what_is_no_list_of_extensions_is_said(tmp_path: Path, text: str) -> None:
    files = SMALL | {"copier.yml": f"{QUESTIONS}_jinja_extensions: {text}\n"}
    done = cli("new", tmp_path / "p", "--template", template(tmp_path / "t", files))
    assert done.returncode == 1
    assert "its _jinja_extensions are no list of names" in done.stderr


def test_an_extension_that_an_included_file_lists_is_refused_too(tmp_path: Path) -> None:
    files = lists(FOREIGN)
    files |= {"more.yml": files["copier.yml"], "copier.yml": "!include more.yml\n"}
    done = cli("new", tmp_path / "p", "--template", template(tmp_path / "t", files))
    assert done.returncode == 4, done.stderr


def test_one_that_is_not_installed_is_said_with_the_package_to_install(tmp_path: Path) -> None:
    source = template(tmp_path / "t", lists("jinja2_strcase.StrcaseExtension"))
    done = cli("new", tmp_path / "p", "--template", source)
    assert done.returncode == 1
    assert "not installed here: no module 'jinja2_strcase'" in done.stderr
    assert "`uv tool install --with jinja2-strcase mlops-scaffold`" in done.stderr
    commit(source, lists("unheard.of.Extension"), tag="v2.0.0")
    done = cli("new", tmp_path / "p", "--template", source, "--trust")
    assert "no module 'unheard'" in done.stderr
    assert "--with PACKAGE" in done.stderr


def test_an_extension_never_comes_from_the_folder_where_one_stands(tmp_path: Path) -> None:
    source = template(tmp_path / "t", lists("jinja2_strcase.StrcaseExtension"))
    evil = f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n"
    commit(tmp_path / "other", {"jinja2_strcase/__init__.py": evil})
    argv = ("adopt", ".", "--template", source, "--trust")
    done = support.cli(*argv, cwd=tmp_path / "other", env={"PYTHONPATH": str(support.ROOT)})
    assert "no module 'jinja2_strcase'" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_trusted_extension_works_as_under_copier_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    own = (
        "import subprocess\nfrom jinja2.ext import Extension\n\n\n"
        "class Own(Extension):\n"
        "    def __init__(self, environment):\n"
        "        super().__init__(environment)\n"
        "        said = subprocess.run(['git', 'config', 'user.name'], capture_output=True)\n"
        "        environment.globals['who'] = said.stdout.decode().strip()\n"
    )
    write(tmp_path / "lib", {"own.py": own})
    files = lists("own.Own") | {"hello.txt.jinja": "{{ who }}\n"}
    source = template(tmp_path / "t", files)
    write(tmp_path / "home", {".gitconfig": "[user]\nname = Ada\n"})
    env = IDENTITY | {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": ""}
    env |= {"PYTHONPATH": str(tmp_path / "lib")}
    done = support.cli("new", tmp_path / "p", "--template", source, "--trust", env=env)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p/hello.txt").read_text() == "Ada\n"
    assert not (tmp_path / "lib/__pycache__").exists()


def test_a_trusted_extension_that_ends_the_program_is_an_error_of_the_template(
    tmp_path: Path,
) -> None:
    code = "raise SystemExit(127)\n"
    write(tmp_path / "modules", {"leaves.py": code})
    source = template(tmp_path / "t", lists("leaves.Extension"))
    env = {"PYTHONPATH": str(tmp_path / "modules")}
    done = support.cli("new", tmp_path / "p", "--template", source, "--trust", env=env)
    assert done.returncode == 1
    assert "v1.0.0 cannot be rendered: its own code" in done.stderr
    assert "ended with 127" in done.stderr
    assert not (tmp_path / "p").exists()
