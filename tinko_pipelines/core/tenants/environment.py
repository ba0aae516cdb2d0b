"""Connections out of the environment: STRIPE_SECRET_KEY, RAZORPAY_KEY_ID and their companions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import Connection

from tinko_pipelines.core.db.engine import SET_TENANT
from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.psp.types import Credentials, Psp
from tinko_pipelines.core.settings import Settings
from tinko_pipelines.core.tenants.connections import (
    PspConnection,
    create_connection,
    key_livemode,
    list_connections,
    load_credentials,
    replace_credentials,
)
from tinko_pipelines.core.tenants.envelope import Envelope
from tinko_pipelines.core.tenants.organisations import (
    DEFAULT_SLUG,
    Trade,
    ensure_organisation,
    set_trade,
)
from tinko_pipelines.core.tenants.retrying import set_retry_owner

# asks the PSP whose credentials these are; a network call, so made before any transaction
Identify = Callable[[Psp, Credentials], str]


def environment_credentials(settings: Settings) -> Iterator[tuple[Psp, Credentials]]:
    """What the environment connects. Raises SettingsError for a Razorpay key without its secret."""
    if settings.stripe_secret_key is not None:
        key = settings.stripe_secret_key.get_secret_value()
        yield Psp.STRIPE, Credentials(key, None, _secrets(settings.stripe_webhook_secret))
    if settings.razorpay_key_id is not None:
        if settings.razorpay_key_secret is None:
            raise SettingsError("RAZORPAY_KEY_ID is set but RAZORPAY_KEY_SECRET is not")
        secret = settings.razorpay_key_secret.get_secret_value()
        webhook = _secrets(settings.razorpay_webhook_secret)
        yield Psp.RAZORPAY, Credentials(settings.razorpay_key_id, secret, webhook)


def retry_owner_of(settings: Settings, psp: Psp) -> str | None:
    """Who retries at the environment's account of `psp`; None where it does not say."""
    said = {Psp.STRIPE: settings.stripe_retry_owner, Psp.RAZORPAY: settings.razorpay_retry_owner}
    return said[psp]


def identify_environment(settings: Settings, identify: Identify) -> dict[Psp, str]:
    """The account of each of the environment's credentials, asked of the PSPs.

    Raises what `identify` raises, PspError above all.
    """
    return {psp: identify(psp, found) for psp, found in environment_credentials(settings)}


def ensure_environment_connections(
    connection: Connection,
    settings: Settings,
    accounts: dict[Psp, str],
    at: datetime,
    envelope: Envelope | None = None,
) -> list[UUID]:
    """Make the default organisation hold what the environment says; returns the connections' ids.

    `accounts` comes from `identify_environment`. Needs a role that sees every tenant. Safe to
    repeat: changed keys replace the old ones, webhook secrets that are known stay valid, and who
    retries is as the environment says, where it does.
    Raises Conflict when another organisation holds the account, SettingsError for a key that does
    not say its mode, InvalidInput for a country or category that there is not.
    """
    found = list(environment_credentials(settings))
    if not found:
        return []
    owner = ensure_organisation(connection, DEFAULT_SLUG, "Default organisation", at)
    connection.execute(SET_TENANT, {"org": str(owner.org_id)})
    trade = Trade.said(
        settings.merchant_country, settings.merchant_category, settings.merchant_fresh_notice
    )
    set_trade(connection, owner.org_id, trade)
    there = {
        (item.psp, item.account_id, item.livemode): item
        for item in list_connections(connection)
        if item.org_id == owner.org_id
    }
    ids = []
    for psp, credentials in found:
        livemode = key_livemode(credentials.api_key)
        if livemode is None:
            raise SettingsError(f"the {psp} key of the environment says neither live nor test mode")
        held = there.get((psp, accounts[psp], livemode))
        retries = retry_owner_of(settings, psp)
        if held is not None:
            _refresh(connection, held, credentials, at, envelope)
            if retries is not None:
                set_retry_owner(connection, held.id, retries, at)
            ids.append(held.id)
        else:
            ids.append(
                create_connection(
                    connection,
                    owner.org_id,
                    psp,
                    accounts[psp],
                    credentials,
                    at,
                    livemode=livemode,
                    label=f"{psp} (environment)",
                    retry_owner=retries or "tinko",
                    envelope=envelope,
                )
            )
    return ids


def _refresh(
    connection: Connection,
    held: PspConnection,
    wanted: Credentials,
    at: datetime,
    envelope: Envelope | None,
) -> None:
    kept = load_credentials(held, envelope)
    webhook_secrets = tuple(dict.fromkeys((*wanted.webhook_secrets, *kept.webhook_secrets)))
    merged = Credentials(wanted.api_key, wanted.api_secret, webhook_secrets, kept.base_url)
    if merged != kept:
        replace_credentials(connection, held.id, merged, at, envelope=envelope)


def _secrets(value: SecretStr | None) -> tuple[str, ...]:
    """One webhook secret, or several during a rotation, separated by commas."""
    text = "" if value is None else value.get_secret_value()
    return tuple(part.strip() for part in text.split(",") if part.strip())
