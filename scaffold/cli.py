"""The command line: parses and dispatches. It imports nothing heavy, so that --help is fast."""

from pathlib import Path
from typing import Annotated

import typer

from scaffold.ground.errors import boundary
from scaffold.ground.quick import Command, Group

PROJECT = typer.Argument(help="The project's folder, or its answers file.", show_default=False)
AS_JSON = typer.Option("--json", help="Print the outcome as JSON on stdout.")
DATA = typer.Option("--data", "-d", metavar="K=V", help="Answer a question; repeatable.")
DRY_RUN = typer.Option("--dry-run", help="Show the plan and the whole diff; change nothing.")
ANSWERS = typer.Option(
    "--answers-file",
    "-a",
    metavar="FILE",
    help="The answers file in the project; default: .copier-answers.yml.",
    show_default=False,
)
TRUST = typer.Option(
    "--trust", help="Let the template's Jinja extensions run, as in copier; its tasks stay off."
)

# Plain help: importing rich takes longer than everything else here.
app = typer.Typer(
    cls=Group,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("mlops-scaffold"))
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Start an ML project that trains, gates, ships and rolls back with one command each."""


@app.command(cls=Command)
def new(
    path: Annotated[Path, typer.Argument(help="The folder to make; its name is the default name.")],
    template: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Another copier template: a Git URL or a path."),
    ] = None,
    ref: Annotated[
        str | None,
        typer.Option(metavar="TAG", help="The template's version; default: its newest release."),
    ] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Ask nothing.")] = False,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", "-d", metavar="K=V", help="Answer a question; repeatable."),
    ] = None,
    data_file: Annotated[
        Path | None, typer.Option(metavar="F", help="Answer questions from a YAML file.")
    ] = None,
    setup: Annotated[
        bool | None,
        typer.Option(
            "--setup/--no-setup",
            help="Lock, install and set up hooks; default: only for the built-in template, "
            "because it runs the project's build.",
        ),
    ] = None,
    git: Annotated[
        bool, typer.Option("--git/--no-git", help="Make a Git repository and the first commit.")
    ] = True,
    trust: Annotated[bool, TRUST] = False,
    answers_file: Annotated[str | None, ANSWERS] = None,
) -> None:
    """Make a new project.

    That is its files, Git repository, locked environment, hooks and first commit.
    """
    with boundary():
        from scaffold.commands.new import Request
        from scaffold.commands.new import new as run

        given = tuple(data or ())
        ways = (setup, git, trust, answers_file)
        run(Request(path, template, ref, defaults, given, data_file, *ways))


@app.command(cls=Command)
def update(
    path: Annotated[Path, PROJECT] = Path(),
    to: Annotated[
        str | None, typer.Option(metavar="TAG", help="A version; default: the newest release.")
    ] = None,
    template: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the template is now, if it moved.")
    ] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Ask nothing.")] = False,
    data: Annotated[list[str] | None, DATA] = None,
    dry_run: Annotated[bool, DRY_RUN] = False,
    as_json: Annotated[bool, AS_JSON] = False,
    trust: Annotated[bool, TRUST] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="Let answers go that the new version hides.")
    ] = False,
    answers_file: Annotated[str | None, ANSWERS] = None,
) -> None:
    """Merge the template's improvements into a project.

    With --data an answer changes, with or without a new version.
    """
    with boundary():
        from scaffold.commands.update import Request
        from scaffold.commands.update import update as run

        given = tuple(data or ())
        ways = (dry_run, as_json, trust, accept, answers_file)
        code = run(Request(path, to, template, defaults, given, *ways))
    raise typer.Exit(code)


@app.command(cls=Command)
def status(
    path: Annotated[Path, PROJECT] = Path(),
    as_json: Annotated[bool, AS_JSON] = False,
    trust: Annotated[bool, TRUST] = False,
    answers_file: Annotated[str | None, ANSWERS] = None,
) -> None:
    """Say how far behind its template a project is.

    Exits with 5 when it is behind, and with 1 when that cannot be found out.
    """
    with boundary():
        from scaffold.commands.status import status as run

        code = run(path, as_json, trust, answers_file)
    raise typer.Exit(code)


@app.command(cls=Command)
def diff(
    path: Annotated[Path, PROJECT] = Path(),
    to: Annotated[
        str | None, typer.Option(metavar="TAG", help="A version; default: the project's own.")
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    trust: Annotated[bool, TRUST] = False,
    answers_file: Annotated[str | None, ANSWERS] = None,
) -> None:
    """Show how a project differs from its template."""
    with boundary():
        from scaffold.commands.diff import diff as run

        code = run(path, to, as_json, trust, answers_file)
    raise typer.Exit(code)


@app.command(cls=Command)
def adopt(
    template: Annotated[str, typer.Option(metavar="URL", help="A Git URL or a path.")],
    path: Annotated[
        Path, typer.Argument(help="The repository, or a folder in it.", show_default=False)
    ] = Path(),
    ref: Annotated[
        str | None, typer.Option(metavar="TAG", help="A version; default: the newest release.")
    ] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Ask nothing.")] = False,
    data: Annotated[list[str] | None, DATA] = None,
    dry_run: Annotated[bool, DRY_RUN] = False,
    as_json: Annotated[bool, AS_JSON] = False,
    trust: Annotated[bool, TRUST] = False,
    answers_file: Annotated[str | None, ANSWERS] = None,
) -> None:
    """Put an existing repository under a template."""
    with boundary():
        from scaffold.commands.adopt import Request
        from scaffold.commands.adopt import adopt as run

        given = tuple(data or ())
        ways = (dry_run, as_json, trust, answers_file)
        code = run(Request(path, template, ref, defaults, given, *ways))
    raise typer.Exit(code)


@app.command(cls=Command)
def undo(
    path: Annotated[Path, PROJECT] = Path(),
    answers_file: Annotated[str | None, ANSWERS] = None,
) -> None:
    """Take the last update back, exactly."""
    with boundary():
        from scaffold.commands.undo import undo as run

        code = run(path, answers_file)
    raise typer.Exit(code)


@app.command(cls=Command)
def doctor(
    path: Annotated[Path, PROJECT] = Path(),
    as_json: Annotated[bool, AS_JSON] = False,
    answers_file: Annotated[str | None, ANSWERS] = None,
) -> None:
    """Check this machine and this project."""
    with boundary():
        from scaffold.commands.doctor import doctor as run

        code = run(path, as_json, answers_file)
    raise typer.Exit(code)
