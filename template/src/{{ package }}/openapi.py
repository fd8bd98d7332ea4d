"""What the documentation says about `/predict`, made from the model's schema at the start."""

from typing import Any

from .model import Model
from .schema import Feature
from .wire import MAX_ROWS


def predict_docs(model: Model) -> dict[str, Any]:
    """The OpenAPI operation object."""
    schema, example = model.schema, dict(model.facts.example)
    row = {
        "type": "object",
        "properties": {feature.name: _field(feature) for feature in schema.features},
        "required": schema.names,
        "additionalProperties": False,
    }
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": MAX_ROWS}
    body = {
        "schema": {"anyOf": [row, rows]},
        "examples": {"one row": {"value": example}, "several rows": {"value": [example, example]}},
    }
    return {
        "summary": f"Predict {schema.target} for one row, or for a list of rows in order",
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "200": {"description": "`prediction`, and `probabilities` where there are classes"},
            "413": {"description": "The body is too large"},
            "422": {"description": "What is wrong, by row and field"},
        },
    }


def _field(feature: Feature) -> dict[str, Any]:
    if feature.categories:
        kind: dict[str, Any] = {"type": "string", "enum": list(feature.categories)}
    else:
        kind = {"type": "integer" if feature.whole else "number"}
        kind |= {"minimum": feature.minimum, "maximum": feature.maximum}
    return {**kind, "description": feature.description}
