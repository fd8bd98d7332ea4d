"""Run with MLServer's Python: ask a server as MLServer's own types and codecs do, and tell what came back.

mlserver_client.py URL [COLUMN_OF_OBJECTS ...] < rows
"""

import json
import sys
import urllib.error
import urllib.request

import pandas as pd  # type: ignore[import-untyped,unused-ignore]
from mlserver.codecs import NumpyCodec, PandasCodec  # type: ignore[import-not-found]
from mlserver.types import InferenceResponse, RequestInput  # type: ignore[import-not-found]


def main(url: str, *objects: str) -> None:
    rows = pd.DataFrame(json.load(sys.stdin))
    texts = [name for name in rows if rows[name].dtype.kind not in "biuf"]
    rows = rows.astype(dict.fromkeys([*texts, *objects], object))
    # Its codec fails at texts with a gap, so these are tensors made with MLServer's types alone.
    gaps = [name for name in texts if rows[name].isna().any()]
    request = PandasCodec.encode_request(rows.drop(columns=gaps))
    for name in gaps:
        data = rows[name].where(rows[name].notna(), None).tolist()
        tensor = {"name": name, "datatype": "BYTES", "shape": [len(rows), 1], "data": data}
        request.inputs.append(RequestInput(**tensor))
    headers = {"content-type": "application/json"}
    body = request.model_dump_json().encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
            response = InferenceResponse.model_validate_json(answer.read())
    except urllib.error.HTTPError as error:
        sys.exit(error.read().decode())
    label, shares = response.outputs
    told = {
        "sent": {tensor["name"]: tensor["datatype"] for tensor in json.loads(body)["inputs"]},
        "labels": NumpyCodec.decode_output(label).tolist(),
        "probabilities": NumpyCodec.decode_output(shares).ravel().tolist(),
        "shape": shares.shape,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
