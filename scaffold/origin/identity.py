"""Which template an address means: one template has many spellings, and they are compared here.

Two spellings are one template only where that is certain. On the forges below owners and names know
no letter case, and ssh and https lead to the same place; of any other host only its own letter
case, default ports, a user name for https, `.git` and a slash at the end are left out. What is not
understood is compared as it is written. Nothing is asked of the network.
"""

import os
import re
from collections.abc import Mapping
from urllib.parse import unquote

SHORT: Mapping[str, str] = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}
_PORTS = {"https": "443", "http": "80", "ssh": "22", "git": "9418"}
_FORGES = {
    **{(way, f"{host}:{_PORTS[way]}"): host
       for host in ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org")
       for way in ("https", "ssh")},
    ("https", "www.github.com:443"): "github.com",
    ("ssh", "ssh.github.com:443"): "github.com",
    ("ssh", "altssh.gitlab.com:443"): "gitlab.com",
    ("ssh", "altssh.bitbucket.org:443"): "bitbucket.org",
}  # fmt: skip
# An address with anything else, such as a backslash or a second @, might be read otherwise by git.
_PLAIN = r"[\w.~+/ ()%,=:-]+"
_URL = re.compile(
    r"(?P<way>[A-Za-z+]+)://(?:(?P<user>[\w.~+-]+)(?::[^@/]*)?@)?"
    rf"(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*)(?::(?P<port>[0-9]+))?(?P<path>/{_PLAIN})",
    re.ASCII,
)
_SCP = re.compile(
    rf"(?:(?P<user>[\w.+-]+)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?!//)(?P<path>{_PLAIN})",
    re.ASCII,
)


def is_same(one: str, other: str) -> bool:
    """Tell whether two addresses are certain to be one template."""
    return one == other or identity(one) == identity(other)


def is_url(template: str) -> bool:
    """Tell whether an address leads over the network, or through git's own reading of an address.

    Anything else is a path. It is the form that decides, never what lies in the folder where one
    stands: that can be a project's doing.
    """
    return "://" in template or template.startswith(tuple(SHORT)) or bool(_SCP.match(template))


def identity(template: str) -> str:
    """Return a name that every spelling of an address has in common, and no other template."""
    address = expand_short(template).removeprefix("git+")
    if address.startswith("file:///") and "%" not in address:
        address = address.removeprefix("file://")
    elif found := _URL.fullmatch(address):
        way = found["way"].lower()
        port = (found["port"] or _PORTS.get(way, "")).lstrip("0")
        return _remote(way, found["user"], f"{found['host'].lower()}:{port}", found["path"])
    elif is_url(address):
        found = _SCP.fullmatch(address)
        if not found:
            return address
        return _remote("ssh", found["user"], f"{found['host'].lower()}:22", found["path"])
    return os.path.realpath(os.path.expanduser(address))  # noqa: PTH111 - never raises


def web_address(template: str) -> str | None:
    """Return the https address of a template on a known forge; None for any other."""
    name = identity(template)
    return name if name.startswith("https://") and not re.match(r"https://[^/]*:", name) else None


def expand_short(template: str) -> str:
    """Return the address that `gh:` and `gl:` stand for, and any other as it is."""
    for short, base in SHORT.items():
        if template.startswith(short):
            return base + template.removeprefix(short).strip("/")
    return template


def _remote(way: str, user: str | None, place: str, path: str) -> str:
    """Return the name of an address: the forge's own, or that of what is certain of any host."""
    parts = path.strip("/").split("/")
    if {"", ".", ".."} & {unquote(part) for part in parts} or "/" in "".join(map(unquote, parts)):
        return f"{way}://{user or ''}@{place}{path}"
    if name := _on_azure(way, place, parts) or _on_forge(way, user, place, parts):
        return name
    named = "" if way in ("http", "https") or not user else f"{user}@"
    # Without a slash before it a path of ssh begins at the user's home.
    slash = "/" if path.startswith("/") else "/~/"
    return f"{way}://{named}{place}{slash}{_without_git('/'.join(parts))}"


def _on_forge(way: str, user: str | None, place: str, parts: list[str]) -> str | None:
    host = _FORGES.get((way, place))
    fits = way == "https" or re.fullmatch(r"git|org-[0-9]+", user or "git")
    enough = len(parts) == 2 or (host == "gitlab.com" and len(parts) > 2)
    if host is None or not fits or not enough:
        return None
    return f"https://{host}/{_without_git(_lower('/'.join(map(unquote, parts))))}"


def _on_azure(way: str, place: str, parts: list[str]) -> str | None:
    """Azure DevOps: `.git` at the end is a part of the name there."""
    host, _, port = place.partition(":")
    if port != _PORTS.get(way):
        return None
    names = list(map(unquote, parts))
    if way == "ssh" and host in ("ssh.dev.azure.com", "vs-ssh.visualstudio.com"):
        found = names[1:] if names[0] == "v3" else []
    elif way == "https" and host == "dev.azure.com":
        found = _azure_path(names)
    elif way == "https" and (old := re.fullmatch(r"([a-z0-9-]+)\.visualstudio\.com", host)):
        inner = names[1:] if names[0].lower() == "defaultcollection" else names
        found = _azure_path([old[1], *inner])
    else:
        found = []
    return f"https://dev.azure.com/{_lower('/'.join(found))}" if len(found) == 3 else None


def _azure_path(names: list[str]) -> list[str]:
    """Return organisation, project and repository; a project's main repository has its name."""
    if len(names) == 3 and names[1] == "_git":
        return [names[0], names[2], names[2]]
    return [*names[:2], names[3]] if len(names) == 4 and names[2] == "_git" else []


def _without_git(path: str) -> str:
    return path.removesuffix(".git")


def _lower(text: str) -> str:
    """Without letter case, as far as that is certain: other alphabets are left as they are."""
    return text.lower() if text.isascii() else text
