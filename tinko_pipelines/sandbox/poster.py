"""POSTs over a few kept-alive connections, at a tenth of a general client's cost.

A demo posts some twenty thousand webhooks; parsing is httptools', as in uvicorn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

import httptools

TIMEOUT_SECONDS = 10.0
_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Answer:
    """One answer as it comes in. `keep`: whether its connection can be used again."""

    def __init__(self) -> None:
        self.complete = self.keep = False
        self.parser = httptools.HttpResponseParser(self)

    def on_message_complete(self) -> None:
        # only here does the parser still know what the headers said
        self.complete, self.keep = True, self.parser.should_keep_alive()


class Poster:
    """Idle connections by (host, port). One request at a time on each, none repeated here."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int], list[_Connection]] = {}

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer. Raises OSError when there is none, TimeoutError included."""
        parts = urlsplit(url)
        address = (parts.hostname or "", parts.port or 80)
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        lines = [f"POST {path} HTTP/1.1", f"host: {parts.netloc}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join((*lines, "", "")).encode("latin-1")
        async with asyncio.timeout(TIMEOUT_SECONDS):
            connection = await self._take(address)
            try:
                status, keep = await self._exchange(connection, head + body)
            except BaseException:
                connection[1].close()
                raise
        if keep:
            self._idle.setdefault(address, []).append(connection)
        else:
            connection[1].close()
        return status

    async def _take(self, address: tuple[str, int]) -> _Connection:
        idle = self._idle.get(address, [])
        while idle:
            reader, writer = idle.pop()
            # the receiver may have closed it while it was idle
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(*address)

    @staticmethod
    async def _exchange(connection: _Connection, request: bytes) -> tuple[int, bool]:
        reader, writer = connection
        writer.write(request)
        answer = _Answer()
        try:
            while not answer.complete:
                data = await reader.read(65536)
                if not data:
                    raise ConnectionResetError("the receiver closed before it had answered")
                answer.parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise ConnectionError(f"the receiver does not speak HTTP: {error}") from error
        return answer.parser.get_status_code(), answer.keep

    async def close(self) -> None:
        for connections in self._idle.values():
            for _, writer in connections:
                writer.close()
        self._idle.clear()
