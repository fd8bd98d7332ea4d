"""The servers that answer for the same ONNX model: ours, a bare ASGI app, MLServer, BentoML.

Each peer gets its own virtual environment and its faster settings: its access log off, one
worker, uvloop and httptools. Ours runs as a release does, with its defaults; its log, a line a
request, goes to /dev/null.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.programs import Server, free_port
from benchmarks.workshop import Workshop

PEERS = Path(__file__).resolve().parent / "peers"
OURS, OURS_V2, BARE = "generated project", "generated project, V2 protocol", "bare ASGI app"
MLSERVER, BENTOML = "MLServer, V2 protocol", "BentoML"
ASGI = ("uvicorn", "onnxruntime", "numpy")


@dataclass(frozen=True)
class Model:
    """A built release: its interpreter, its package, the folder of model.onnx, and golden.json."""

    python: Path
    package: str
    folder: Path
    golden: Path

    @property
    def row(self) -> dict[str, Any]:
        """The row that every server is asked about."""
        return dict(json.loads(self.golden.read_text())["rows"][0])

    @property
    def answer(self) -> dict[str, Any]:
        """What `/predict` must answer to it."""
        return dict(json.loads(self.golden.read_text())["predictions"][0])

    @property
    def tensor(self) -> str:
        """The same row as a request of the Open Inference Protocol V2."""
        data = list(self.row.values())
        tensor = {"name": "features", "shape": [1, len(data)], "datatype": "FP32", "data": data}
        return json.dumps({"inputs": [tensor]})


def release(shop: Workshop) -> Model:
    """Generate a project, train, gate and build it, and install the wheel as a deploy does."""
    project = shop.new("predict")
    built = project.path / ".state" / "releases" / project.build()
    python = shop.folder / "release" / "bin" / "python"
    [wheel] = built.glob("*.whl")
    shop.install(python.parent.parent, "-r", str(built / "requirements.txt"), str(wheel))
    [package] = (python.parent.parent).glob("lib/python*/site-packages/churn_model")
    return Model(python, package.name, package / "artifacts", built / "golden.json")


def ours(model: Model, folder: Path) -> Server:
    """The release, as the supervisor starts it, on a port."""
    port = free_port()
    argv = [str(model.python), "-m", f"{model.package}.serve", "--port", str(port)]
    body = json.dumps(model.row)
    packages = ("fastapi", *ASGI)
    return Server(OURS, argv, port, "/predict", body, folder, model.python, packages)


def bare(model: Model, folder: Path) -> Server:
    """The bare app, in the release's own virtual environment."""
    port = free_port()
    argv = [str(model.python), str(PEERS / "bare.py"), str(model.folder), str(model.golden)]
    body = json.dumps(model.row)
    return Server(BARE, [*argv, str(port)], port, "/", body, folder, model.python, ASGI)


def mlserver(model: Model, shop: Workshop, folder: Path) -> Server:
    """MLServer with a small runtime of ours; inference inside the server process.

    Its default, a worker process of its own, costs a hop, and does not start at all with the
    uvloop that a fresh install brings.
    """
    python = shop.install(shop.folder / "mlserver", "mlserver", "onnxruntime", "numpy")
    shutil.copy(PEERS / "mlserver_runtime.py", folder)
    port = free_port()
    settings = {
        "debug": False,  # with it on, an access log is written
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    kind = {"name": "model", "implementation": "mlserver_runtime.OnnxModel"}
    (folder / "model-settings.json").write_text(json.dumps(kind))
    argv = [str(python.parent / "mlserver"), "start", "."]
    path = "/v2/models/model/infer"
    env = {"BENCH_MODEL": str(model.folder / "model.onnx")}
    packages = ("mlserver", *ASGI, "uvloop")
    return Server(MLSERVER, argv, port, path, model.tensor, folder, python, packages, env)


def bentoml(model: Model, shop: Workshop, folder: Path) -> Server:
    """BentoML with a small service of ours."""
    fast = ("uvloop", "httptools")  # it does not ask for them, and is a third faster with them
    python = shop.install(shop.folder / "bentoml", "bentoml", "onnxruntime", "numpy", *fast)
    shutil.copy(PEERS / "bento_service.py", folder)
    port = free_port()
    argv = [str(python.parent / "bentoml"), "serve", "bento_service:Predict"]
    argv += ["--host", "127.0.0.1", "--port", str(port)]
    env = {
        "BENCH_MODEL": str(model.folder / "model.onnx"),
        "BENCH_GOLDEN": str(model.golden),
        "BENTOML_HOME": str(folder / "home"),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    body = json.dumps(model.row)
    packages = ("bentoml", *ASGI)
    return Server(BENTOML, argv, port, "/predict", body, folder, python, packages, env)
