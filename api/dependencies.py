"""What routes ask FastAPI for: the tenant behind a key, and its transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader
from sqlalchemy import Connection

from api.services import Services, services_of
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import Unauthenticated
from tinko_pipelines.core.tenants.api_keys import KeyOwner, find_key_owner

_header = APIKeyHeader(
    name="X-API-KEY", auto_error=False, description="Made by `tinko keys create`"
)

ServicesOf = Annotated[Services, Depends(services_of)]


def require_key(
    request: Request, services: ServicesOf, key: Annotated[str | None, Security(_header)]
) -> KeyOwner:
    """The owner of the request's API key.

    Guesses are limited by address, requests by key. Raises Unauthenticated or RateLimited.
    """
    address = request.client.host if request.client else "unknown"
    if not key:
        services.limits.hit("address", address)
        raise Unauthenticated("this route needs an organisation's API key in X-API-KEY")
    try:
        with services.app.connect() as connection:
            owner = find_key_owner(connection, key)
    except Unauthenticated:
        services.limits.hit("address", address)
        raise
    services.limits.hit("key", str(owner.key_id))
    return owner


def tenant(
    services: ServicesOf, owner: Annotated[KeyOwner, Depends(require_key)]
) -> Iterator[Connection]:
    """A transaction in which row-level security shows the key's organisation and nothing else."""
    with unit_of_work(services.app, owner.org_id) as connection:
        yield connection


# committed before the answer leaves: what a caller is told is so
Tenant = Annotated[Connection, Depends(tenant, scope="function")]
