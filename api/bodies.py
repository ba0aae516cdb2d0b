"""Bodies of a bounded size, refused as a problem document like everything else."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from tinko_pipelines.core.errors import BodyTooLarge


async def read_up_to(request: Request, most: int) -> bytes:
    """The raw body. Raises BodyTooLarge past `most` bytes, and reads no further."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > most:
            raise BodyTooLarge(f"the body is larger than {most} bytes")
    return bytes(raw)


def bounded(most: int) -> type[APIRoute]:
    """Routes that read up to `most` bytes and no more: `APIRouter(route_class=bounded(…))`.

    FastAPI's own `max_body_size` answers in plain text.
    """

    class BoundedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def read_first(request: Request) -> Response:
                # where request.body() keeps what it has read
                request._body = await read_up_to(request, most)
                return await handle(request)

            return read_first

    return BoundedRoute
