"""A small Debian image with Python, made from packages: no image has to be pulled from anywhere."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import ssl
import tempfile
from pathlib import Path

from tests.runners import engine
from tests.runners.once import alone

NAME = "mlops-scaffold-test/python"
PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates"
LEFT_OUT = ("doc", "man", "locale", "info")  # of /usr/share
IN_IMAGE = "/etc/ssl/certs/ca-certificates.crt"


@functools.cache
def image() -> str:
    """The image's name, its tag named after the recipe. Takes about a minute the first time.

    It knows this machine's certificates, as the images of a company would; it sets no variable,
    so a tool that brings certificates of its own has to be told.
    """
    recipe = f"{_suite()} {PACKAGES} {LEFT_OUT}".encode() + bundle().read_bytes()
    name = f"{NAME}:{hashlib.sha256(recipe).hexdigest()[:12]}"
    with alone("base"):
        if not engine.has(name):
            _make(name)
    return name


def bundle() -> Path:
    """The file with the certificates that this machine trusts."""
    named = os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, IN_IMAGE
    found = [Path(path) for path in named if path and Path(path).is_file()]
    if not found:
        raise engine.Unavailable("no CA certificates are installed: apt install ca-certificates")
    return found[0]


def _make(name: str) -> None:
    program = shutil.which("mmdebstrap")
    if not program:
        raise engine.Unavailable("mmdebstrap is not installed: apt install mmdebstrap")
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in LEFT_OUT]
    hook = f"--customize-hook=upload {bundle()} {IN_IMAGE}"
    options = ["--quiet", "--variant=minbase", f"--include={PACKAGES}", *left_out, hook]
    with tempfile.TemporaryDirectory(dir=_scratch()) as scratch:
        archive = Path(scratch) / "base.tar"
        archive.parent.chmod(0o755)  # apt works in it as another user
        engine.output(program, *options, _suite(), archive, env={"TMPDIR": scratch})
        engine.run("import", "--change", 'CMD ["python3"]', archive, name)


def _suite() -> str:
    """The Debian that this machine runs, so that its programs run in the image; else stable."""
    try:
        about = platform.freedesktop_os_release()
    except OSError:
        about = {}
    return about.get("VERSION_CODENAME", "stable") if about.get("ID") == "debian" else "stable"


def _scratch() -> str | None:
    """Memory, if programs may be run from there: unpacking waits for a disk most of the time."""
    memory = "/dev/shm"
    if not Path(memory).is_dir():
        return None
    flags = os.statvfs(memory)
    room = flags.f_bavail * flags.f_frsize > 2_000_000_000
    return memory if room and not flags.f_flag & (os.ST_NOEXEC | os.ST_NODEV) else None
