"""Tasks, migrations and messages of a template: told as copier would run them, and not run."""

import json
from pathlib import Path
from typing import Any

from tests.support import SMALL, commit, run, sh, template
from tests.warm import cli

OLD = SMALL["copier.yml"]
STEPS = """
_tasks:
  - LOG(task)
  - command: LOG(copied)
    when: "{{ _copier_operation == 'copy' }}"
  - command: LOG(updated {{ project_name }} {{ size }})
    when: "{{ _copier_operation == 'update' }}"
    working_directory: "{{ 'sub' }}"
_migrations:
  - LOG(each time)
  - command: LOG(both)
    when: true
  - ["python3", "{{ _copier_conf.src_path }}/note.py", "a b"]
  - command: LOG(no)
    when: "{{ _stage == 'after' and size > 100 }}"
  - version: v1.0.0
    before: [LOG(never)]
    after: [LOG(never)]
  - version: v1.1.0
    before: [LOG(old form), ["python3", "{{ _copier_conf.src_path }}/note.py", "it's $HOME"]]
    after: [LOG(old form)]
  - version: v1.2
    command: LOG(at the end {{ _version_from }} {{ _version_to }} {{ _version_current }})
  - version: v1.2.0
    command: LOG(before)
    when: "{{ _stage == 'before' and _version_pep440_from < '1.1' | string }}"
  - version: 3.0.0
    command: LOG(never)
"""
NOTE = "import os, sys\nopen(os.environ['LOG'], 'a').write(f'{os.getcwd()} {sys.argv[1]}\\n')\n"
LOG = (
    'echo "$PWD NAME $STAGE $VERSION_FROM $VERSION_TO $VERSION_CURRENT'
    ' $VERSION_PEP440_FROM $VERSION_PEP440_TO $VERSION_PEP440_CURRENT $COPIER_OPERATION" >> "$LOG"'
)


def logged(text: str) -> str:
    """The steps, each of them a command that writes a line into $LOG."""
    for line in text.split("LOG(")[1:]:
        name = line.partition(")")[0]
        command = json.dumps(LOG.replace("NAME", name))
        text = text.replace(f"LOG({name})", command, 1)
    return text


def told(*argv: str | Path) -> dict[str, Any]:
    done = cli(*argv, "--json")
    assert done.returncode == 0, done.stderr
    data: dict[str, Any] = json.loads(done.stdout)
    return data


def test_what_is_not_run_is_what_copier_runs_word_by_word(tmp_path: Path) -> None:
    files = SMALL | {"note.py": NOTE, "sub/a.txt": "a\n"}
    source = template(tmp_path / "t", files)
    made = tmp_path / "p"
    assert cli("new", made, "--template", source, "--ref", "v1.0.0").returncode == 0
    commit(source, {"copier.yml": OLD + logged(STEPS)}, tag="v1.2.0")
    commit(source, {"b.txt": "b\n"})
    theirs, log = tmp_path / "theirs/p", tmp_path / "log"
    sh("git", "clone", "-q", made, theirs)
    argv = ["copier", "update", "--trust", "--defaults", "-r", "HEAD"]
    sh(*argv, cwd=theirs, env={"LOG": str(log)})
    lines = log.read_text().splitlines()  # it runs tasks in scratch copies as well
    expected = [line.replace(str(theirs), "p") for line in lines if line.startswith(str(theirs))]
    log.unlink()
    data = told("update", made, "--to", "HEAD")
    for step in data["not_run"]:
        env = {"LOG": str(log), "TEMPLATE": str(source), **step["environment"]}
        folder = made / step["folder"]
        done = run("bash", "-c", step["command"], cwd=folder, env=env)
        assert (done.returncode, step["note"]) == (0, None), done.stderr
    assert log.read_text().replace(str(made), "p").splitlines() == expected
    assert any(line.startswith("p old form before") for line in expected)
    assert any(line.startswith("p/sub updated p 3 task") for line in expected)
    assert not any("never" in line or "no " in line for line in expected)


WORDS = {
    "copier.yml": OLD
    + """
_message_before_copy: Welcome to {{ 1 + 1 }}.
_message_after_copy: "{{ project_name }} is in {{ _copier_conf.dst_path }}"
_message_before_update: "From \\e[31m{{ project_name }}\\u202e\\r"
_message_after_update: "Broken {{ nothing.at.all }}"
_tasks: [["{{ _copier_python }}", "{{ _copier_conf.src_path }}/x.py"], "evil\\e[2J"]
_migrations:
  - version: template-v2
    command: odd
  - command: "{{ nothing.at.all }}"
    when: "{{ nothing.at.all }}"
  - {}
  - 7
"""
}


