"""An organisation's API keys: shown once, kept only as their SHA-256."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import NotFound, Unauthenticated
from tinko_pipelines.core.ids import new_id

_SCHEME = "tk_"
_PREFIX = len(_SCHEME) + 6


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Who a valid key stands for."""

    org_id: UUID
    key_id: UUID


def hash_key(key: str) -> str:
    """What is stored. The key is 256 random bits, so a plain hash cannot be searched back."""
    return hashlib.sha256(key.encode()).hexdigest()


def create_api_key(connection: Connection, org_id: UUID, name: str, at: datetime) -> str:
    """Make a key of the organisation and return it; it cannot be read again later."""
    key = _SCHEME + secrets.token_urlsafe(32)
    connection.execute(
        query("tenants", "insert_api_key"),
        {
            "id": new_id(at),
            "org_id": org_id,
            "name": name,
            "prefix": key[:_PREFIX],
            "key_hash": hash_key(key),
            "at": at,
        },
    )
    return key


def find_key_owner(connection: Connection, key: str) -> KeyOwner:
    """The organisation of a key, whatever tenant is set. Raises Unauthenticated."""
    row = connection.execute(query("tenants", "find_api_key"), {"key_hash": hash_key(key)}).first()
    if row is None:
        raise Unauthenticated("the API key is unknown or was revoked")
    return KeyOwner(row.org_id, row.id)


def revoke_api_key(connection: Connection, org_id: UUID, key_id: UUID, at: datetime) -> None:
    """End a key. Raises NotFound when the organisation has no such live key."""
    done = connection.execute(
        query("tenants", "revoke_api_key"), {"org_id": org_id, "id": key_id, "at": at}
    )
    if done.rowcount == 0:
        raise NotFound("the organisation has no live API key of this id")
