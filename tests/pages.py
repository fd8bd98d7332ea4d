"""Runs the commands of a page as its reader would, in the situation that the page describes.

A page holds ```console blocks: a line that begins with `$ ` is a command, what follows is what it
prints. A comment `<!-- situation: edited -->` above a block says where the reader stands; the
blocks after it go on from there, until the next one.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support import clean_environment, run

HOME = "/home/ada"  # as the pages call the reader's home
TEMPLATE = "https://git.example.com/ml/template.git"
_BLOCK = re.compile(
    r"(?ms)^<!-- situation: (?P<situation>[a-z-]+) -->$|^```console\n(?P<body>.*?)^```$"
)
_VARIES = (
    (re.compile(r"\b\d+\.\d s\b"), "N s"),
    (re.compile(r"(?<=mlops-scaffold\.git )v[\d.]+\w*"), "VERSION"),  # each release has another
    (re.compile(r"(?<=\[main )[0-9a-f]{7,}(?=\])"), "COMMIT"),
)


@dataclass(frozen=True)
class Step:
    """A command of a page, and what the page says that it prints."""

    command: str
    output: str


@dataclass(frozen=True)
class Ran:
    """What a command really did."""

    output: str
    code: int


def steps(body: str) -> list[Step]:
    """Return the commands of one block."""
    assert body.startswith("$ "), f"a block begins with a command: {body}"
    found = re.split(r"(?m)^\$ ", body)[1:]
    parts = [part.partition("\n") for part in found]
    return [Step(command, output) for command, _, output in parts]


def same(one: str, other: str) -> bool:
    """Tell whether two outputs differ in nothing but what differs each time."""
    return _plain(one) == _plain(other)


def _plain(output: str) -> list[str]:
    for pattern, word in _VARIES:
        output = pattern.sub(word, output)
    return [line.rstrip() for line in output.splitlines()]


class Reader:
    """Somebody who types the commands of a page, in a home of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "ada"
        self.at = self.home
        self.code = 0
        command = folder / "bin" / "mlops-scaffold"
        command.parent.mkdir(parents=True, exist_ok=True)
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m scaffold "$@"\n')
        command.chmod(0o755)
        path = os.pathsep.join((str(command.parent), clean_environment()["PATH"]))
        outside = {name: "" for name in os.environ if name.startswith("XDG_")}
        self.environment = outside | {
            "HOME": str(self.home),
            "PATH": path,
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": "2026-11-23T09:30:00Z",
            "GIT_COMMITTER_DATE": "2026-11-23T09:30:00Z",
            "UV_CACHE_DIR": run("uv", "cache", "dir").stdout.strip(),
        }
        settings = Path("~/.config/uv/uv.toml").expanduser()  # where packages come from here
        if settings.is_file():
            self.environment["UV_CONFIG_FILE"] = str(settings)

    def settle(self, situation: str) -> None:
        """Get into a situation, out of any other."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        self.at, self.code = self.home, 0
        _prepare(self)
        self.at = self.home / SITUATIONS[situation](self)

    def type(self, command: str) -> Ran:
        """Type one command; folder and exit code are those that the one before left."""
        script = f"(exit {self.code})\n{command}\ncode=$?\npwd -P >&3\nexit $code\n"
        read, write = os.pipe()
        with os.fdopen(read) as told:
            done = subprocess.run(
                ["bash", "-c", f"exec 3>&{write} {write}>&-\n{script}"],
                cwd=self.at,
                env=clean_environment() | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(write,),
                timeout=600,
                text=True,
                check=False,
            )
            os.close(write)
            self.at = Path(told.read().strip() or self.at)
        self.code = done.returncode
        output = done.stdout.replace(str(self.home.resolve()), HOME)
        return Ran(output.replace(str(self.home), HOME), done.returncode)

    def must(self, *commands: str) -> None:
        """Type commands that have to work."""
        for command in commands:
            done = self.type(command)
            assert done.code == 0, f"{command}\n{done.output}"

    def write(self, name: str, text: str) -> None:
        """Write a file at a path below the home."""
        file = self.home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def edit(self, name: str, *changes: tuple[str, str]) -> None:
        """Replace words in a file that has each of them once."""
        text = (self.home / name).read_text("utf-8")
        for old, new in changes:
            assert text.count(old) == 1, f"{old!r} in {name}"
            text = text.replace(old, new)
        self.write(name, text)

    def commit(self, message: str, repository: str = "churn-model") -> None:
        """Commit all of a repository."""
        where = f"git -C {self.home / repository}"
        self.must(f"{where} add -A && {where} commit -q -m {shlex.quote(message)}")


@dataclass(frozen=True)
class Followed:
    """What became of following a page: its text with the real output, and what is wrong with it."""

    text: str
    differences: list[str]
    unsaid: list[str]


def follow(page: Path, reader: Reader) -> Followed:
    """Type every command of a page."""
    text, settled = page.read_text("utf-8"), False
    found = Followed(text, [], [])
    made, end = [], 0
    for block in _BLOCK.finditer(text):
        if block["situation"]:
            reader.settle(block["situation"])
            settled = True
            continue
        assert settled, f"{page.name} has a block before it names a situation"
        made += [text[end : block.start("body")], *_follow(block["body"], reader, found)]
        end = block.end("body")
    return replace(found, text="".join([*made, text[end:]]))


def _follow(body: str, reader: Reader, found: Followed) -> Iterator[str]:
    typed = steps(body)
    for number, step in enumerate(typed):
        ran = reader.type(step.command)
        told = re.search(r"(?m)^error: |\d releases? behind", ran.output)
        next_one = typed[number + 1].command if number + 1 < len(typed) else ""
        if ran.code and not told and next_one != "echo $?":
            found.unsaid.append(f"`{step.command}` ends with {ran.code}")
        if same(step.output, ran.output):
            yield f"$ {step.command}\n{step.output}"
            continue
        found.differences.append(f"$ {step.command}\n{ran.output}--- instead of\n{step.output}")
        printed = "".join(f"{line.rstrip()}\n" for line in ran.output.splitlines())
        yield f"$ {step.command}\n{printed}"


# The template of the pages, and what each release changed in it.

_CHANGES = {
    "0.3.0": "- First release.",
    "0.4.0": "- `make deploy` waits until the new server answers.\n"
    "- A model needs an AUC of at least 0.75; it was 0.70.",
    "0.4.1": "- Training is repeatable: the seed is fixed.\n- A runbook.",
}
_FIRST = {
    "copier.yml": """\
