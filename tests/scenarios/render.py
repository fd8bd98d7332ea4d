"""What the template's own settings and the answers decide: which files there are, and where."""

from tests.scenarios.model import (
    ANSWERS,
    CLASH,
    MINE,
    OTHER_CLASH,
    THEIRS,
    Scenario,
    marked,
    nine,
)

PACKAGE = {
    "copier.yml": "package:\n  type: str\n  default: churn\n",
    "{{ package }}/core.py": nine(),
    "{{ package }}/__init__.py": "'''A package'''\n",
    "hello.txt.jinja": "import {{ package }}\n",
}
DOCKER = {
    "copier.yml": "docker:\n  type: bool\n  default: false\n",
    "{% if docker %}Dockerfile{% endif %}": nine(),
}
SKIP = {"copier.yml": "_skip_if_exists: [own.toml, 'conf/*']\nsize:\n  type: int\n  default: 3\n"}
UPDATING = "{{% if _copier_operation == 'update' %}}{0}{{% endif %}}"
EXCLUDE = """\
_exclude:
  - copier.yml
  - .git
  - "{% if _copier_operation == 'update' %}seed.txt{% endif %}"
  - "*.secret"
size:
  type: int
  default: 3
"""
IGNORED = {".gitignore": "*.env\n", "local.env": "theirs: one\n", "a.txt": nine()}
RICH = {
    "copier.yml": "_subdirectory: inner\n_templates_suffix: .tpl\n"
    "_envops:\n  block_start_string: '[%'\n  block_end_string: '%]'\n"
    "  variable_start_string: '[['\n  variable_end_string: ']]'\n---\n!include more.yml\n",
    "more.yml": "_answers_file: .answers.yml\nname:\n  type: str\n  default: churn\n",
    "{{_copier_conf.answers_file}}.jinja": None,
    "inner/[[ _copier_conf.answers_file ]].tpl": "[[ _copier_answers|to_nice_yaml -]]\n",
    "inner/[[ name ]].txt.tpl": f"[[ name ]]\n{nine()}",
}


