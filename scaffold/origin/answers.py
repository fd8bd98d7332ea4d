"""The answers a person gives before anything is asked: collected, and checked by the questions.

What copier itself would only notice half-way, or not at all, is refused here: a key that is no
question, and a value that is not of the question's type.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.origin.source import Template

Answers = dict[str, object]
_TRUTH = re.compile(r"y|yes|true|on|n|no|false|off|1|0", re.IGNORECASE)


@dataclass(frozen=True)
class Questions:
    """What a template asks: question by name, and whether that is all of them.

    `complete` is false where copier.yml includes other files, which only copier resolves;
    `excludes` are the patterns of files that are left out; `answers_file` is where the template
    wants its answers, if it says so; `skips` are the patterns of files that are left alone once
    they exist.
    """

    asked: Mapping[str, Mapping[str, object]]
    complete: bool
    excludes: tuple[str, ...] = ()
    answers_file: str = ""
    skips: tuple[str, ...] = ()


def read_questions(template: Template) -> Questions:
    """Read a template's copier.yml; without one, or with an empty one, nothing is asked."""
    if not template.config and template.read("cookiecutter.json") is not None:
        raise ScaffoldError(
            f"{template.url} {template.version} is a template of cookiecutter, not of copier",
            "give the address of a copier template",
        )
    config, complete = _load(template.config, template)
    asked = {
        str(name): value if isinstance(value, dict) else {"default": value}
        for name, value in config.items()
        if not str(name).startswith("_")
    }
    lists = (config.get(name) for name in ("_exclude", "_skip_if_exists"))
    excludes, skips = (tuple(map(str, x)) if isinstance(x, list) else () for x in lists)
    answers_file = str(config.get("_answers_file") or "")
    if "{" in answers_file:  # put together of answers
        answers_file = ""
    return Questions(asked, complete, excludes, answers_file, skips)


def external_files(template: Template) -> list[str]:
    """Return the paths of the project's files that a template reads data from, as written there."""
    named = _load(template.config, template)[0].get("_external_data")
    paths = named.values() if isinstance(named, dict) else ()
    return [path for path in paths if isinstance(path, str)]


def jinja_extensions(template: Template) -> list[str]:
    """Return the Jinja extensions that copier.yml itself lists, or refuse what is no list of them.

    copier would take a text for its letters.
    """
    if "_jinja_extensions" not in template.config:  # reading YAML takes its time
        return []
    named = _load(template.config, template)[0].get("_jinja_extensions", [])
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise ScaffoldError(
            f"{template.url} {template.version} is broken: its _jinja_extensions are no list of "
            "names",
            "tell its owner, or choose another version",
        )
    return named


def collect(data_file: Path | None, pairs: list[str]) -> Answers:
    """Return the answers of a data file, overridden by `KEY=VALUE` pairs."""
    answers = _read_file(data_file) if data_file else {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ScaffoldError(
                f"--data {pair!r} is no KEY=VALUE", "write e.g. --data team=fraud", Exit.USAGE
            )
        answers[key] = value
    return answers


def check(answers: Answers, questions: Questions) -> None:
    """Refuse an answer to a question that is not asked, or of another type."""
    open_ones = [name for name, asked in questions.asked.items() if asked.get("when") is not False]
    for key, value in answers.items():
        if key not in questions.asked and not questions.complete:
            continue
        if key not in open_ones:
            raise ScaffoldError(
                f"the template has no question {key!r}",
                f"its questions are {', '.join(open_ones) or 'none'}",
                Exit.USAGE,
            )
        problem = _mismatch(value, questions.asked[key])
        if problem:
            raise ScaffoldError(
                f"the answer {value!r} to {key!r} is {problem}",
                f"give another one, e.g. --data {key}=...",
                Exit.USAGE,
            )


def of_their_types(answers: Answers, questions: Questions) -> Answers:
    """Return the answers without those that are not of their question's type."""
    return {
        key: value
        for key, value in answers.items()
        if key not in questions.asked or not _mismatch(value, questions.asked[key])
    }


def choices(question: Mapping[str, object]) -> list[str]:
    """Return the values that a question allows, as far as it lists them without a condition."""
    listed = question.get("choices")
    if isinstance(listed, dict):
        listed = list(listed.values())
    if not isinstance(listed, list):  # none, or one template for all
        return []
    values = [it[1] if isinstance(it, list) and len(it) == 2 else it for it in listed]
    plain = [value for value in values if isinstance(value, (str, int, float))]
    texts = [str(value) for value in plain]
    return texts if len(plain) == len(values) and not any("{" in text for text in texts) else []


def _mismatch(value: object, question: Mapping[str, object]) -> str | None:
    """Return what is wrong with the type of an answer; text is read as copier reads it."""
    kind = question.get("type") or type(question.get("default")).__name__
    wrong = isinstance(value, (list, dict)) or value is None
    if kind in ("int", "float"):
        try:
            number = int if kind == "int" else float
            wrong = wrong or isinstance(value, bool) or number(str(value)) is None
        except ValueError:
            wrong = True
        return f"no {'whole ' if kind == 'int' else ''}number" if wrong else None
    if kind == "bool":
        return None if _TRUTH.fullmatch(str(value)) else "neither yes nor no"
    if kind == "str" and not question.get("multiselect"):
        return "no text" if wrong else None
    return None


def _read_file(file: Path) -> Answers:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScaffoldError(
            f"the data file {file} cannot be read: {error.strerror}", "check the path", Exit.USAGE
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ScaffoldError(
            f"the data file {file} is no YAML: {_first_line(error)}", "correct it", Exit.USAGE
        ) from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ScaffoldError(
            f"the data file {file} is no mapping of questions to answers",
            "write one `question: answer` a line",
            Exit.USAGE,
        )
    # An answers file of another project will do: where it came from is not an answer.
    return {key: value for key, value in content.items() if not key.startswith("_")}


class _Loader(yaml.SafeLoader):
    """Reads copier.yml; `!include` is copier's own tag, left to copier."""


_Loader.add_constructor("!include", lambda loader, node: None)


def _load(text: str, template: Template) -> tuple[dict[object, object], bool]:
    """Return the merged documents of a copier.yml, and whether nothing was included."""
    merged: dict[object, object] = {}
    try:
        for document in yaml.load_all(text, _Loader):
            merged |= document or {}
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise ScaffoldError(
            f"{template.url} is no template: its copier.yml is broken: {_first_line(error)}",
            "tell its owner, or choose another version with --ref",
        ) from error
    return merged, "!include" not in text


def _first_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or (str(error).splitlines() or [""])[0]
    return f"{problem} (line {mark.line + 1})" if mark else str(problem)
