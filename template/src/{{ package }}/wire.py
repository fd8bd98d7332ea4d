"""JSON in and out: what the endpoints share. Touch this file to change a limit."""

import pydantic_core
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

MAX_BYTES = 1_000_000  # of a request's body
MAX_ROWS = 1000  # in one request, so that none keeps the others waiting for long


async def read_body(request: Request) -> bytes:
    """The whole body.

    Raises HTTPException 413 as soon as it is too large, ClientDisconnect when it is cut off.
    """
    body, more = bytearray(), True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BYTES:
            raise HTTPException(413, f"the body is larger than {MAX_BYTES} bytes")
    return bytes(body)


def reply(content: object, status: int = 200) -> Response:
    """A JSON response."""
    return Response(pydantic_core.to_json(content), status, media_type="application/json")
