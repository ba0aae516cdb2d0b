"""POST /v1/webhooks/{psp}/{connection_id}: one route per PSP."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.services import services_of
from tinko_pipelines.core.errors import TinkoError
from tinko_pipelines.core.psp.types import Psp

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

_STORED = b'{"status":"stored"}'
_DUPLICATE = {
    matched: b'{"status":"duplicate","matched":"%s"}' % matched.encode()
    for matched in ("event_id", "body")
}
_PROBLEM = {"content": {"application/problem+json": {}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Stored, now or before; committed", "content": {"application/json": {}}},
    400: {"description": "signature_stale or body_not_json", **_PROBLEM},
    401: {"description": "signature_invalid", **_PROBLEM},
    404: {"description": "connection_unknown", **_PROBLEM},
    409: {"description": "psp_mismatch, livemode_mismatch or account_mismatch", **_PROBLEM},
    413: {"description": "body_too_large", **_PROBLEM},
    422: {"description": "invalid_input: JSON, but no event", **_PROBLEM},
    503: {"description": "Not stored; send it again", **_PROBLEM},
}
_BODY = {
    "requestBody": {
        "required": True,
        "description": "The PSP's event, as it signed it",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


def _endpoint(psp: Psp) -> Callable[[str, Request], Awaitable[Response]]:
    async def receive(connection_id: str, request: Request) -> Response:
        started = time.perf_counter()
        services = services_of(request)
        metrics = services.webhook_metrics
        metrics.received[psp].inc()
        try:
            result = await services.intake.take(
                psp, connection_id, request.headers, request.stream()
            )
        except TinkoError as error:
            metrics.refused.labels(psp, error.code).inc()
            raise
        finally:
            metrics.seconds[psp].observe(time.perf_counter() - started)
        if result.matched is None:
            metrics.stored[psp].inc()
            return Response(_STORED, media_type="application/json")
        metrics.duplicates[psp, result.matched].inc()
        return Response(_DUPLICATE[result.matched], media_type="application/json")

    return receive


for _psp in Psp:
    router.add_api_route(
        f"/{_psp}/{{connection_id}}",
        _endpoint(_psp),
        methods=["POST"],
        name=f"receive_{_psp}",
        summary=f"Receive one {_psp.capitalize()} webhook",
        description="Verified on the raw body, stored once, answered only after the commit.",
        responses=_RESPONSES,
        response_class=Response,
        openapi_extra=_BODY,
    )
