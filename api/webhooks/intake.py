"""From a request to a stored event: the checks, in their order, and what each refuses with."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from uuid import UUID

from api.errors import PspMismatch
from api.webhooks.directory import Directory, Receiver
from api.webhooks.storage import Storage
from tinko_pipelines.core.errors import (
    BodyNotJson,
    BodyTooLarge,
    SignatureInvalid,
    UnknownConnection,
)
from tinko_pipelines.core.inbox.store import IncomingEvent, StoredResult
from tinko_pipelines.core.psp.ownership import check_owner
from tinko_pipelines.core.psp.protocol import PspReader
from tinko_pipelines.core.psp.types import ParsedEvent, Psp


class Intake:
    """Takes webhooks. `reader` gives the pure half of a PSP's adapter."""

    def __init__(
        self,
        directory: Directory,
        storage: Storage,
        reader: Callable[[Psp], PspReader],
        max_bytes: int,
    ) -> None:
        self._directory = directory
        self.storage = storage
        self._readers = {psp: reader(psp) for psp in Psp}
        self._max_bytes = max_bytes

    async def take(
        self,
        psp: Psp,
        connection_id: str,
        headers: Mapping[str, str],
        chunks: AsyncIterator[bytes],
    ) -> StoredResult:
        """Verify and store one webhook; returns after the commit.

        Raises UnknownConnection, PspMismatch, BodyTooLarge, SignatureInvalid, SignatureStale,
        BodyNotJson, InvalidInput (JSON, but no event), LivemodeMismatch, AccountMismatch;
        Unavailable and PartitionMissing when it could not be stored now. Nothing is stored then.
        """
        self._refuse_announced(headers)
        receiver = await self._directory.find(_uuid(connection_id))
        if receiver.psp is not psp:
            raise PspMismatch(f"connection {connection_id} is not a {psp} connection")
        raw = await self._read(chunks)
        receiver = await self._verify(raw, headers, receiver)
        event = self._parse(raw, headers, receiver)
        return await self.storage.submit(
            IncomingEvent.of(receiver.org_id, receiver.id, psp, event, raw)
        )

    def _refuse_announced(self, headers: Mapping[str, str]) -> None:
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_bytes:
            raise self._too_large()

    async def _read(self, chunks: AsyncIterator[bytes]) -> bytes:
        """The raw body, read no further than the limit allows."""
        parts: list[bytes] = []
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > self._max_bytes:
                raise self._too_large()
            parts.append(chunk)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"a webhook's body may have {self._max_bytes} bytes")

    async def _verify(self, raw: bytes, headers: Mapping[str, str], receiver: Receiver) -> Receiver:
        """The receiver whose secret signed `raw`: as known, or as it stands since a rotation."""
        reader = self._readers[receiver.psp]
        try:
            reader.verify_webhook(raw, headers, receiver.secrets)
        except SignatureInvalid:
            fresh = await self._directory.newer_than(receiver)
            if fresh.secrets == receiver.secrets:
                raise
            reader.verify_webhook(raw, headers, fresh.secrets)
            return fresh
        return receiver

    def _parse(self, raw: bytes, headers: Mapping[str, str], receiver: Receiver) -> ParsedEvent:
        event = self._readers[receiver.psp].parse_event(_json_object(raw), headers)
        check_owner(event, receiver.psp, receiver.account_id, receiver.livemode)
        return event


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise UnknownConnection("the address does not hold a connection's id") from None


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise BodyNotJson("the body is signed but is not JSON") from None
    if not isinstance(body, dict):
        raise BodyNotJson("the body is JSON but not an object")
    return body