def test_messages_and_commands_are_shown_as_text_whatever_is_in_them(tmp_path: Path) -> None:
    source = template(tmp_path / "t", SMALL | WORDS)
    made = tmp_path / "p"
    done = cli("new", "p", "--template", source, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stderr
    assert "Welcome to 2.\n" in said[said.index("The template says") :]
    assert "p is in p\n" in said[said.rindex("The template says") :]
    assert f'git clone -q {source} "$TEMPLATE"' in said
    assert 'python "$TEMPLATE/x.py"' in said
    assert "evil\\x1b[2J" in said
    assert "odd" not in said, "migrations are of updates"
    commit(source, {"a.txt": "a\n"}, tag="v2.0.0")
    data = told("update", made, "--dry-run")
    assert data["messages"] == {"before": "From \\x1b[31mp\\u202e", "after": WORDS_AFTER}
    migrations = [(s["command"], s["note"]) for s in data["not_run"] if s["kind"] == "migration"]
    unknown = "whether it applies is not known: {{ nothing.at.all }}"
    assert migrations == [
        ("{{ nothing.at.all }}", f"{unknown}; its variables could not be filled in"),
        ("odd", "template-v2 is no version to compare: see whether it applies"),
        ("{{ nothing.at.all }}", f"{unknown}; its variables could not be filled in"),
        ("", "it has no command"),
        ("7", None),
    ]
    done = cli("update", made)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stderr
    before, plan, unrun, after = map(
        done.stderr.index, ("From \\x1b[31mp", "The plan", "Not run", WORDS_AFTER)
    )
    assert before < plan < unrun < after
    assert "export STAGE=after VERSION_FROM=v1.0.0 VERSION_TO=v2.0.0" in done.stderr
    too_late = f"before you type those that come before the update: `mlops-scaffold undo {made}`"
    assert (
        f'7 commands of the template are not run: under "Not run" above; {too_late}'
        in (done.stderr[after:])
    )
    assert sorted(path.name for path in made.iterdir() if path.name != ".git") == [
        *(".copier-answers.yml", "a.txt", "hello.txt")
    ]


WORDS_AFTER = "Broken {{ nothing.at.all }}"


def test_a_template_without_any_is_told_without_a_word(tmp_path: Path) -> None:
    source = template(tmp_path / "t")
    made = tmp_path / "p"
    assert "Not run" not in cli("new", made, "--template", source).stderr
    commit(source, {"a.txt": "a\n"}, tag="v2.0.0")
    data = told("update", made, "--dry-run")
    assert (data["messages"], data["not_run"]) == ({"before": "", "after": ""}, [])


FORMS = {
    "tasks.yml": """
- |
  if [ ! -f .env ]; then
    cp .env.example .env.[[ project_name ]]
  fi
- command: git init
  when: "[[ not _copier_conf.dst_path.joinpath('.git').exists() ]]"
- "[% if %]"
- "cd [[ _copier_conf.dst_path ]] && ls [[ _folder_name ]] ${{ env }}"
- {command: pwd, working_directory: "it's [[ size ]]"}
""",
    "words.txt": "Now at [[ _copier_answers._commit ]].\n",
    "[[ _copier_conf.answers_file ]].jinja": "[[ _copier_answers|to_nice_yaml -]]\n",
    "copier.yml": """
project_name: {type: str, default: "[[ _folder_name ]]"}
size: {type: int, default: 3}
_envops: {variable_start_string: "[[", variable_end_string: "]]",
  block_start_string: "[%", block_end_string: "%]"}
_exclude: [copier.yml, tasks.yml, words.txt]
_tasks: !include tasks.yml
_migrations: "[[ 'migrate' ]] ${{ it }}"
_message_before_update: |
  Read [[ project_name ]]:

    a<<<b
_message_after_update: "[% include 'words.txt' %]"
""",
}


def test_all_forms_that_a_template_may_write_them_in_are_told(tmp_path: Path) -> None:
    source = template(tmp_path / "t", FORMS)
    made = tmp_path / "p"
    assert cli("new", made, "--template", source).returncode == 0
    commit(source, {"a.txt": "a\n"}, tag="v2.0.0")
    data = told("update", made, "--dry-run")
    assert data["messages"] == {"before": "Read p:\n\n  a<<<b", "after": "Now at v2.0.0."}
    exists = "[[ not _copier_conf.dst_path.joinpath('.git').exists() ]]"
    assert [(s["command"], s["folder"], s["note"]) for s in data["not_run"]] == [
        ("if [ ! -f .env ]; then\n  cp .env.example .env.p\nfi", ".", None),
        ("git init", ".", f"whether it applies is not known: {exists}"),
        ("[% if %]", ".", "its variables could not be filled in"),
        ("cd . && ls p ${{ env }}", ".", None),
        ("pwd", "it's 3", None),
        ("migrate ${{ it }}", ".", None),
    ]
