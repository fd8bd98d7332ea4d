"""Commands whose parameters are plain texts, paths and flags, read without pydantic.

typer imports pydantic to convert the first parameter that it meets, which takes a third of the time
of `status`. Ours need none of it. Where typer no longer asks for what is set here, it does what it
always did, and is only slower.
"""

from pathlib import Path
from typing import Any

from typer.core import TyperCommand, TyperGroup


class _Plain:
    """Converts what was typed into text, path, flag, or a list of texts."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value in the parameter's own type."""
        if param.multiple:
            return list(value or ())
        if value is not None and "Path" in str(param.type_descriptor.annotation):
            return Path(value)
        return value


def _plainly(params: list[Any]) -> list[Any]:
    for param in params:
        param._runtime_param = _Plain()
    return params


class Command(TyperCommand):
    """A command."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, --help included."""
        return _plainly(super().get_params(ctx))


class Group(TyperGroup):
    """The program."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, --help included."""
        return _plainly(super().get_params(ctx))
