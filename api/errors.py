"""Every error leaves as an RFC 9457 problem document (`application/problem+json`)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from tinko_pipelines.core.errors import InvalidInput, TinkoError

log = logging.getLogger("tinko.api")


class Unavailable(TinkoError):
    """The database cannot be had now; the caller is to come again."""

    code, status, title = "unavailable", 503, "The service cannot answer now"


class Forbidden(TinkoError):
    code, status, title = "forbidden", 403, "This is not for you"


class RateLimited(TinkoError):
    """`retry_after` in seconds is in `extra`."""

    code, status, title = "rate_limited", 429, "Too many requests"


class PspMismatch(TinkoError):
    code, status, title = "psp_mismatch", 409, "The connection is to another PSP"


def problem(
    code: str,
    status: int,
    title: str,
    detail: str,
    instance: str,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One problem document; `extra` are further members."""
    body = {
        "type": f"urn:tinko:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "instance": instance,
        **(extra or {}),
    }
    return Response(
        json.dumps(body, ensure_ascii=False, default=str),
        status_code=status,
        media_type="application/problem+json",
        headers=dict(headers or {}),
    )


def problem_of(error: TinkoError, instance: str) -> Response:
    """The document of an expected error. A 413 closes the connection: the rest stays unread."""
    headers = {}
    if "retry_after" in error.extra:
        headers["Retry-After"] = str(error.extra["retry_after"])
    elif error.status == 503:
        headers["Retry-After"] = "5"
    if error.status == 401:
        headers["WWW-Authenticate"] = "ApiKey"
    if error.status == 413:
        headers["Connection"] = "close"
    return problem(
        error.code, error.status, error.title, error.detail, instance, error.extra, headers
    )


def install(app: FastAPI) -> None:
    """Give `app` the handlers of every kind of error."""

    @app.exception_handler(TinkoError)
    async def expected(request: Request, error: TinkoError) -> Response:
        if error.status >= 500:
            log.error("%s %s: %s", request.method, request.url.path, error)
        return problem_of(error, request.url.path)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        wrong = [
            {"where": ".".join(str(part) for part in item["loc"]), "what": item["msg"]}
            for item in error.errors()
        ]
        detail = "; ".join(f"{item['where']}: {item['what']}" for item in wrong)
        return problem_of(InvalidInput(detail, errors=wrong), request.url.path)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        return problem(
            status.phrase.lower().replace(" ", "_"),
            status.value,
            status.phrase,
            str(error.detail),
            request.url.path,
            headers=error.headers,
        )

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        # nobody reads this: it keeps a sender that hung up from looking like a fault of ours
        return Response(status_code=499)

    @app.exception_handler(OperationalError)
    async def database(request: Request, error: OperationalError) -> Response:
        log.error("%s %s: %s", request.method, request.url.path, error.orig)
        return problem_of(Unavailable("the database cannot be reached"), request.url.path)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        # Starlette logs the traceback; what went wrong inside is not for the outside
        return problem_of(TinkoError("something failed here; it was logged"), request.url.path)
