"""/healthz, /readyz, /metrics: what operators and orchestrators ask."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text

from api.dependencies import ServicesOf
from api.services import Services
from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.tables import PARTITIONED

router = APIRouter(tags=["operations"])

_SECONDS = 2.0
# without these no webhook can be stored; the others hold up work, not the taking of events
_NEEDED = frozenset({"postgres", "partitions"})


class Down(Exception):
    """A part is not as it must be; the text says how."""


def _postgres(services: Services) -> str:
    with services.app.connect() as connection:
        server = connection.scalar(text("show server_version"))
        connection.execute(text("select 1 from inbox_events limit 0"))
    return f"PostgreSQL {server}"


def _partitions(services: Services) -> str:
    """Down when this month's are missing; a warning as soon as one ahead is."""
    now: datetime = services.clock.now()
    with services.app.connect() as connection:
        absent = partitions.missing(connection, now)
    current = {partitions.month_of(now).partition(table) for table in PARTITIONED}
    if current & set(absent):
        raise Down(f"missing now: {', '.join(sorted(current & set(absent)))}")
    if absent:
        return f"warning: missing ahead: {', '.join(absent)}"
    return f"{partitions.MONTHS_AHEAD} months ahead"


def _clickhouse(services: Services) -> str:
    parts = urlsplit(services.settings.clickhouse_url)
    address = f"{parts.scheme}://{parts.hostname}:{parts.port or 8123}/ping"
    answer = httpx.get(address, timeout=_SECONDS, trust_env=False)
    if answer.status_code != 200:
        raise Down(f"/ping answered {answer.status_code}")
    return "answers"


def _s3(services: Services) -> str:
    address = services.settings.s3_endpoint_url
    if address is None:
        return "not configured"
    # any answer of the server itself will do: without a signature it is a refusal
    answer = httpx.get(address, timeout=_SECONDS, trust_env=False)
    if answer.status_code >= 500:
        raise Down(f"answered {answer.status_code}")
    return "answers"


def _mail(services: Services) -> str:
    address = (services.settings.smtp_host, services.settings.smtp_port)
    with socket.create_connection(address, timeout=_SECONDS) as stream:
        stream.settimeout(_SECONDS)
        greeting = stream.recv(128)
        stream.sendall(b"QUIT\r\n")
    if not greeting.startswith(b"220"):
        raise Down("no SMTP greeting")
    return "answers"


_PARTS: dict[str, Callable[[Services], str]] = {
    "postgres": _postgres,
    "partitions": _partitions,
    "clickhouse": _clickhouse,
    "s3": _s3,
    "mail": _mail,
}


def _state(name: str, services: Services) -> dict[str, Any]:
    try:
        detail = _PARTS[name](services)
    except Exception as error:
        first = str(error).strip().splitlines()
        detail = first[0] if first else type(error).__name__
        return {"state": "down", "needed": name in _NEEDED, "detail": detail}
    state = "warning" if detail.startswith("warning") else "up"
    return {"state": state, "needed": name in _NEEDED, "detail": detail}


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives and its loop turns; says nothing of anything else."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "A needed part is down"}})
def readyz(services: ServicesOf) -> JSONResponse:
    """Each part's state; 503 while one that webhooks need is down."""
    with ThreadPoolExecutor(len(_PARTS)) as pool:
        states = dict(
            zip(_PARTS, pool.map(lambda name: _state(name, services), _PARTS), strict=True)
        )
    ready = all(part["state"] != "down" for part in states.values() if part["needed"])
    return JSONResponse(
        {"status": "ready" if ready else "not ready", "parts": states},
        status_code=200 if ready else 503,
    )


@router.get("/metrics", response_class=Response)
def metrics(services: ServicesOf) -> Response:
    """Prometheus text."""
    return Response(generate_latest(services.registry), media_type=CONTENT_TYPE_LATEST)
