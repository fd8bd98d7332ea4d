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
        file.write_text(block if is_whole else merged(file.read_text("utf-8"), block), "utf-8")
        changed.append(path)
    return changed


def merged(source: str, block: str) -> str:
    """The source with each function and import of the block in the place of its namesake.

    An import without one comes before the first that sorts after it, as ruff wants it.
    """
    lines = source.splitlines(keepends=True)
    names = {_key(node): node for node in ast.parse(source).body}
    edits = []
    for node in ast.parse(block).body:
        new, old = ast.get_source_segment(block, node), names.get(_key(node))
        if old is None:
            later = [n for key, n in names.items() if key > _key(node) and key[0] == "sklearn"]
            edits.append((later[0].lineno - 1, later[0].lineno - 1, new))
        else:
            edits.append((old.lineno - 1, old.end_lineno or old.lineno, new))
    for start, end, new in sorted(edits, key=lambda edit: edit[0])[::-1]:  # the last place first
        lines[start:end] = [f"{new}\n"]
    return "".join(lines)


def _key(node: ast.stmt) -> tuple[str, str]:
    module = str(getattr(node, "module", None) or "")
    return module.partition(".")[0], module or str(getattr(node, "name", node.lineno))
