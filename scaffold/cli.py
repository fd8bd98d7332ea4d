"""The command line: parses and dispatches. It imports nothing heavy, so that --help is fast."""

from pathlib import Path
from typing import Annotated

import typer

from scaffold.errors import boundary

# Plain help: importing rich takes longer than everything else here.
app = typer.Typer(
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


@app.command()
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
) -> None:
    """Make a new project: files, Git repository, locked environment, hooks, first commit."""
    with boundary():
        from scaffold.commands.new import Request
        from scaffold.commands.new import new as run

        run(Request(path, template, ref, defaults, tuple(data or ()), data_file, setup, git))
