"""Build hook: puts the template's released versions into the wheel and the sdist.

In a checkout they come from the repository's history. In an unpacked sdist the bundle is already
there. An editable install needs none: the CLI then reads the checkout itself.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TemplateBundle(BuildHookInterface):  # type: ignore[type-arg]
    """Adds `scaffold/template.bundle`."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the bundle, or find the one that came with the sdist, and include it."""
        if version == "editable":
            return
        root = Path(self.root)
        sys.path.insert(0, str(root))
        from scaffold.origin import bundle

        inside = f"scaffold/{bundle.NAME}"
        if (root / ".git").exists():
            self.scratch = tempfile.TemporaryDirectory(prefix="template-bundle-")
            work = Path(self.scratch.name)
            bundle.write(root, work / bundle.NAME, work)
            build_data["force_include"][str(work / bundle.NAME)] = inside
        elif not (root / inside).is_file():
            raise RuntimeError(
                "neither a Git history nor a built template.bundle is here: "
                "build from a full clone of the repository, or from its sdist"
            )
        else:
            build_data["artifacts"].append(f"/{inside}")

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the scratch folder once the archive is written."""
        if hasattr(self, "scratch"):
            self.scratch.cleanup()
