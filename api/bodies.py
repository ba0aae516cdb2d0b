"""JSON bodies of a bounded size, refused as a problem document like everything else."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from tinko_pipelines.core.errors import BodyTooLarge

MAX_BODY = 64 * 1024  # a policy or a rule with everything in it is a tenth of that


class BoundedRoute(APIRoute):
    """A route that reads up to MAX_BODY bytes and no more: `APIRouter(route_class=BoundedRoute)`.

    FastAPI's own `max_body_size` answers in plain text.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            raw = bytearray()
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > MAX_BODY:
                    raise BodyTooLarge(f"the body is larger than {MAX_BODY} bytes")
            request._body = bytes(raw)  # where request.body() keeps what it has read
            return await handle(request)

        return bounded
