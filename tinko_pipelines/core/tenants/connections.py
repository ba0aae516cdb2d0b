"""Connections: one merchant account at one PSP, with its credentials under envelope encryption."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import IntegrityError

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import Conflict, InvalidInput, LivemodeMismatch, UnknownConnection
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.psp.types import Credentials, Psp
from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.core.tenants.envelope import Envelope, Sealed

RETRY_OWNERS = frozenset({"tinko", "psp"})
# how each PSP's key says which mode it is for
_LIVE_KEYS = ("sk_live_", "rk_live_", "rzp_live_")
_TEST_KEYS = ("sk_test_", "rk_test_", "rzp_test_")


@dataclass(frozen=True, slots=True)
class PspConnection:
    """An active connection as the lookup returns it; its credentials are still sealed."""

    id: UUID
    org_id: UUID
    psp: Psp
    account_id: str
    livemode: bool
    sealed: Sealed
    base_url: str | None
    retry_owner: str


def key_livemode(api_key: str) -> bool | None:
    """The mode a PSP's key says it is for; None where it does not say."""
    if api_key.startswith(_LIVE_KEYS):
        return True
    return False if api_key.startswith(_TEST_KEYS) else None


def check_retry_owner(said: str) -> None:
    """Raise InvalidInput for a retry owner that is none."""
    if said not in RETRY_OWNERS:
        raise InvalidInput(f"retry_owner is one of {sorted(RETRY_OWNERS)}, not {said!r}")


def create_connection(
    connection: Connection,
    org_id: UUID,
    psp: Psp,
    account_id: str,
    credentials: Credentials,
    at: datetime,
    *,
    livemode: bool,
    label: str = "",
    retry_owner: str = "tinko",
    connection_id: UUID | None = None,
    envelope: Envelope | None = None,
) -> UUID:
    """Store a new active connection and return its id. `at` is business time.

    Raises Conflict when the account is connected already in this mode, by whichever organisation
    (rule 2); LivemodeMismatch when the key says it is for the other mode; InvalidInput for a
    retry owner that is none.
    """
    said = key_livemode(credentials.api_key)
    if said is not None and said != livemode:
        raise LivemodeMismatch(
            f"the key is for {_mode(said)} mode, the connection for {_mode(livemode)} mode"
        )
    check_retry_owner(retry_owner)
    made = connection_id or new_id(at)
    sealed = (envelope or _envelope()).seal(_pack(credentials), made)
    values = {
        "id": made,
        "org_id": org_id,
        "psp": str(psp),
        "account_id": account_id,
        "livemode": livemode,
        "label": label or f"{psp} {account_id}",
        "retry_owner": retry_owner,
        "credentials": sealed.credentials,
        "wrapped_key": sealed.wrapped_key,
        "base_url": credentials.base_url,
        "at": at,
    }
    try:
        with connection.begin_nested():
            connection.execute(query("tenants", "insert_connection"), values)
    except IntegrityError as error:
        if "uq_connections_active_account" not in str(error.orig):
            raise
        # whose it is stays unsaid: another tenant's accounts are not ours to tell
        raise Conflict(
            f"the {psp} account {account_id} is already connected in {_mode(livemode)} mode"
        ) from None
    return made


def find_connection(connection: Connection, connection_id: UUID) -> PspConnection:
    """The active connection of this id, whatever tenant is set. Raises UnknownConnection."""
    row = (
        connection.execute(query("tenants", "find_connection"), {"id": connection_id})
        .mappings()
        .first()
    )
    if row is None:
        raise UnknownConnection(f"no active connection has the id {connection_id}")
    return read_connection(row)


def list_connections(connection: Connection) -> list[PspConnection]:
    """The active connections the role and tenant may see."""
    rows = connection.execute(query("tenants", "active_connections")).mappings()
    return [read_connection(row) for row in rows]


def load_credentials(found: PspConnection, envelope: Envelope | None = None) -> Credentials:
    """Decrypt. Raises SettingsError when CREDENTIALS_KEY is missing or is not the sealing key."""
    said: dict[str, Any] = json.loads((envelope or _envelope()).open(found.sealed, found.id))
    return Credentials(
        api_key=said["api_key"],
        api_secret=said["api_secret"],
        webhook_secrets=tuple(said["webhook_secrets"]),
        base_url=found.base_url,
    )


def replace_credentials(
    connection: Connection,
    connection_id: UUID,
    credentials: Credentials,
    at: datetime,
    *,
    envelope: Envelope | None = None,
) -> None:
    """Seal new credentials under a new data key. Raises UnknownConnection.

    During a rotation give both webhook secrets, the new one first.
    """
    sealed = (envelope or _envelope()).seal(_pack(credentials), connection_id)
    values = {
        "id": connection_id,
        "credentials": sealed.credentials,
        "wrapped_key": sealed.wrapped_key,
        "base_url": credentials.base_url,
        "at": at,
    }
    if connection.execute(query("tenants", "replace_credentials"), values).rowcount == 0:
        raise UnknownConnection(f"no active connection has the id {connection_id}")


def disconnect(connection: Connection, connection_id: UUID, at: datetime) -> None:
    """End a connection: its webhooks are refused from now on. Raises UnknownConnection."""
    values = {"id": connection_id, "at": at}
    if connection.execute(query("tenants", "disconnect"), values).rowcount == 0:
        raise UnknownConnection(f"no active connection has the id {connection_id}")


def read_connection(row: RowMapping | dict[str, Any]) -> PspConnection:
    """A row of `find_connection(uuid)` or of the table itself."""
    return PspConnection(
        id=row["id"],
        org_id=row["org_id"],
        psp=Psp(row["psp"]),
        account_id=row["account_id"],
        livemode=row["livemode"],
        sealed=Sealed(bytes(row["credentials"]), bytes(row["wrapped_key"])),
        base_url=row["base_url"],
        retry_owner=row["retry_owner"],
    )


def _envelope() -> Envelope:
    return Envelope.from_setting(get_settings().credentials_key)


def _pack(credentials: Credentials) -> bytes:
    kept = {
        "api_key": credentials.api_key,
        "api_secret": credentials.api_secret,
        "webhook_secrets": list(credentials.webhook_secrets),
    }
    return json.dumps(kept, separators=(",", ":")).encode()


def _mode(livemode: bool) -> str:
    return "live" if livemode else "test"
