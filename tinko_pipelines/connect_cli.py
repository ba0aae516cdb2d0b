"""`tinko connect …`: a merchant's PSP account becomes a connection. Secrets never go in argv."""

# imports are inside the commands, so that `--help` answers at once
# ruff: noqa: PLC0415

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from tinko_pipelines.core.psp.types import Credentials, Psp

app = typer.Typer(help="Connect a PSP account.", no_args_is_help=True)

Organisation = Annotated[str, typer.Option("--org", help="The organisation's slug.")]
Label = Annotated[str, typer.Option(help="What the console calls it.")]
Live = Annotated[bool, typer.Option("--live/--test", help="The mode the key must be for.")]
BaseUrl = Annotated[
    str | None, typer.Option(help="Another address of the PSP's API (a proxy, the sandbox).")
]
Account = Annotated[str | None, typer.Option(help="The PSP account's id.")]
Retries = Annotated[
    str, typer.Option(help="Who retries what fails: tinko, or psp with Tinko watching.")
]
Country = Annotated[
    str | None, typer.Option(help="Where the merchant is (ISO 3166-1): some limits depend on it.")
]
Category = Annotated[
    str | None,
    typer.Option(help="What the merchant sells: insurance, mutual_funds, card_bills or other."),
]
Fresh = Annotated[
    bool | None,
    typer.Option(
        "--fresh-notice/--one-notice",
        help="Whether each retry of a mandate has a pre-debit notice of its own (default: yes).",
    ),
]


@app.command("stripe")
def stripe(
    org: Organisation,
    label: Label = "",
    live: Live = False,
    account: Account = None,
    base_url: BaseUrl = None,
    country: Country = None,
    category: Category = None,
    fresh_notice: Fresh = None,
    retries: Retries = "tinko",
) -> None:
    """Connect a Stripe account: STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET, or a prompt."""
    from tinko_pipelines.core.psp.types import Credentials, Psp

    credentials = Credentials(
        _secret("STRIPE_SECRET_KEY", "Stripe secret or restricted key"),
        None,
        _secrets("STRIPE_WEBHOOK_SECRET"),
        base_url,
    )
    trade = country, category, fresh_notice
    _connect(Psp.STRIPE, credentials, org, label, live, account, trade, retries)


@app.command("razorpay")
def razorpay(
    org: Organisation,
    account: Account = None,
    label: Label = "",
    live: Live = False,
    base_url: BaseUrl = None,
    country: Country = None,
    category: Category = None,
    fresh_notice: Fresh = None,
    retries: Retries = "tinko",
) -> None:
    """Connect a Razorpay account: RAZORPAY_KEY_ID, RAZORPAY_KEY_SECRET and
    RAZORPAY_WEBHOOK_SECRET, or a prompt."""
    from tinko_pipelines.core.psp.types import Credentials, Psp

    credentials = Credentials(
        _secret("RAZORPAY_KEY_ID", "Razorpay key id", hidden=False),
        _secret("RAZORPAY_KEY_SECRET", "Razorpay key secret"),
        _secrets("RAZORPAY_WEBHOOK_SECRET"),
        base_url,
    )
    trade = country, category, fresh_notice
    _connect(Psp.RAZORPAY, credentials, org, label, live, account, trade, retries)


@app.command("secret")
def secret(
    connection: Annotated[uuid.UUID, typer.Argument(help="The connection's id.")],
) -> None:
    """Add a webhook's signing secret (WEBHOOK_SECRET, or a prompt); older ones stay valid."""
    from tinko_pipelines.cli import embedded_by_default

    said = _secret("WEBHOOK_SECRET", "the webhook's signing secret")
    embedded_by_default()
    from tinko_pipelines.core.db.engine import worker_engine
    from tinko_pipelines.core.tenants.connecting import add_webhook_secret

    psp = add_webhook_secret(worker_engine(), connection, said, _now())
    typer.echo(f"{psp}: webhooks signed with it are taken")


