"""From an HTTP request to an endpoint: the key, idempotency, faults, the error envelope."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from tinko_pipelines.sandbox.gate import guarded
from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.stripe import errors, forms
from tinko_pipelines.sandbox.stripe.api import Api, Call, Endpoint
from tinko_pipelines.sandbox.stripe.desk import Cause, Desk
from tinko_pipelines.sandbox.stripe.errors import StripeError
from tinko_pipelines.sandbox.stripe.idempotency import Idempotency
from tinko_pipelines.sandbox.stripe.shapes import API_VERSION


class Dispatch:
    """One ASGI endpoint for everything under /stripe/v1/."""

    def __init__(self, desk: Desk, api: Api) -> None:
        self._desk, self._api = desk, api
        self._idempotency = Idempotency(desk.engine.store)

    async def __call__(self, request: Request) -> Response:
        path: str = request.path_params["path"]
        body = await request.body()
        account: Doc | None = None
        key: str | None = None
        try:
            account = self._account(request)
            endpoint, ids = self._api.find(request.method, path)
            raw = body.decode() if request.method == "POST" else request.url.query
            params = forms.parse(raw)
            if request.method == "POST":
                key = request.headers.get("idempotency-key") or None
            if key is not None:
                kept = self._idempotency.begin(account, key, request.method, path, body)
                if kept is not None:
                    return self._replayed(kept, key)
        except StripeError as error:
            return self._answer(error.status, error.body("req_refused"), "req_refused", key)
        except UnicodeDecodeError:
            refused = errors.invalid("Invalid request body.").body("req_refused")
            return self._answer(400, refused, "req_refused", None)
        return await self._guarded(request.method, path, body, account, key, endpoint, ids, params)

    async def _guarded(
        self, method: str, path: str, body: bytes, account: Doc, key: str | None,
        endpoint: Endpoint, ids: tuple[str, ...], params: dict[str, Any],
    ) -> Response:  # fmt: skip
        post = method == "POST"
        cause = self._desk.request(account, key) if post else Cause("req_read", None)
        request_id = cause.request or ""

        def keep(status: int, answer: bytes) -> None:
            if key is not None:
                self._idempotency.save(account, key, method, path, body, status=status,
                                       answer=answer.decode(), request=request_id)  # fmt: skip

        def work() -> Response:
            try:
                made = self._api.answer(endpoint, Call(account, params, ids, cause))
            except StripeError as error:
                answer = orjson.dumps(error.body(request_id))
                if error.saved:
                    keep(error.status, answer)
                return self._answer(error.status, answer, request_id, key)
            answer = orjson.dumps(made)
            keep(200, answer)
            return self._answer(200, answer, request_id, key)

        def refuse(status: int, name: str) -> Response:
            answer = orjson.dumps(errors.fault(status, name).body(request_id))
            if name == "error_500_after_charge":
                keep(500, answer)  # Stripe replays a 500 of an execution that began
            return self._answer(status, answer, request_id, key)

        def settle() -> None:
            if key is not None:
                self._idempotency.end(account, key)

        return await guarded(
            self._desk.engine, "stripe", f"{method} {path}", charge=endpoint.charges, work=work,
            refuse=refuse, settle=settle,
        )  # fmt: skip

    def _account(self, request: Request) -> Doc:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                value = base64.b64decode(value).decode(errors="replace").partition(":")[0]
            except binascii.Error:
                value = ""
        if not value:
            raise StripeError(401, "invalid_request_error", "You did not provide an API key.")
        for account in self._desk.engine.store.all("account"):
            if account["psp"] == "stripe" and account["secret_key"] == value:
                return account
        raise errors.bad_key(value)

    def _replayed(self, kept: Doc, key: str) -> Response:
        answer = self._answer(kept["status"], kept["body"].encode(), kept["request"], key)
        answer.headers["Idempotent-Replayed"] = "true"
        answer.headers["Original-Request"] = kept["request"]
        return answer

    @staticmethod
    def _answer(
        status: int, body: bytes | dict[str, Any], request_id: str, key: str | None
    ) -> Response:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION}
        if key is not None:
            headers["Idempotency-Key"] = key
        return Response(content, status_code=status, headers=headers,
                        media_type="application/json")  # fmt: skip
