"""The project's own files that a template reads (`_external_data`), laid where it is rendered."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scaffold.origin.answers import Answers, external_files
from scaffold.origin.source import Template
from scaffold.project import history
from scaffold.project.project import Project, is_inside


@contextmanager
def laid(
    template: Template, project: Project, folder: Path, answers: Answers, *, then: bool = False
) -> Iterator[None]:
    """Lay the files that a version reads into a folder for as long as it is rendered there.

    Args:
        template: the version.
        project: whose files they are.
        folder: where it is rendered.
        answers: one of them may be the path of such a file.
        then: as they were when the answers were last written, which is what the project was made
            from; not as they are now. Where the history does not tell, they count as unchanged.

    """
    contents: dict[Path, bytes] = {}
    names = _names(template, project, answers)
    wrote = history.writings(project) if then and names and history.is_committed(project) else []
    for name in names:
        now = _now(project, name)
        content = history.content(project, wrote[0].commit, name) if wrote else now
        if content is not None:
            contents[folder / name] = content
    for file, content in contents.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    yield
    for file, content in contents.items():  # but what the template rendered itself stays
        if file.is_file() and file.read_bytes() == content:
            file.unlink()


def _names(template: Template, project: Project, answers: Answers) -> list[str]:
    """Return the paths of the files; one that is put together of answers is looked for in them."""
    listed = external_files(template)
    names = [path for path in listed if "{" not in path]
    if len(names) < len(listed):
        names += [value for value in answers.values() if isinstance(value, str) and value]
        names += [path for path in project.committed if path.startswith(".copier-answers")]
    return [
        name
        for name in dict.fromkeys(names)
        if name != project.answers_file
        and not Path(name).is_absolute()
        and ".." not in Path(name).parts
    ]


def _now(project: Project, name: str) -> bytes | None:
    file = project.folder / name
    if not is_inside(project.folder, name) or file.is_symlink() or not file.is_file():
        return None
    return file.read_bytes()
