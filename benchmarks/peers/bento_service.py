"""The same ONNX session behind BentoML, set up as fast as it goes: one worker, no access log.

BENCH_MODEL=model.onnx BENCH_GOLDEN=golden.json bentoml serve bento_service:Predict
"""

import json
import os
from pathlib import Path

import bentoml
import numpy as np
import onnxruntime

EXAMPLE = json.loads(Path(os.environ["BENCH_GOLDEN"]).read_text())
NAMES = list(EXAMPLE["rows"][0])
CLASSES = list(EXAMPLE["predictions"][0]["probabilities"])


@bentoml.service(
    workers=1,
    logging={"access": {"enabled": False}},
    tracing={"sample_rate": 0.0},
)
class Predict:
    """One row in, one prediction out."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            os.environ["BENCH_MODEL"], options, providers=["CPUExecutionProvider"]
        )
        self.source = self.session.get_inputs()[0].name
        self.output = [self.session.get_outputs()[1].name]

    # `async`, because a plain function would hop through a pool of threads; `/`, so that the body
    # is the row itself.
    @bentoml.api
    async def predict(self, row: dict[str, float], /) -> dict:
        features = np.array([[row[name] for name in NAMES]], dtype=np.float32)
        scores = self.session.run(self.output, {self.source: features})[0][0].tolist()
        probabilities = dict(zip(CLASSES, scores, strict=True))
        best = max(probabilities, key=probabilities.__getitem__)
        return {"prediction": best, "probabilities": probabilities}
