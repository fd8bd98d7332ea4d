"""What a template's changelog says between two versions."""

import re

from scaffold.origin import versions
from scaffold.origin.source import Template

NAMES = ("CHANGELOG.md", "CHANGES.md", "HISTORY.md", "NEWS.md", "CHANGELOG.rst", "CHANGELOG")
_HEADING = re.compile(
    r"(?m)^(?:#{1,4}\s+|(?=\S+.*\n[-=~]{3,}\s*$)).*?(v?\d+(?:\.\d+)+\S*?)[\])]?(?:\s.*)?$"
)
LONGEST = 60  # lines


def between(template: Template, old: str, new: str) -> str:
    """Return the sections of the changelog after one version, up to another; empty without any."""
    text = next(filter(None, map(template.read, NAMES)), None)
    if text is None:
        return ""
    headings = list(_HEADING.finditer(text))
    chosen = []
    for at, heading in enumerate(headings):
        version = heading[1]
        if versions.is_older(old, version) and not versions.is_older(new, version):
            end = headings[at + 1].start() if at + 1 < len(headings) else len(text)
            chosen.append(text[heading.start() : end].strip())
    lines = "\n\n".join(chosen).splitlines()
    if len(lines) > LONGEST:
        lines = [*lines[:LONGEST], f"... {len(lines) - LONGEST} more lines in its changelog"]
    return "\n".join(lines)
