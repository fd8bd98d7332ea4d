"""The Git repository that a new project would lie in, if there is one.

A repository made inside another is lost to it, and a vendor reads CI files at the root alone.
"""

from pathlib import Path

from scaffold.ground import git
from scaffold.ground.errors import Exit, ScaffoldError

# What the vendors look for at the root of a repository, and how a part of one gets its steps run.
CI_FILES = (".github/workflows", ".gitlab-ci.yml")


def repository_around(target: Path) -> Path | None:
    """Return the root of the work tree that would count a new folder among its own files.

    That is none which ignores the folder, and none which holds the person's home: there, files
    are kept in Git that have nothing to do with each other.
    """
    folder = next(folder for folder in target.parents if folder.exists())
    # Whoever owns it: a container mounts the work of somebody else.
    env = git.environment(config=[("safe.directory", "*")])
    try:
        root = git.git("rev-parse", "--show-toplevel", cwd=folder, env=env).rstrip("\n")
    except git.GitError:
        return None
    if not root or Path.home().resolve().is_relative_to(root):
        return None
    ignored = git.succeeds("check-ignore", "-q", "--", f"{target}/", cwd=folder, env=env)
    return None if ignored else Path(root)


def refuse_nested(target: Path) -> None:
    """Refuse to make a repository that lies in another one."""
    if root := repository_around(target):
        raise ScaffoldError(
            f"{target.name} would be a Git repository inside of another, {root}",
            f"choose a folder outside of it; or add --no-git to make it a part of {root.name}, "
            "and move its CI files to the root",
            Exit.UNSAFE,
        )


def ci_files_without_effect(project: Path) -> str | None:
    """Say which CI files of a project nobody reads, as it is only a part of a repository."""
    found = [name for name in CI_FILES if (project / name).exists()]
    root = repository_around(project)
    if not found or root is None:
        return None
    inside = project.relative_to(root)
    return (
        f"CI reads {found[0]} at the root of {root} only: move it there, and let its steps "
        f"run in {inside}"
    )
