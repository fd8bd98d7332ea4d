"""Git's own rules for line ends, by which a text lies in the work tree and in the repository.

Rules: https://git-scm.com/docs/gitattributes#_end_of_line_conversion
"""

from collections.abc import Mapping
from dataclasses import dataclass

Attributes = Mapping[str, Mapping[str, str]]
_NOBODY: Mapping[str, str] = {}


@dataclass(frozen=True)
class LineEnds:
    """What a repository says: attributes by path, and the settings core.autocrlf and core.eol."""

    attributes: Attributes
    autocrlf: str = ""
    eol: str = ""

    def stores_lf(self, path: str) -> bool:
        """Tell whether Git turns CRLF into LF when it stores this file."""
        said = self.attributes.get(path, _NOBODY)
        text = said.get("text", "set" if said.get("eol") in ("lf", "crlf") else "")
        if text == "unset":
            return False
        return text in ("set", "auto") or self.autocrlf in ("true", "input")

    def in_work_tree(self, path: str, content: bytes) -> bytes:
        """Return what Git would check out for a stored content."""
        if not self._wants_crlf(path) or b"\r\n" in content or b"\0" in content[:8000]:
            return content
        return content.replace(b"\n", b"\r\n")

    def _wants_crlf(self, path: str) -> bool:
        said = self.attributes.get(path, _NOBODY)
        text, eol = said.get("text", ""), said.get("eol", "")
        if text == "unset" or eol == "lf":
            return False
        if eol == "crlf":
            return True
        if self.autocrlf == "true":
            return True
        return text in ("set", "auto") and self.autocrlf != "input" and self.eol == "crlf"
