"""The active connections at hand: whose each is, and the adapter that calls its PSP."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import Engine

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import UnknownConnection
from tinko_pipelines.core.ledger.apply import Account
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.protocol import PspAdapter
from tinko_pipelines.core.settings import Settings
from tinko_pipelines.core.tenants.connections import (
    PspConnection,
    list_connections,
    load_credentials,
)


@dataclass(frozen=True, slots=True)
class Seat:
    """One connection: its account for the ledger, who retries, and the adapter."""

    account: Account
    retry_owner: str
    adapter: PspAdapter


def seat_of(one: PspConnection, settings: Settings) -> Seat:
    """The seat of one connection."""
    adapter = registry.adapter(one.id, one.psp, load_credentials(one), settings)
    return Seat(
        Account(one.org_id, one.id, one.psp.value, one.account_id), one.retry_owner, adapter
    )


class Desk:
    """Seats by connection id, read once for a batch; a disabled connection has none."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        with unit_of_work(engine) as connection:
            found = list_connections(connection)
        self.seats = {one.id: seat_of(one, settings) for one in found}

    def seat(self, connection_id: uuid.UUID) -> Seat:
        """Raises UnknownConnection where the connection is not active (any more)."""
        try:
            return self.seats[connection_id]
        except KeyError:
            raise UnknownConnection(f"connection {connection_id} is not active") from None
