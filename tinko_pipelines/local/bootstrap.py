"""What `make up` and the demo set up on an empty stack: an organisation, its connections to the
sandbox, and a world that runs. Done twice, it changes nothing."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine

from tinko_pipelines.core.clock import DatabaseClock, WallClock
from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.engine import libpq_url, owner_engine, unit_of_work, worker_engine
from tinko_pipelines.core.errors import NotFound
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.types import Credentials, Psp
from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.core.tenants.api_keys import create_api_key
from tinko_pipelines.core.tenants.connections import create_connection, list_connections
from tinko_pipelines.core.tenants.environment import (
    ensure_environment_connections,
    identify_environment,
)
from tinko_pipelines.core.tenants.organisations import (
    Organisation,
    ensure_organisation,
    find_organisation,
)
from tinko_pipelines.local.traffic import Traffic

SLUG, NAME = "demo", "Chai Point Subscriptions"
# shaped as each PSP shapes its account ids
ACCOUNTS = {Psp.STRIPE: "acct_1TinkoDemo", Psp.RAZORPAY: "acc_TinkoDemo0001"}
# business time of `make up` starts this long ago and runs fast until it meets the wall
BACK = timedelta(days=30)


@dataclass(frozen=True)
class Sandbox:
    """The sandbox's control API."""

    url: str

    @cached_property
    def http(self) -> httpx.Client:
        """One client for all calls; a step of a large world may take minutes."""
        return httpx.Client(base_url=self.url, timeout=600.0)

    def call(self, method: str, name: str, **body: Any) -> dict[str, Any]:
        """Raises RuntimeError with what the sandbox said when it refuses."""
        answer = self.http.request(method, f"/_sandbox/{name}", json=body or None)
        if answer.is_error:
            raise RuntimeError(f"the sandbox refused {name}: {answer.text}")
        found: dict[str, Any] = answer.json()
        return found


def bootstrap(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Set up the demo organisation and let traffic flow; rows for the readiness table."""
    sandbox, traffic = Sandbox(environment["SANDBOX_URL"]), Traffic.from_environment(environment)
    clock = DatabaseClock(libpq_url(get_settings().database_worker_url))
    if clock.rate() == 1 and sandbox.call("GET", "world")["world"]["obligations"] == 0:
        clock.freeze_at((WallClock().now() - BACK).replace(minute=0, second=0, microsecond=0))
    organisation = set_up(sandbox, clock.now(), environment["PUBLIC_URL"])
    settings = get_settings()
    accounts = identify_environment(settings, _account_of)
    with unit_of_work(worker_engine()) as connection:
        ensure_environment_connections(connection, settings, accounts, clock.now())
    if sandbox.call("GET", "world")["world"]["obligations"] == 0:
        sandbox.call("PUT", "world", start=clock.now().isoformat(), **traffic.world)
    sandbox.call("POST", "run", rate=traffic.rate)
    sandbox.call("POST", "resume")
    key = _kept_key(Path(environment["TINKO_DATA_DIR"]) / "demo_api_key", organisation, clock.now())
    return [
        ("organisation", f"{organisation.name} ({organisation.slug})"),
        ("X-API-KEY", key),
        ("business time", f"{clock.now():%Y-%m-%d %H:%M} UTC, {clock.rate():g} times the wall"),
    ]


def _account_of(psp: Psp, credentials: Credentials) -> str:
    """Whose credentials these are, as the PSP says."""
    return registry.adapter(uuid.uuid4(), psp, credentials, get_settings()).verify_credentials()


def set_up(sandbox: Sandbox, now: datetime, public_url: str) -> Organisation:
    """Partitions, organisation, and one connection per PSP whose webhooks come to us.

    `now` is business time. Raises RuntimeError when the sandbox refuses.
    """
    for at in (now, datetime.now(UTC)):
        partitions.ensure(owner_engine(), at)
    with unit_of_work(worker_engine()) as connection:
        organisation = ensure_organisation(connection, SLUG, NAME, now)
        connected = {
            one.psp: one.id
            for one in list_connections(connection)
            if one.org_id == organisation.org_id
        }
    for psp, account_id in ACCOUNTS.items():
        opened = sandbox.call("POST", "accounts", psp=psp.value, account_id=account_id)
        connection_id = connected.get(psp) or _connect(
            worker_engine(), organisation, psp, account_id, opened, sandbox, now
        )
        url = f"{public_url}/v1/webhooks/{psp}/{connection_id}"
        sandbox.call("PUT", "endpoints", psp=psp.value, account_id=account_id, url=url)
    return organisation


def _connect(
    engine: Engine,
    organisation: Organisation,
    psp: Psp,
    account_id: str,
    opened: Mapping[str, Any],
    sandbox: Sandbox,
    now: datetime,
) -> uuid.UUID:
    credentials = Credentials(
        api_key=opened.get("secret_key") or opened["key_id"],
        api_secret=opened.get("key_secret"),
        webhook_secrets=(opened["webhook_secret"],),
        base_url=f"{sandbox.url}/{psp}",
    )
    with unit_of_work(engine, organisation.org_id) as connection:
        return create_connection(
            connection,
            organisation.org_id,
            psp,
            account_id,
            credentials,
            now,
            livemode=False,
            label=f"{psp.name.title()} (sandbox)",
        )


def create_key(organisation: str | None, name: str) -> str:
    """A new API key of an organisation (slug; the demo's by default). Raises NotFound."""
    clock = DatabaseClock(libpq_url(get_settings().database_worker_url))
    with unit_of_work(worker_engine()) as connection:
        try:
            found = find_organisation(connection, organisation or SLUG)
        except NotFound as error:
            raise NotFound(f"{error.detail}; `make up` makes the demo's") from None
        return create_api_key(connection, found.org_id, name, clock.now())


def _kept_key(path: Path, organisation: Organisation, now: datetime) -> str:
    """The demo's key: shown at every start, so the embedded stack keeps it in its own folder."""
    if not path.exists():
        with unit_of_work(worker_engine()) as connection:
            key = create_api_key(connection, organisation.org_id, "demo", now)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as kept:
            kept.write(key)
    return path.read_text()
