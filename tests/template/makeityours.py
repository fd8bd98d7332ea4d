"""Follow docs/make-it-yours.md: apply its code blocks to a generated project, word for word."""

import ast
import re
from pathlib import Path


def apply(project: Path) -> list[str]:
    """Change the project as the page says; the files that were changed."""
    page = (project / "docs" / "make-it-yours.md").read_text("utf-8")
    changed = []
    for path, block in re.findall(r"```python\n# (\S+)\n(.*?)```", page, flags=re.DOTALL):
        file = project / path
        is_whole = ast.get_docstring(ast.parse(block)) is not None
        file.write_text(block if is_whole else _merged(file.read_text("utf-8"), block), "utf-8")
        changed.append(path)
    return changed


def _merged(source: str, block: str) -> str:
    """The source with each function and import of the block in the place of its namesake."""
    lines = source.splitlines(keepends=True)
    names = {_key(node): node for node in ast.parse(source).body}
    edits = [
        (names[_key(node)], ast.get_source_segment(block, node)) for node in ast.parse(block).body
    ]
    for old, new in sorted(edits, key=lambda edit: -edit[0].lineno):
        lines[old.lineno - 1 : old.end_lineno] = [f"{new}\n"]
    return "".join(lines)


def _key(node: ast.stmt) -> str:
    return str(getattr(node, "name", None) or getattr(node, "module", None) or node.lineno)
