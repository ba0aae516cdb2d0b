"""One API call: keys, body, the script's faults, the answer or Razorpay's error envelope."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tinko_pipelines.sandbox.engine import Engine
from tinko_pipelines.sandbox.gate import guarded
from tinko_pipelines.sandbox.store import Doc

_SAID = {
    401: ("BAD_REQUEST_ERROR", "Authentication failed"),
    409: ("BAD_REQUEST_ERROR", "Request failed because another request is in progress"),
    429: ("BAD_REQUEST_ERROR", "Too many requests"),
    500: ("SERVER_ERROR", "We are facing some trouble completing your request at the moment. "
                          "Please try again shortly."),
}  # fmt: skip
_NO_SUCH_ID = "The id provided does not exist"


class ApiError(Exception):
    """A refused request; nothing happened."""

    def __init__(
        self, description: str, *, status: int = 400, code: str = "BAD_REQUEST_ERROR",
        source: str = "business", step: str = "payment_initiation",
        reason: str = "input_validation_failed", field: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(description)
        self.status = status
        self.body: Doc = {
            "code": code, "description": description, "source": source, "step": step,
            "reason": reason, "metadata": dict(metadata or {}),
        }  # fmt: skip
        if field is not None:
            self.body["field"] = field

    def answer(self) -> Response:
        return JSONResponse({"error": self.body}, status_code=self.status)


def no_such_id() -> ApiError:
    return ApiError(_NO_SUCH_ID)


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request. `body` is {} where there was none, `refund_key` the value of
    `X-Refund-Idempotency`."""

    account: Doc
    path: Mapping[str, Any]
    query: QueryParams
    body: Doc = field(default_factory=dict)
    refund_key: str = ""


Work = Callable[[Call], Any]


class Gateway:
    """Wraps the API's handlers as endpoints."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def endpoint(self, work: Work, charge: bool) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            raw = await request.body()
            what = f"{request.method} {request.url.path.removeprefix('/razorpay')}"
            return await guarded(
                self._engine, "razorpay", what, charge=charge,
                work=lambda: self._answer(request, raw, work), refuse=_refuse,
            )  # fmt: skip

        return endpoint

    def _answer(self, request: Request, raw: bytes, work: Work) -> Response:
        try:
            account = self._account(request.headers.get("authorization", ""))
            body = _body(raw)
            key = request.headers.get("x-refund-idempotency", "")
            answer = work(Call(account, request.path_params, request.query_params, body, key))
        except ApiError as error:
            return error.answer()
        return JSONResponse(answer)

    def _account(self, header: str) -> Doc:
        kind, _, encoded = header.partition(" ")
        try:
            key_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            kind = key_id = secret = ""
        for account in self._engine.store.all("account"):
            if kind.lower() == "basic" and account["psp"] == "razorpay":
                known = account["key_id"] == key_id
                if known and hmac.compare_digest(account["key_secret"].encode(), secret.encode()):
                    return account
        raise ApiError(_SAID[401][1], status=401, source="NA", step="NA", reason="NA")


def _body(raw: bytes) -> Doc:
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ApiError("The request body is not valid JSON.")
    return body


def _refuse(status: int, fault: str) -> Response:
    code, said = _SAID[status]
    return ApiError(said, status=status, code=code, source="NA", step="NA", reason="NA").answer()


def missing(_: Call) -> Doc:
    """Any address the sandbox does not know."""
    raise ApiError("The requested URL was not found on the server.", source="NA", step="NA",
                   reason="NA")  # fmt: skip
