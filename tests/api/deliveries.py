"""Webhooks as each PSP sends them, and a client of the whole app to send them to."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import Engine

from api.main import create_app
from api.services import build
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.psp.types import Credentials, Psp
from tinko_pipelines.core.settings import Settings
from tinko_pipelines.core.tenants.api_keys import create_api_key
from tinko_pipelines.core.tenants.connections import create_connection
from tinko_pipelines.core.tenants.envelope import Envelope
from tinko_pipelines.core.tenants.organisations import create_organisation
from tinko_pipelines.local.ports import free_port


@dataclass(frozen=True)
class Merchant:
    org_id: UUID
    stripe: UUID
    razorpay: UUID
    stripe_secret: str
    razorpay_secret: str
    api_key: str


def make_merchant(worker: Engine, key: SecretStr, slug: str = "acme") -> Merchant:
    """An organisation with a connection per PSP and an API key."""
    now = datetime.now(UTC)
    envelope = Envelope.from_setting(key)
    with unit_of_work(worker) as connection:
        org = create_organisation(connection, slug, slug.title(), now)
        ids = {
            psp: create_connection(
                connection,
                org.org_id,
                psp,
                f"acct_{slug}",
                Credentials(f"key_{slug}", "secret", (f"whsec_{slug}_{psp}",)),
                now,
                livemode=False,
                envelope=envelope,
            )
            for psp in Psp
        }
        api_key = create_api_key(connection, org.org_id, "test", now)
    return Merchant(
        org.org_id,
        ids[Psp.STRIPE],
        ids[Psp.RAZORPAY],
        f"whsec_{slug}_stripe",
        f"whsec_{slug}_razorpay",
        api_key,
    )


def settings_of(url: Callable[[str], str], key: str, **changes: Any) -> Settings:
    """The API's settings over a database whose URLs by role are `url`'s; nothing else is up."""
    return Settings(
        database_url=url("tinko_app"),
        database_owner_url=url("tinko_owner"),
        database_worker_url=url("tinko_worker"),
        database_readonly_url=url("tinko_readonly"),
        credentials_key=key,
        webhook_max_bytes=65_536,
        clickhouse_url=f"http://127.0.0.1:{free_port()}/tinko",
        smtp_port=free_port(),
        **({"rate_limit_rules": "10000/minute"} | changes),
    )


@contextmanager
def serving(settings, **parts):
    """A client of a whole app, its lifespan included."""
    app = create_app(build(settings, **parts))
    with TestClient(
        app,
        base_url="http://127.0.0.1:8000",
        client=("127.0.0.1", 50000),
        raise_server_exceptions=False,
    ) as client:
        yield client


def stripe_event(event_id="evt_1Q0000000000000000000001", **changes):
    body = {
        "id": event_id,
        "object": "event",
        "api_version": "2026-10-28",
        "created": 1_790_000_000,
        "livemode": False,
        "pending_webhooks": 1,
        "type": "payment_intent.payment_failed",
        "data": {
            "object": {
                "id": "pi_3Q0000000000000000000001",
                "object": "payment_intent",
                "amount": 49900,
                "currency": "usd",
                "status": "requires_payment_method",
                "latest_charge": "ch_3Q0000000000000000000001",
            }
        },
    }
    return body | changes


def razorpay_event(payment_id="pay_QAbcdefghijk01"):
    return {
        "entity": "event",
        "account_id": "acc_Q0000000000001",
        "event": "payment.failed",
        "contains": ["payment"],
        "created_at": 1_790_000_000,
        "payload": {
            "payment": {
                "entity": {
                    "id": payment_id,
                    "entity": "payment",
                    "amount": 49900,
                    "currency": "INR",
                    "status": "failed",
                    "order_id": "order_QAbcdefghijk01",
                    "method": "upi",
                    "created_at": 1_790_000_000,
                }
            }
        },
    }


def encode(body) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def sign_stripe(raw: bytes, secret: str, at: float | None = None) -> dict[str, str]:
    """Stripe's header, as its documentation describes it."""
    stamp = int(time.time() if at is None else at)
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={stamp},v1={mac}", "Content-Type": "application/json"}


def sign_razorpay(raw: bytes, secret: str, event_id: str | None = None) -> dict[str, str]:
    mac = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    named = {"x-razorpay-event-id": event_id} if event_id else {}
    return {"X-Razorpay-Signature": mac, "Content-Type": "application/json"} | named


def post_stripe(client, merchant, body, *, secret=None, at=None, connection=None) -> httpx.Response:
    raw = encode(body)
    headers = sign_stripe(raw, secret or merchant.stripe_secret, at)
    address = f"/v1/webhooks/stripe/{connection or merchant.stripe}"
    return client.post(address, content=raw, headers=headers)


def post_razorpay(client, merchant, body, *, secret=None, event_id=None) -> httpx.Response:
    raw = encode(body)
    headers = sign_razorpay(raw, secret or merchant.razorpay_secret, event_id)
    return client.post(f"/v1/webhooks/razorpay/{merchant.razorpay}", content=raw, headers=headers)