_subdirectory: template

project_name:
  type: str
  default: "{{ _folder_name }}"

ci:
  type: str
  help: Where does CI run?
  choices: [github, gitlab]
  default: github
""",
    "template/{{_copier_conf.answers_file}}.jinja": "{{ _copier_answers|to_nice_yaml -}}\n",
    "template/README.md.jinja": """\
# {{ project_name }}

`make train` trains the model, `make deploy` serves it.
""",
    "template/Makefile": """\
train:
\tpython train.py

deploy:
\tpython ops/deploy.py
""",
    "template/settings.toml": """\
[gate]
min_auc = 0.70

[serve]
port = 8000
""",
    "template/train.py": """\
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression

DATA = Path("data/train.csv")


def load():
    return pd.read_csv(DATA)


def fit(table):
    model = LogisticRegression()
    return model.fit(table.drop(columns="label"), table["label"])
""",
    "template/ops/deploy.py": """\
import subprocess
import sys


def start(port):
    return subprocess.Popen([sys.executable, "serve.py", str(port)])


def main():
    server = start(8000)
    print(f"started, process {server.pid}")


main()
""",
    "template/docs/model-card.md.jinja": """\
# Model card of {{ project_name }}

What the model is for, and what it is not for.
""",
    "template/{% if ci == 'github' %}.github{% endif %}/workflows/check.yml": """\