SCENARIOS = (
    Scenario(
        "an answer renames the package, and the user's own modules in it go along",
        (PACKAGE,),
        {"churn/own.py": "mine: own\n", "churn/core.py": nine(MINE)},
        args=("--data", "package=better"),
        then={
            "better/own.py": "mine: own\n",
            "better/core.py": nine(MINE),
            "hello.txt": "import better\n",
            "churn": None,
        },
        answers={"package": ("given", "churn", "better")},
    ),
    Scenario(
        "an answer renames the package while the new version changes its modules",
        (PACKAGE, {"{{ package }}/core.py": nine(THEIRS)}),
        {"churn/own.py": "mine: own\n", "churn/core.py": nine(MINE)},
        args=("--data", "package=better"),
        then={
            "better/own.py": "mine: own\n",
            "better/core.py": nine(MINE | THEIRS),
            "churn": None,
        },
    ),
    Scenario(
        "a conditional file switched on arrives",
        (DOCKER,),
        args=("--data", "docker=true"),
        then={"Dockerfile": nine()},
        plan={"Dockerfile": "added"},
        answers={"docker": ("given", False, True)},
    ),
    Scenario(
        "a conditional file switched off goes",
        (DOCKER,),
        new=("--ref", "v1.0.0", "--data", "docker=true"),
        args=("--data", "docker=false"),
        then={"Dockerfile": None},
        plan={"Dockerfile": "deleted"},
    ),
    Scenario(
        "a conditional file switched off that the user edited is kept as a conflict",
        (DOCKER,),
        {"Dockerfile": nine(MINE)},
        new=("--ref", "v1.0.0", "--data", "docker=true"),
        args=("--data", "docker=false"),
        code=3,
        then={"Dockerfile": nine(MINE)},
        stages={"Dockerfile": "12"},
    ),
    Scenario(
        "a conditional file switched on meets the user's own file of that name",
        (DOCKER,),
        {"Dockerfile": "mine: FROM scratch\n"},
        args=("--data", "docker=true"),
        code=3,
        stages={"Dockerfile": "23"},
    ),
    Scenario(
        "files of _skip_if_exists that exist are never touched",
        (
            {**SKIP, "own.toml": nine(), "conf/a": nine(), "b.txt": nine()},
            {"own.toml": nine(OTHER_CLASH), "conf/a": nine(THEIRS), "b.txt": nine(THEIRS)},
        ),
        {"own.toml": nine(CLASH)},
        then={"own.toml": nine(CLASH), "conf/a": nine(), "b.txt": nine(THEIRS)},
    ),
    Scenario(
        "a new file of _skip_if_exists arrives where there is none",
        (SKIP, {"own.toml": "theirs: own\n", "conf/a": "theirs: a\n"}),
        {"own.toml": "mine: own\n"},
        then={"own.toml": "mine: own\n", "conf/a": "theirs: a\n"},
    ),
    Scenario(
        "a file of _skip_if_exists that the template dropped stays",
        ({**SKIP, "own.toml": nine(), "b.txt": nine()}, {"own.toml": None, "b.txt": nine(THEIRS)}),
        {"own.toml": nine(MINE)},
        then={"own.toml": nine(MINE), "b.txt": nine(THEIRS)},
    ),
    Scenario(
        "files that the template excludes from updates are left alone",
        (
            {"copier.yml": EXCLUDE, "seed.txt": nine(), "x.secret": "no\n", "b.txt": nine()},
            {"seed.txt": nine(OTHER_CLASH), "x.secret": "theirs: no\n", "b.txt": nine(THEIRS)},
        ),
        {"seed.txt": nine(CLASH)},
        then={"seed.txt": nine(CLASH), "x.secret": None, "b.txt": nine(THEIRS)},
    ),
    Scenario(
        "files that only the new version excludes from updates stay as they are",
        (
            {"seed.txt": nine(), "sown.txt": nine()},
            {
                "copier.yml": EXCLUDE.replace("*.secret", UPDATING.format("sown.txt")),
                "b.txt": "theirs: b\n",
            },
        ),
        {"seed.txt": nine(MINE)},
        then={"seed.txt": nine(MINE), "sown.txt": nine(), "b.txt": "theirs: b\n"},
    ),
    Scenario(
        "a file that only the new version excludes stays as the user has it",
        (
            {"copier.yml": EXCLUDE.replace("*.secret", "*.other"), "x.secret": nine()},
            {"copier.yml": EXCLUDE, "b.txt": "theirs: b\n"},
        ),
        {"x.secret": nine(MINE)},
        then={"x.secret": nine(MINE), "b.txt": "theirs: b\n"},
    ),
    Scenario(
        "files that a new answer excludes from updates stay as they are",
        (
            {"seed.txt": nine(), "sown.txt": nine()},
            {
                "copier.yml": EXCLUDE.replace("== 'update'", "== 'update' and mode == 'own'")
                + "mode:\n  type: str\n  default: own\n",
                "b.txt": "theirs: b\n",
            },
        ),
        {"seed.txt": nine(MINE)},
        then={"seed.txt": nine(MINE), "sown.txt": nine(), "b.txt": "theirs: b\n"},
        plan={"b.txt": "added"},
    ),
    Scenario(
        "a template whose copier.yml is empty is updated",
        ({"copier.yml": "", "a.txt": nine()}, {"a.txt": nine(THEIRS)}),
        {"a.txt": nine(MINE)},
        then={"a.txt": nine(MINE | THEIRS)},
    ),
    Scenario(
        "a template without copier.yml is updated",
        ({"copier.yml": None, "a.txt": nine()}, {"a.txt": nine(THEIRS)}),
        {"a.txt": nine(MINE)},
        then={"a.txt": nine(MINE | THEIRS)},
    ),
    Scenario(
        "rendered files that git ignores stay the user's",
        (IGNORED, {"local.env": "theirs: two\n", "a.txt": nine(THEIRS)}),
        dirty={"local.env": "mine: password\n"},
        then={"local.env": "mine: password\n", "a.txt": nine(THEIRS)},
    ),
    Scenario(
        "a template with another subfolder, suffix, Jinja syntax, included questions, answers file",
        (RICH, {"inner/[[ name ]].txt.tpl": f"[[ name ]]\n{nine(THEIRS)}"}),
        {"churn.txt": f"churn\n{nine(MINE)}"},
        args=("{folder}/churn-model/.answers.yml",),
        then={"churn.txt": f"churn\n{nine(MINE | THEIRS)}", ANSWERS: None},
    ),
    Scenario(
        "text that looks like conflict markers is the user's own",
        ({"a.txt": nine()}, {"a.txt": nine(THEIRS)}),
        {"a.txt": marked("mine: x\n", "mine: y\n") + nine()},
        then={"a.txt": marked("mine: x\n", "mine: y\n") + nine(THEIRS)},
    ),
)
