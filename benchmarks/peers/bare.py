"""The least a server can do: an ASGI app that parses JSON, runs the ONNX session, answers JSON.

No validation, no routes, no documentation, no metrics, no log. What a full server costs is
measured against this. Needs uvicorn, onnxruntime and numpy.

    python bare.py MODEL_FOLDER GOLDEN_JSON PORT
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import uvicorn

folder, golden, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(
    str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
)
source = session.get_inputs()[0].name
output = [session.get_outputs()[1].name]
example = json.loads(golden.read_text())
names = list(example["rows"][0])
classes = list(example["predictions"][0]["probabilities"])
HEADERS = [(b"content-type", b"application/json")]


async def app(scope, receive, send):
    """Answer any POST with a prediction."""
    if scope["type"] != "http":
        raise RuntimeError("only HTTP is served here")  # tells uvicorn that there is no lifespan
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    row = json.loads(body)
    features = np.array([[row[name] for name in names]], dtype=np.float32)
    scores = session.run(output, {source: features})[0][0].tolist()
    probabilities = dict(zip(classes, scores, strict=True))
    prediction = max(probabilities, key=probabilities.__getitem__)
    answer = json.dumps({"prediction": prediction, "probabilities": probabilities}).encode()
    length = (b"content-length", str(len(answer)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, length]})
    await send({"type": "http.response.body", "body": answer})


uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
