"""Runs: each training leaves a line in .state/runs.jsonl, and here they are compared and shown.

A line that cannot be written fails no training. Touch this file to record one more fact of a run.
"""

import contextlib
import hashlib
import html
import importlib
import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

from .config import ROOT, OpsError, package_name
from .console import complain, say, table
from .release import CHAMPION, Release, sha256
from .state import now, replace, run

LOG = ROOT / ".state" / "runs.jsonl"
PAGE = LOG.with_suffix(".html")
LATEST = 20  # runs in the table
PATIENCE = 10  # seconds that a tracking server gets
SCALARS = (str, int, float, bool, type(None))
HEAD = ("TIME", "KIND", "COMMIT", "CHANGES", "DATA", "MODEL", "SECONDS", "METRICS", "NEW VALUES")
Run = dict[str, Any]
STYLE = """body { font: 15px system-ui; margin: 2rem auto; max-width: 70rem; color: #234 }
td, th { text-align: left; padding: .3rem .8rem; border-bottom: 1px solid #dde }
circle { fill: #36c } polyline { fill: none; stroke: #9be } line { stroke: #dde }
"""


def read_env() -> None:
    """Bring the KEY=value lines of .env into the environment; what is there already wins."""
    with contextlib.suppress(FileNotFoundError):
        for line in (ROOT / ".env").read_text("utf-8").splitlines():
            if found := re.fullmatch(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*", line):
                value = re.match(r"""(["'])(.*?)\1|()(.*?)(?:\s+#.*)?$""", found[2])
                parts = value.groups() if value else ()
                os.environ.setdefault(found[1], "".join(filter(None, parts[1::2])))


def perform(kind: str) -> None:
    """Train, or try: fit and score, and leave no model. One process, so imports wait once."""
    package = package_name()
    faults = importlib.import_module(f"{package}.faults")
    faults.watch()
    with faults.told():
        train, golden, model = (
            importlib.import_module(f"{package}.{name}") for name in ("train", "golden", "model")
        )
    started, earlier = time.monotonic(), history()[0]
    if kind == "train":
        sys.argv = ["train"]
        train.main()
        facts = model.load().facts
    else:
        with faults.told():
            rows, held = golden.table(), golden.read()
            facts = train.train(rows, held, 0)[1]
            say(_against_champion(train, facts, golden.training_rows(rows, held)))
    given: Run = {}
    with contextlib.suppress(Exception):  # a model of another library need not have any
        given = train.estimator(facts.seed).get_params()
    made: Run = {
        "time": now(),
        "kind": kind,
        "commit": facts.commit.removesuffix("-dirty"),
        "changes": _changes() if facts.commit.endswith("-dirty") else "",
        "data": facts.data_fingerprint,
        "seed": facts.seed,
        "parameters": {k: _plain(v) for k, v in given.items() if isinstance(v, SCALARS)},
        "metrics": facts.validation,
        "seconds": round(time.monotonic() - started, 2),
        "model_sha256": facts.model_sha256,
    }
    others = {one["data"] for one in earlier if one["commit"] == made["commit"]} - {made["data"]}
    if others and made["commit"] != "unknown":
        seen = ", ".join(sorted(one[:12] for one in others))
        _warn(f"this commit was trained with other data before: {seen}; now {made['data'][:12]}")
    _append(made)
    _track(made)
    if kind == "try":
        show([*earlier, made], 5)


def history() -> tuple[list[Run], int]:
    """Every run, oldest first, and how many lines are none."""
    found, torn = list[Run](), 0
    with contextlib.suppress(OSError):
        for line in LOG.read_bytes().splitlines():
            try:
                one = json.loads(line)
                _rows([one])
                found.append(one)
            except (ValueError, KeyError, TypeError, AttributeError):
                torn += 1
    return found, torn


def show(runs: list[Run], latest: int) -> None:
    """Print the latest runs, the newest last."""
    table(HEAD, _rows(runs)[-latest:])


def overview() -> None:
    """The latest runs on the terminal, all of them on a page."""
    runs, torn = history()
    if not runs:
        raise OpsError("there is no run yet", "make try")
    show(runs, LATEST)
    replace(PAGE, _page(runs))
    say(f"\n{len(runs)} runs{f', {torn} unreadable lines' * bool(torn)}; see {PAGE}")


def reproduce(release: Release) -> None:
    """Rebuild a release from its commit, lock and data elsewhere, and compare the hashes."""
    if release.dirty:
        raise OpsError(f"{release.name} was built from files in no commit", "name another release")
    missing = f"git fetch; the commit {release.commit[:12]} must be here"
    run("git", "cat-file", "-e", release.commit + "^{commit}", remedy=missing)
    facts = _facts(release.folder / release.wheel)
    with tempfile.TemporaryDirectory(prefix="reproduce-") as scratch:
        clone = str(Path(scratch) / "clone")
        top = run("git", "rev-parse", "--show-toplevel").strip()
        run("git", "clone", "--quiet", "--no-checkout", top, clone)
        run("git", "-C", clone, "checkout", "--quiet", "--detach", release.commit)
        there = Path(clone) / ROOT.relative_to(Path(top).resolve())
        name = f"{facts['data_fingerprint'][:12]}.parquet"
        kept = LOG.with_name("data") / name
        environment = {**os.environ, "DATA": facts["data_fingerprint"] if kept.exists() else ""}
        environment.pop("VIRTUAL_ENV", None)
        if kept.exists():
            (there / ".state" / "data").mkdir(parents=True)
            shutil.copyfile(kept, there / ".state" / "data" / name)
        say(f"{release.name}: data from {'the snapshot' if kept.exists() else 'load()'}")
        python = there / ".venv" / "bin" / "python"
        seconds = run("git", "log", "-1", "--format=%ct", release.commit).strip()
        environment["SOURCE_DATE_EPOCH"] = seconds
        build = ("build", "--wheel", "--quiet", "--no-build-isolation", "--python", python)
        for words in (
            ("uv", "sync", "--locked", "--quiet"),
            (python, "-m", f"{package_name()}.train", "--seed", str(facts["seed"])),
            ("uv", *build, "--out-dir", there / "dist"),
        ):
            if subprocess.run(words, cwd=there, env=environment, check=False).returncode:
                raise OpsError("the release cannot be rebuilt, see above", "")
        [wheel] = (there / "dist").glob("*.whl")
        again, digest = _facts(wheel), sha256(wheel)
    pairs = {key: (facts[key], again[key]) for key in ("data_fingerprint", "model_sha256")}
    pairs["wheel"] = (release.digest, digest)
    for key, (was, now_is) in pairs.items():
        say(f"{key:<17}{'same' if was == now_is else f'{was[:12]} became {now_is[:12]}'}")
    if pairs["data_fingerprint"][0] != pairs["data_fingerprint"][1]:
        raise OpsError("load() gives other data now", "make data keeps a snapshot of each release")
    if any(was != now_is for was, now_is in pairs.values()):
        raise OpsError("same data, other bytes", "compare the processor and the system libraries")


def _facts(wheel: Path) -> Any:
    with zipfile.ZipFile(wheel) as archive:
        return json.loads(archive.read(f"{package_name()}/artifacts/model.json"))


def _against_champion(train: Any, facts: Any, free: Any) -> str:
    """How this model and the champion do on the same validation rows."""
    gate, model = (importlib.import_module(f"{package_name()}.{n}") for n in ("gate", "model"))
    metric, score = next(iter(facts.validation.items()))
    mine = f"{metric} {score:.3f} on the validation rows"
    try:
        champion = model.load(CHAMPION)
        if champion.schema.shape != facts.schema.shape:
            raise model.ModelError("it was made for another schema")
        if champion.facts.features_sha256 != facts.features_sha256:
            raise model.ModelError("it was made for another features.py")
        found = gate.answered(champion, train.halves(free, facts.seed)[1])
        best = gate.measure(found, gate.metric_of(facts.schema, gate.limits_of()))[gate.ALL].score
    except model.ModelError as error:
        return f"{mine}; not compared with a champion: {error}"
    split = ("seed", "data_fingerprint", "golden_fingerprint")
    other = any(getattr(facts, key) != getattr(champion.facts, key) for key in split)
    note = " (its split was another: it may have been trained on these rows)" if other else ""
    return f"{mine}; the champion {champion.facts.commit[:12]}: {best:.3f}{note}"


def _plain(value: Any) -> Any:
    """As JSON has it: NaN, which would differ from itself, and infinity by name."""
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def _changes() -> str:
    """What names the uncommitted state: a hash of the difference and of files git does not know."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        seen = hashlib.sha256(_git("diff", "HEAD", "--binary"))
        for name in sorted(_git("ls-files", "-oz", "--exclude-standard").split(b"\0")[:-1]):
            seen.update(name + b"\0")
            with contextlib.suppress(OSError):
                seen.update((ROOT / os.fsdecode(name)).read_bytes())
        return seen.hexdigest()[:12]
    return "unknown"


def _git(*words: str) -> bytes:
    return subprocess.check_output(["git", *words], cwd=ROOT, stderr=subprocess.DEVNULL)


def _append(made: Run) -> None:
    """One write, so that two runs at once do not mix; it begins anew after a torn line."""
    try:
        LOG.parent.mkdir(exist_ok=True)
        torn = LOG.exists() and LOG.read_bytes()[-1:] not in (b"", b"\n")
        line = ("\n" * torn + json.dumps(made) + "\n").encode()
        file = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            if os.write(file, line) != len(line):
                raise OSError("only half of it was written")
        finally:
            os.close(file)
    except OSError as error:
        _warn(f"this run is not in {LOG}: {error}")


def _track(made: Run) -> None:
    """Send the run to MLflow, when MLFLOW_TRACKING_URI names a server; nothing waits for it."""
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        return
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    try:
        mlflow = importlib.import_module("mlflow")
    except ImportError:
        _warn("this run is not in MLflow; try: uv add --group training mlflow-skinny")
        return
    said = [f"MLflow took more than {PATIENCE} s"]
    thread = threading.Thread(target=_send, args=(mlflow, made, said), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if said:
        _warn(f"this run is not in MLflow: {said[0]}")


def _send(mlflow: Any, made: Run, said: list[str]) -> None:
    try:
        client = mlflow.MlflowClient()
        name = package_name()
        known = client.get_experiment_by_name(name)
        experiment = known.experiment_id if known else client.create_experiment(name)
        tags = {key: str(made[key]) for key in ("commit", "changes", "data", "kind")}
        identity = client.create_run(experiment, tags=tags).info.run_id
        for key, value in made["parameters"].items():
            client.log_param(identity, key, value)
        for key, value in made["metrics"].items():
            client.log_metric(identity, key, value)
        client.set_terminated(identity)
        said.clear()
    except Exception as error:  # whatever ails the server, the model is trained
        said[0] = " ".join(str(error).split())[:200]


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)


def _row(one: Run) -> list[str]:
    metrics = ", ".join(f"{key} {value:.4g}" for key, value in one["metrics"].items())
    short = [one[key][:12] for key in ("commit", "changes", "data", "model_sha256")]
    return [one["time"], one["kind"], *short, f"{one['seconds']:.1f}", metrics]


def _rows(runs: list[Run]) -> list[list[str]]:
    """A row for each run, with the parameters that the run before had otherwise."""
    found = []
    for before, one in itertools.pairwise([runs[0], *runs]):
        old, new = before["parameters"], one["parameters"].items()
        other = [
            f"{key.split('__')[-1]} {value}" for key, value in new if old.get(key, value) != value
        ]
        found.append([*_row(one), ", ".join(other)])
    return found


def _page(runs: list[Run]) -> str:
    """The runs as one page that needs no network: a plot of the latest metric, and a table."""
    metric = next(iter(runs[-1]["metrics"]))
    scores = [one["metrics"].get(metric) for one in runs]
    known = [score for score in scores if score is not None]
    low, high = min(known), max(known)
    step, span = 760 / max(len(runs) - 1, 1), (high - low) or 1
    points = [
        (20 + step * place, 190 - 170 * (score - low) / span)
        for place, score in enumerate(scores)
        if score is not None
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    told = _rows(runs)
    those = [row for row, one in zip(told, runs, strict=True) if metric in one["metrics"]]
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{html.escape(" ".join(row))}'
        "</title></circle>"
        for row, (x, y) in zip(those, points, strict=True)
    )
    rows = ["".join(f"<td>{html.escape(text)}</td>" for text in row) for row in told[::-1]]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    head = "".join(f"<th>{name.lower()}</th>" for name in HEAD)
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Runs</title><style>
{STYLE}</style><h1>Runs</h1>
<p>{html.escape(metric)} on the validation rows, oldest first, from {low:.3g} to {high:.3g}</p>
<svg viewBox="0 0 800 210"><line x1="20" x2="780" y1="190" y2="190"/>
<line x1="20" x2="780" y1="20" y2="20"/><polyline points="{line}"/>{dots}</svg>
<table><tr>{head}</tr>{body}</table></html>
"""


if __name__ == "__main__":
    try:
        perform(sys.argv[1])
    except OpsError as refused:
        complain(refused.cause, refused.remedy)
        sys.exit(1)
