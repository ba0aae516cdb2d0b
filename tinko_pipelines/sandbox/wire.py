"""Dropping a connection, as a PSP's edge does in a bad hour: no bytes, then the end."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_EXTENSION = "tinko.transport"


class DroppableProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, letting the application reach its connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_EXTENSION: {"transport": self.transport}}


class Drop(Response):
    """Not an answer: the connection is aborted before a byte of one is sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = scope.get("extensions", {}).get(_EXTENSION)
        if found is None:
            raise ConnectionResetError("the sandbox drops this connection")
        found["transport"].abort()
