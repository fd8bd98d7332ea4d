"""Which Jinja extensions of a template are loaded: they are code, and run while it is rendered.

What comes with Jinja, and a few published ones that only compute, are loaded for anybody. Others
run code that a template brings along or chooses; that takes the person's word, given on the command
line or in copier's own settings, and never the project's or the template's.
"""

import os
from collections.abc import Iterable, Mapping

from scaffold.ground.errors import Exit, ScaffoldError
from scaffold.origin.ahead import await_import
from scaffold.origin.identity import identity, is_same
from scaffold.origin.source import Template

# By the package that brings them. Read, line by line: none runs code of a template or a project,
# opens a file of theirs, or starts a program. What gives another result each time is left out.
_PURE: Mapping[str, str] = {
    "jinja2_ansible_filters.AnsibleCoreFiltersExtension": "jinja2-ansible-filters",
    "jinja2_strcase.StrcaseExtension": "jinja2-strcase",
    "jinja2_time.TimeExtension": "jinja2-time",
    "jinja2_time.jinja2_time.TimeExtension": "jinja2-time",
    "jinja2_workarounds.MultiLineInclude": "jinja2-workarounds",
    "cookiecutter.extensions.JsonifyExtension": "cookiecutter",
    "cookiecutter.extensions.SlugifyExtension": "cookiecutter",
    "cookiecutter.extensions.TimeExtension": "cookiecutter",
}
_PACKAGES = {
    **{name.partition(".")[0]: package for name, package in _PURE.items()},
    "copier_template_extensions": "copier-template-extensions",
    "copier_templates_extensions": "copier-templates-extensions",
}
SHOWN = 3  # of the extensions that are refused
_SETTINGS = "COPIER_SETTINGS_PATH"


def foreign(names: Iterable[str]) -> list[str]:
    """Return the extensions that are loaded only with the person's trust."""
    return [n for n in dict.fromkeys(names) if not _is_known(n.replace(":", "."))]


def check(names: Iterable[str], template: Template) -> None:
    """Refuse a template whose extensions the person would have to trust, and does not."""
    unknown = foreign(names)
    if not unknown or template.trusted or any(_covers(e, template.url) for e in _settings()):
        return
    more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
    raise ScaffoldError(
        "the template wants to run code of its own "
        f"(_jinja_extensions: {', '.join(unknown[:SHOWN])}{more}), which nobody here has allowed",
        f"if you trust {template.url}: the same again with --trust, or name it under `trust` in "
        "copier's settings.yml; its tasks stay off",
        Exit.UNSAFE,
    )


def missing(module: str) -> ScaffoldError:
    """Say that a module which an extension needs is not installed, and how it gets here."""
    package = _PACKAGES.get(module.partition(".")[0], "")
    shown = package or "PACKAGE"
    return ScaffoldError(
        f"the template needs a Jinja extension that is not installed here: no module {module!r}",
        f"install it beside this program: `uv tool install --with {shown} mlops-scaffold` "
        f"(pipx: `pipx inject mlops-scaffold {shown}`; else: `pip install {shown}`)"
        + ("" if package else "; the template's guide names the package"),
    )


def _is_known(name: str) -> bool:
    """Tell whether an extension comes with Jinja, or only computes."""
    module, _, attribute = name.rpartition(".")
    if module != "jinja2.ext":
        return name in _PURE
    await_import()
    from jinja2 import ext

    found = getattr(ext, attribute, ext.Extension)  # one that is gone is for Jinja to refuse
    return isinstance(found, type) and issubclass(found, ext.Extension)


def _settings() -> list[str]:
    """Return what the person trusts on this machine, from copier's own settings."""
    if not os.path.isabs(os.environ.get(_SETTINGS, "/")):  # noqa: PTH117
        return []  # it would be looked for where one stands: in the project
    await_import()
    from copier._settings import SettingsModel

    try:
        return sorted(SettingsModel.from_file().trust)
    except Exception as error:  # of yaml, of pydantic, of the disk
        raise ScaffoldError(
            f"copier's settings file cannot be read: {str(error).splitlines()[0]}",
            f"correct or remove it: ~/.config/copier/settings.yml, or what {_SETTINGS} names",
        ) from error


def _covers(entry: str, url: str) -> bool:
    """Tell whether an entry of copier's `trust` means this template, or all below a `/` at its end.

    The prefix is completed to an address before it is compared, so that any spelling will do.
    """
    if not entry.endswith("/"):
        return is_same(entry, url)
    starts = (identity(entry + inner).removesuffix(inner) for inner in ("x", "x/x"))
    return any(identity(url).startswith(start) for start in starts if start.endswith("/"))
