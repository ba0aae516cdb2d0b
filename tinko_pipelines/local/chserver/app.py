"""The HTTP interface as a bare ASGI application: `GET /ping`, and queries at `/`."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from tinko_pipelines.local.chserver import coding, errors
from tinko_pipelines.local.chserver.engine import Answer, Engine
from tinko_pipelines.local.chserver.request import (
    Query,
    Users,
    credentials,
    read_parameters,
    read_query,
)

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = dict[str, str]

_CONTENT_TYPES = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "TabSeparatedWithNames": "text/tab-separated-values; charset=UTF-8",
}
_PROBES = {"/ping": b"Ok.\n", "/replicas_status": b"Ok.\n"}


class Application:
    """ClickHouse's HTTP interface over one Engine."""

    def __init__(self, engine: Engine, users: Users, threads: int = 16) -> None:
        self._engine, self._users = engine, users
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="query")

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            status, headers, body = await self._answer(scope, receive)
            await send(
                {
                    "type": "http.response.start",
                    "status": status,
                    "headers": [
                        (name.encode(), value.encode("latin-1", "replace"))
                        for name, value in {**headers, "content-length": str(len(body))}.items()
                    ],
                }
            )
            shown = b"" if scope["method"] == "HEAD" else body
            await send({"type": "http.response.body", "body": shown})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                self._threads.shutdown(wait=True, cancel_futures=True)
                self._engine.close()
                return

    async def _answer(self, scope: dict[str, Any], receive: Receive) -> tuple[int, Headers, bytes]:
        plain = {"content-type": "text/plain; charset=UTF-8"}
        body = await _body(receive)
        if scope["path"] in _PROBES:
            return 200, plain, _PROBES[scope["path"]]
        if scope["path"] != "/":
            return 404, plain, b"There is no handle " + scope["path"].encode() + b"\n"
        parameters = read_parameters(scope["query_string"])
        if scope["method"] in {"GET", "HEAD"} and not parameters.get("query"):
            return 200, plain, b"Ok.\n"
        headers = {
            name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._run, parameters, headers, body)

    def _run(
        self, parameters: Headers, headers: Headers, body: bytes
    ) -> tuple[int, Headers, bytes]:
        query_id = str(uuid.uuid4())
        try:
            profile = self._users.profile(*credentials(headers, parameters))
            query = read_query(parameters, headers, body, query_id)
            answer = self._engine.run(query, profile)
        except errors.EngineError as error:
            text = f"{error.text} (version {self._engine.version})\n"
            shown = {
                "content-type": "text/plain; charset=UTF-8",
                "x-clickhouse-exception-code": str(error.code),
                "x-clickhouse-query-id": query_id,
            }
            return error.status, shown, text.encode()
        return self._success(query, answer, parameters, headers)

    def _success(
        self, query: Query, answer: Answer, parameters: Headers, headers: Headers
    ) -> tuple[int, Headers, bytes]:
        shown = {
            "content-type": _CONTENT_TYPES.get(query.format, "text/plain; charset=UTF-8"),
            "x-clickhouse-query-id": query.query_id,
            "x-clickhouse-format": query.format,
            "x-clickhouse-timezone": "UTC",
            "x-clickhouse-server-display-name": "tinko",
            "x-clickhouse-summary": _summary(answer),
        }
        body = answer.body
        wanted = parameters.get("enable_http_compression", "0") in {"1", "true"}
        encoding = coding.choose(headers.get("accept-encoding", "")) if wanted and body else None
        if encoding is not None:
            body = coding.encode(body, encoding)
            shown["content-encoding"] = encoding
        return 200, shown, body


def _summary(answer: Answer) -> str:
    counts = asdict(answer)
    del counts["body"]
    return json.dumps({name: str(value) for name, value in counts.items()})


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
