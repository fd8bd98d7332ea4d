"""How large the container image is, how long it takes to build, and how soon it answers."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine
from benchmarks.programs import BenchmarkError, timed
from benchmarks.report import Part, Verdict, table
from benchmarks.workshop import Workshop
from tests.e2e.containers import CONFINED, box, docker, inspect
from tests.e2e.shop import Shop
from tests.runners import base, engine

MEGABYTES, READY = 135.0, 1.0  # the budgets
BUILD = "from ops import image, release; print(image.build(release.newest()))"


def measure(shop: Workshop) -> dict[str, Any]:
    """Megabytes above the base image, seconds of builds, and of `docker run` until it is ready."""
    try:
        os.environ |= {"DOCKER": engine.ensure(), "CA_BUNDLE": str(base.bundle())}
        below = base.image()
    except engine.Unavailable as error:
        raise BenchmarkError(str(error)) from None
    project = shop.new("image")
    project.build()
    fresh = _fresh(shop.folder / "fresh", below)
    builds = {"first": _build(project, fresh)["seconds"]}
    project.commit("Another release")
    project.build()
    second = _build(project, fresh)
    builds |= {"next": second["seconds"], "again": _build(project, fresh)["seconds"]}
    name, number = second["name"], 3 if shop.quick else 15
    rounds = [(_idle(name), *_ready(name)) for _ in range(number)]
    idle, started, ready = map(list, zip(*rounds, strict=True))
    return {
        "above": (inspect(name)["Size"] - inspect(fresh)["Size"]) / 1e6,
        "base": inspect(fresh)["Size"] / 1e6,
        "builds": builds,
        "idle": idle,
        "started": started,
        "ready": ready,
        "versions": {
            "docker": docker("version", "--format", "{{.Server.Version}}").strip(),
            **machine.versions(Path(project.python), "onnxruntime", "numpy", "fastapi"),
        },
    }


def _fresh(folder: Path, below: str) -> str:
    """The base image with one more layer, so that no build before this one is of any use."""
    folder.mkdir()
    name = f"mlops-bench-base:{time.time_ns()}"
    (folder / "Dockerfile").write_text(f"FROM {below}\nCOPY Dockerfile /{time.time_ns()}\n")
    (folder / "pip.conf").write_text("[global]\nno-cache-dir = true\n")
    docker("build", "--quiet", "--tag", name, folder)
    os.environ |= {"BASE_IMAGE": name, "PIP_CONFIG_FILE": str(folder / "pip.conf")}
    return name


def _build(project: Shop, base_image: str) -> dict[str, Any]:
    """Build the image of the newest release as `make image` does, without trying it."""
    given = {"BASE_IMAGE": base_image}
    done = timed([project.python, "-c", BUILD], project.path, given)
    return {"seconds": done.seconds, "name": done.out.strip()}


def _idle(name: str) -> float:
    """Seconds of a container of the image that starts Python and does nothing."""
    started = time.perf_counter()
    docker("run", "--rm", "--entrypoint", "python", *CONFINED, name, "-c", "pass")
    return time.perf_counter() - started


def _ready(name: str) -> tuple[float, float]:
    """Seconds of `docker run` until the engine has started the process, and until it is ready."""
    asked, began = datetime.now(UTC), time.perf_counter()
    with box(name) as up:
        seconds = time.perf_counter() - began
        born = datetime.fromisoformat(inspect(up.name)["State"]["StartedAt"])
    return (born - asked).total_seconds(), seconds


def render(raw: dict[str, Any]) -> Part:
    """The tables and verdicts."""
    builds: dict[str, float] = raw["builds"]
    rows = [
        ("the first build of a project, nothing cached", f"{builds['first']:.1f}"),
        ("the next release, same libraries", f"{builds['next']:.1f}"),
        ("the same release again", f"{builds['again']:.1f}"),
    ]
    runs = [
        (what, f"{median(raw[key]):.2f}", f"{max(raw[key]):.2f}")
        for what, key in (
            ("`docker run` until the engine has started the process", "started"),
            ("`docker run` until ready", "ready"),
            ("a container that does nothing, from start to end", "idle"),
        )
    ]
    text = [
        f"The image adds {raw['above']:.0f} MB to its base, which has {raw['base']:.0f} MB. Builds "
        "by a real engine, downloads included in the first.",
        table(("build", "seconds"), rows),
        f"{len(raw['ready'])} rounds, as production runs it: read-only, no capabilities.",
        table(("", "median, s", "slowest"), runs),
    ]
    above, ready = raw["above"], median(raw["ready"])
    size = Verdict(
        "image above its base",
        f"{MEGABYTES:.0f} MB",
        f"{above:.0f} MB",
        above / MEGABYTES,
        above <= MEGABYTES,
    )
    soon = Verdict("`docker run` to ready", "1 s", f"{ready:.2f} s", ready / READY, ready <= READY)
    return Part("The container image", text, [size, soon])