@app.command("merchant")
def merchant(
    org: Organisation,
    country: Country = None,
    category: Category = None,
    fresh_notice: Fresh = None,
) -> None:
    """Say of an organisation what some limits depend on; what is not said stays."""
    from tinko_pipelines.cli import embedded_by_default
    from tinko_pipelines.core.tenants.organisations import Trade

    said = Trade.said(country, category, fresh_notice)
    embedded_by_default()
    from tinko_pipelines.core.db.engine import unit_of_work, worker_engine
    from tinko_pipelines.core.tenants.organisations import find_organisation, set_trade

    with unit_of_work(worker_engine()) as unit:
        set_trade(unit, find_organisation(unit, org).org_id, said)
        now = find_organisation(unit, org)
    notice = "each retry has its own" if now.fresh_notice else "a debt's first one does for all"
    typer.echo(f"{org}: in {now.country or '?'}, sells {now.category or '?'}, notices: {notice}")


@app.command("retries")
def retries_by(
    connection: Annotated[uuid.UUID, typer.Argument(help="The connection's id.")],
    owner: Annotated[str, typer.Argument(help="tinko, or psp with Tinko watching.")],
) -> None:
    """Say who retries what fails at a connection; what Tinko has planned ends where it does not."""
    from tinko_pipelines.cli import embedded_by_default

    embedded_by_default()
    from tinko_pipelines.core.db.engine import unit_of_work, worker_engine
    from tinko_pipelines.core.tenants.retrying import set_retry_owner

    now = _now()
    with unit_of_work(worker_engine()) as unit:
        made = set_retry_owner(unit, connection, owner, now)
    who = {"tinko": "Tinko retries", "psp": f"{made.psp.name.title()} retries, Tinko watches"}
    ended = f"; {made.cancelled} planned retries were cancelled" if made.cancelled else ""
    typer.echo(f"{connection}: {who[owner]} (before: {made.before}){ended}")


def _connect(
    psp: Psp,
    credentials: Credentials,
    org: str,
    label: str,
    live: bool,
    account: str | None,
    trade: tuple[str | None, str | None, bool | None],
    retries: str,
) -> None:
    from tinko_pipelines.cli import embedded_by_default

    embedded_by_default()
    from tinko_pipelines.core.db.engine import worker_engine
    from tinko_pipelines.core.psp import registry
    from tinko_pipelines.core.settings import get_settings
    from tinko_pipelines.core.tenants.connecting import Wanted, connect
    from tinko_pipelines.core.tenants.organisations import Trade

    settings = get_settings()
    made = connect(
        worker_engine(),
        org,
        Wanted(psp, credentials, live, label, account, retries, Trade.said(*trade)),
        lambda psp, held: registry.try_out(psp, held, settings).verify_credentials(),
        settings.public_url,
        _now(),
    )
    typer.echo(f"connection   {made.connection_id}")
    typer.echo(f"account      {made.account_id} ({'live' if live else 'test'} mode)")
    typer.echo(f"webhook URL  {made.webhook_url}")
    if made.webhook_secret:
        typer.echo(f"its secret   {made.webhook_secret}")
        typer.echo("enter both at Razorpay, under Webhooks; the secret is shown this once")
    elif not credentials.webhook_secrets:
        typer.echo(
            f"enter it at {psp.name.title()} as a webhook endpoint, then give its signing secret:"
            f" tinko connect secret {made.connection_id}"
        )


def _now() -> datetime:
    """Business time."""
    from tinko_pipelines.core.clock import DatabaseClock
    from tinko_pipelines.core.db.engine import libpq_url
    from tinko_pipelines.core.settings import get_settings

    clock = DatabaseClock(libpq_url(get_settings().database_worker_url))
    try:
        return clock.now()
    finally:
        clock.close()


def _secret(variable: str, what: str, *, hidden: bool = True) -> str:
    """From the environment, else asked for without an echo."""
    said = os.environ.get(variable, "").strip()
    while not said:
        said = str(typer.prompt(f"{what} ({variable})", hide_input=hidden)).strip()
    return said


def _secrets(variable: str) -> tuple[str, ...]:
    """Webhook secrets of the environment: one, or several during a rotation, by commas."""
    said = os.environ.get(variable, "")
    return tuple(one.strip() for one in said.split(",") if one.strip())
