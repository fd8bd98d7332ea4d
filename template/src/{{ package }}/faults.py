"""An error in what you wrote, in two lines: where and what, and what to do about it.

`OPS_DEBUG=1` shows the whole traceback. Touch this file when a message should say more.
"""

import contextlib
import errno
import linecache
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
YOURS = HERE.parent if HERE.parent.name == "src" else HERE  # a release lies among libraries
OURS = {"faults", "gate", "golden", "metrics", "model", "protocol", "report", "schema", "serve"}
OURS |= {"snapshot", "split", "telemetry"}
IN_TRAIN = {"<module>", "main", "train", "halves", "compare", "origin"}  # the rest is yours
LONG = 300  # characters of a message; a converter's may have a million


def cut(error: object) -> str:
    """A message on one line, and no longer than can be read."""
    text = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    return text if len(text) <= LONG else f"{text[:LONG]}..."


def line(error: BaseException) -> str:
    """The innermost place in your files, else in ours, and the message."""
    path, number, _, source = _place(error)
    told = f"{os.path.relpath(path)}:{number}: {type(error).__name__}: {cut(error)}"
    return told + f"  ({source[:100]})" * bool(source)


def _place(error: BaseException) -> tuple[Path, int, str, str]:
    if isinstance(error, SyntaxError) and error.filename:
        return Path(error.filename), error.lineno or 0, "", (error.text or "").strip()
    walked = traceback.walk_tb(error.__traceback__)
    found = [(Path(f.f_code.co_filename), number, f.f_code.co_name) for f, number in walked]
    ours = [one for one in found if one[0].is_relative_to(HERE)]
    yours = [one for one in found if one[0].is_relative_to(YOURS) and not _is_ours(one[0], one[2])]
    path, number, name = (yours or ours or found)[-1]
    return path, number, name, linecache.getline(str(path), number).strip()


def _is_ours(path: Path, name: str) -> bool:
    known = path.stem in {*OURS, "telemetry"} or (path.stem == "train" and name in IN_TRAIN)
    return path.parent == HERE and known


def tell(error: BaseException) -> None:
    """Print it; an error that names its remedy says all itself."""
    if os.environ.get("OPS_DEBUG"):
        traceback.print_exception(error)
    path, _, name, _ = _place(error)
    where = f"{name}() in {path.name}" if name.isidentifier() else path.name
    remedy = f"correct {where}; OPS_DEBUG=1 shows the whole traceback"
    missing = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and missing not in ("", HERE.name):
        group = "" if path.name in ("features.py", "native.py") else "--group training "
        remedy = f"uv add {group}{missing}, or what the package with it is called"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        remedy = "make room on the disk"
    known = getattr(error, "remedy", None)
    print(f"error: {error if known else line(error)}\n  try: {known or remedy}", file=sys.stderr)


@contextlib.contextmanager
def told(code: int = 1) -> Iterator[None]:
    """End the process with two lines, whatever is raised within."""
    try:
        yield
    except (Exception, SystemExit) as error:  # load() may call exit(0), which is no success
        tell(error)
        sys.exit(code)


def watch() -> None:
    """Before all other imports: tell what cannot be imported, and of each warning once."""
    heard = set[str]()

    def warn(message: object, category: type[Warning], *_: object, **__: object) -> None:
        if (text := f"warning: {category.__name__}: {cut(message)}") not in heard:
            heard.add(text)
            print(text, file=sys.stderr)

    def hook(kind: type[BaseException], error: BaseException, trace: object) -> None:
        tell(error) if isinstance(error, Exception) else traceback.print_exception(error)

    sys.excepthook, warnings.showwarning = hook, warn
