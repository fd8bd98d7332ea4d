"""JSON in and out: what the endpoints share. Touch this file to change a limit."""

import pydantic_core
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

MAX_BYTES = 1_000_000  # of a request's body
MAX_ROWS = 1000  # in one request, so that none keeps the others waiting for long


async def read_body(request: Request) -> bytes:
    """The whole body. Raises HTTPException 413 as soon as it is too large."""
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BYTES:
            raise HTTPException(413, f"the body is larger than {MAX_BYTES} bytes")
    return b"".join(chunks)


def parse(body: bytes) -> object:
    """JSON -> Python. Raises ValueError for whatever is not JSON, deep nesting included."""
    try:
        content: object = pydantic_core.from_json(body)
    except ValueError as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    return content


def reply(content: object, status: int = 200) -> Response:
    """A JSON response."""
    return Response(pydantic_core.to_json(content), status, media_type="application/json")
