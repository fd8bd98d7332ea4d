"""What the documentation says about `/predict`, made from the model's schema at the start."""

from typing import Any

from .model import Model
from .schema import Feature
from .wire import MAX_ROWS


def predict_docs(model: Model) -> dict[str, Any]:
    """The OpenAPI operation object."""
    row = {
        "type": "object",
        "properties": {feature.name: _field(feature) for feature in model.schema.features},
        "required": model.schema.names,
        "additionalProperties": False,
    }
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": MAX_ROWS}
    example = dict(model.facts.example)
    body = {
        "schema": {"anyOf": [row, rows]},
        "examples": {"one row": {"value": example}, "several rows": {"value": [example, example]}},
    }
    answer: dict[str, Any] = {"type": "object", "required": ["prediction"]}
    answer["properties"] = {"prediction": _target(model.schema.classes)}
    answers = {"anyOf": [answer, {"type": "array", "items": answer}]}
    responses = {
        "200": {
            "description": "An answer a row, in order",
            "content": {"application/json": {"schema": answers}},
        },
        "413": {"description": "The body is too large"},
        "422": {"description": "What is wrong, by row and field"},
    }
    return {
        "summary": f"Predict {model.schema.target} for one row or a list of rows",
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": responses,
    }


def _field(feature: Feature) -> dict[str, Any]:
    if feature.categories:
        kind: dict[str, Any] = {"type": "string", "enum": list(feature.categories)}
    else:
        kind = {"type": "integer" if feature.whole else "number"}
        kind |= {"minimum": feature.minimum, "maximum": feature.maximum}
    return {**kind, "description": feature.description}


def _target(classes: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "string", "enum": list(classes)} if classes else {"type": "number"}