on: push
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - run: make train
""",
    "template/{% if ci == 'gitlab' %}.gitlab-ci.yml{% endif %}": "check:\n  script: make train\n",
}


def _publish(reader: Reader, version: str) -> None:
    """Commit and tag the template as it is now, with a changelog."""
    known = [other for other in _CHANGES if other <= version]
    sections = [f"## {name}\n\n{_CHANGES[name]}\n" for name in reversed(known)]
    reader.write("template/CHANGELOG.md", "\n".join(["# Changelog\n", *sections]))
    reader.commit(version, "template")
    reader.must(f"git -C {reader.home / 'template'} tag v{version}")


def _prepare(reader: Reader) -> None:
    """Give the reader a name, and the template a place that its address leads to."""
    place = reader.folder / "template.git"
    reader.write(
        ".gitconfig",
        "[user]\n\tname = Ada Lovelace\n\temail = ada@example.com\n"
        "[init]\n\tdefaultBranch = main\n"
        f'[url "file://{place.resolve()}"]\n\tinsteadOf = {TEMPLATE}\n',
    )
    if place.exists():
        return
    for name, text in _FIRST.items():
        reader.write(f"template/{name}", text)
    reader.must("git init -q template")
    _publish(reader, "0.3.0")
    waits = "    server = start(8000)\n    wait(8000)\n"
    wait = (
        "\n\ndef wait(port):\n    while not answers(port):\n        time.sleep(0.1)\n\n\ndef main"
    )
    reader.edit(
        "template/template/ops/deploy.py",
        ("import sys\n", "import sys\nimport time\n"),
        ("\n\ndef main", wait),
        ("    server = start(8000)\n", waits),
    )
    reader.edit("template/template/settings.toml", ("0.70", "0.75"))
    reader.edit(
        "template/template/docs/model-card.md.jinja",
        ("not for.\n", "not for.\nWho is answerable for it.\n"),
    )
    _publish(reader, "0.4.0")
    reader.edit(
        "template/template/train.py",
        ('train.csv")\n', 'train.csv")\nSEED = 7\n'),
        ("read_csv(DATA)", "read_csv(DATA).sample(frac=1, random_state=SEED)"),
    )
    reader.write("template/template/docs/runbook.md", "# When something is wrong\n\nLook here.\n")
    _publish(reader, "0.4.1")
    reader.must(f"git clone -q --bare template {shlex.quote(str(place))}")
    shutil.rmtree(reader.home / "template")


# The situations.


def _fresh(reader: Reader) -> str:
    """A project made half a year ago, as the template made it."""
    new = f"mlops-scaffold new churn-model --template {TEMPLATE} --ref v0.3.0 --defaults"
    reader.must(new)
    return "churn-model"


def _edited(reader: Reader) -> str:
    """That project after half a year of work, all of it committed."""
    _fresh(reader)
    reader.edit(
        "churn-model/train.py",
        ("linear_model import LogisticRegression", "ensemble import GradientBoostingClassifier"),
        ("LogisticRegression()", "GradientBoostingClassifier(max_depth=3)"),
    )
    reader.edit("churn-model/README.md", ("serves it.\n", "serves it.\nAsk Ada before a deploy.\n"))
    reader.must("rm churn-model/docs/model-card.md")
    reader.write("churn-model/features.py", "WINDOW = 90  # days\n")
    reader.commit("Half a year of work")
    return "churn-model"


def _clashing(reader: Reader) -> str:
    """The same, and a line is changed that the template has changed as well."""
    _edited(reader)
    reader.edit("churn-model/settings.toml", ("min_auc = 0.70", "min_auc = 0.82"))
    reader.commit("Our model is better than that")
    return "churn-model"


def _moved(reader: Reader) -> str:
    """The same, and a file that the template has changed has another name."""
    _clashing(reader)
    reader.must("git -C churn-model mv ops deployment")
    reader.edit("churn-model/Makefile", ("ops/deploy.py", "deployment/deploy.py"))
    reader.commit("ops is another team's name")
    return "churn-model"


def _unfinished(reader: Reader) -> str:
    """The same project with work that is not committed yet."""
    _edited(reader)
    reader.edit("churn-model/README.md", ("before a deploy", "before any deploy"))
    reader.edit("churn-model/train.py", ("max_depth=3", "max_depth=4"))
    return "churn-model"


def _updated(reader: Reader) -> str:
    """The project right after an update."""
    _edited(reader)
    reader.must("cd churn-model && mlops-scaffold update")
    return "churn-model"


def _copied(reader: Reader) -> str:
    """A repository that somebody began from a copy of the template's files, without the tool."""
    _edited(reader)
    reader.must("rm -rf churn-model/.git churn-model/.copier-answers.yml")
    reader.must("git init -q churn-model")
    reader.commit("Begin")
    return "churn-model"


def _foreign(reader: Reader) -> str:
    """A project whose answers file somebody pointed at another template."""
    _edited(reader)
    reader.edit(
        "churn-model/.copier-answers.yml", (TEMPLATE, "https://git.example.org/other/template.git")
    )
    reader.commit("Use the other template")
    return "churn-model"


def _several(reader: Reader) -> str:
    """A folder of projects."""
    _edited(reader)
    reader.must("mkdir work", "mv churn-model work")
    reader.must(f"cd {reader.home}/work")
    reader.must(f"mlops-scaffold new fraud-model --template {TEMPLATE} --defaults")
    return "work"


def _empty(_: Reader) -> str:
    """A home with nothing in it."""
    return "."


SITUATIONS: dict[str, Callable[[Reader], str]] = {
    "empty": _empty,
    "edited": _edited,
    "clashing": _clashing,
    "moved": _moved,
    "unfinished": _unfinished,
    "updated": _updated,
    "copied": _copied,
    "foreign": _foreign,
    "several": _several,
}
