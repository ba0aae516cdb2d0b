"""Connect a PSP account: try its credentials, refuse what rule 2 refuses, store them sealed."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import AccountMismatch, InvalidInput, LivemodeMismatch
from tinko_pipelines.core.psp.capabilities import Capability, can
from tinko_pipelines.core.psp.types import Credentials, Psp
from tinko_pipelines.core.psp.webhook_state import webhook_path
from tinko_pipelines.core.tenants.connections import (
    check_retry_owner,
    create_connection,
    find_connection,
    key_livemode,
    load_credentials,
    replace_credentials,
)
from tinko_pipelines.core.tenants.organisations import (
    NOT_SAID,
    Trade,
    find_organisation,
    set_trade,
)

# asks the PSP whose credentials these are; raises PspError
Identify = Callable[[Psp, Credentials], str]
_ACCOUNT = {Psp.STRIPE: "acct_", Psp.RAZORPAY: "acc_"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be connected. `account_id` only where the PSP does not say it itself; `trade`
    is said of the organisation."""

    psp: Psp
    credentials: Credentials
    livemode: bool
    label: str = ""
    account_id: str | None = None
    retry_owner: str = "tinko"
    trade: Trade = NOT_SAID


@dataclass(frozen=True, slots=True)
class Connected:
    """The new connection. `webhook_secret` is set where we made it: it is shown this once."""

    connection_id: uuid.UUID
    account_id: str
    webhook_url: str
    webhook_secret: str | None = None


def connect(
    engine: Engine,
    organisation: str,
    wanted: Wanted,
    identify: Identify,
    public_url: str,
    at: datetime,
) -> Connected:
    """Store a connection of `organisation` (its slug), once its PSP has taken the credentials.

    No transaction is open while the PSP is asked. Raises NotFound for the organisation,
    LivemodeMismatch, InvalidInput and AccountMismatch for credentials that are not what was said,
    Conflict for an account that is connected already, and what `identify` raises.
    """
    _same_mode(wanted)
    check_retry_owner(wanted.retry_owner)
    with unit_of_work(engine) as connection:
        owner = find_organisation(connection, organisation)
    account_id = _account(wanted, identify)
    made, credentials = None, wanted.credentials
    if wanted.psp is Psp.RAZORPAY and not credentials.webhook_secrets:
        # at Razorpay the merchant chooses the secret: this is one to enter there
        made = secrets.token_urlsafe(32)
        credentials = replace(credentials, webhook_secrets=(made,))
    with unit_of_work(engine, owner.org_id) as connection:
        set_trade(connection, owner.org_id, wanted.trade)
        connection_id = create_connection(
            connection,
            owner.org_id,
            wanted.psp,
            account_id,
            credentials,
            at,
            livemode=wanted.livemode,
            label=wanted.label,
            retry_owner=wanted.retry_owner,
        )
    url = webhook_url(public_url, wanted.psp, connection_id)
    return Connected(connection_id, account_id, url, made)


def add_webhook_secret(engine: Engine, connection_id: uuid.UUID, secret: str, at: datetime) -> Psp:
    """Take webhooks signed with `secret` from now on, and with the older ones still (a rotation).

    Returns the connection's PSP. Raises UnknownConnection, and InvalidInput for an empty secret.
    """
    if not secret.strip():
        raise InvalidInput("the webhook secret is empty")
    with unit_of_work(engine) as connection:
        found = find_connection(connection, connection_id)
        kept = load_credentials(found)
    held = dict.fromkeys((secret.strip(), *kept.webhook_secrets))
    with unit_of_work(engine, found.org_id) as connection:
        replace_credentials(
            connection, connection_id, replace(kept, webhook_secrets=tuple(held)), at
        )
    return found.psp


def webhook_url(public_url: str, psp: Psp, connection_id: uuid.UUID) -> str:
    """Where the PSP is to send this connection's events."""
    return f"{public_url.rstrip('/')}{webhook_path(psp, connection_id)}"


def _same_mode(wanted: Wanted) -> None:
    said = key_livemode(wanted.credentials.api_key)
    if said is None:
        raise InvalidInput(
            f"this is no {wanted.psp.name.title()} key: it says neither live nor test mode"
        )
    if said != wanted.livemode:
        modes = {True: "live", False: "test"}
        raise LivemodeMismatch(
            f"the key is for {modes[said]} mode, and {modes[wanted.livemode]} mode was asked for"
        )


def _account(wanted: Wanted, identify: Identify) -> str:
    """The account's id: as the PSP says, or as it was given where the PSP does not."""
    given, prefix = wanted.account_id, _ACCOUNT[wanted.psp]
    if given is not None and not given.startswith(prefix):
        raise InvalidInput(f"an account id of {wanted.psp.name.title()} begins with {prefix}")
    tells = can(wanted.psp, Capability.IDENTIFY_ACCOUNT)
    if given is None and not tells:
        raise InvalidInput(
            f"{wanted.psp.name.title()} does not say whose a key is: give the account's id"
            f" ({prefix}…), which its dashboard shows"
        )
    found = identify(wanted.psp, wanted.credentials)
    if tells and given not in (None, found):
        raise AccountMismatch(f"these credentials are of the account {found}, not of {given}")
    return found if tells else str(given)
