"""The documentation of `/predict`, made from the model's schema. It runs once, at the start."""

from typing import Any

from .model import Model
from .schema import Feature
from .wire import MAX_ROWS


def predict_docs(model: Model) -> dict[str, Any]:
    """What FastAPI's `add_api_route` shall say about `/predict`."""
    row = {
        "type": "object",
        "properties": {feature.name: _field(feature) for feature in model.schema.features},
        "required": model.schema.names,
        "additionalProperties": False,
    }
    example = dict(model.facts.example)
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": MAX_ROWS}
    body = {
        "schema": {"anyOf": [row, rows]},
        "examples": {"one row": {"value": example}, "several rows": {"value": [example, example]}},
    }
    answer = _answer(model.schema.classes)
    answers = {"anyOf": [answer, {"type": "array", "items": answer}]}
    return {
        "summary": f"Predict {model.schema.target} for one row, or for a list of rows in order",
        "openapi_extra": {
            "requestBody": {"required": True, "content": {"application/json": body}},
            "responses": {
                "200": {"description": "The answers", "content": _json(answers)},
                "413": {"description": "The body is too large"},
                "422": {"description": "What is wrong, by row and field", "content": _json(_WRONG)},
            },
        },
    }


_WRONG = {
    "type": "object",
    "properties": {
        "detail": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": ["string", "null"]},
                    "row": {"type": ["integer", "null"]},
                    "message": {"type": "string"},
                },
            },
        }
    },
}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _field(feature: Feature) -> dict[str, Any]:
    if feature.categories:
        kind: dict[str, Any] = {"type": "string", "enum": list(feature.categories)}
    else:
        kind = {"type": "integer" if feature.whole else "number"}
        kind |= {"minimum": feature.minimum, "maximum": feature.maximum}
    return kind | ({"description": feature.description} if feature.description else {})


def _answer(classes: tuple[str, ...]) -> dict[str, Any]:
    if not classes:
        return {"type": "object", "properties": {"prediction": {"type": "number"}}}
    share = {"type": "number", "minimum": 0, "maximum": 1}
    probabilities = {"type": "object", "properties": dict.fromkeys(classes, share)}
    return {
        "type": "object",
        "properties": {
            "prediction": {"type": "string", "enum": list(classes)},
            "probabilities": probabilities,
        },
    }
