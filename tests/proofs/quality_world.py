"""A clean world to plant bad rows in: one merchant's debts, attempts, cases and listings.

Each kind of row stands at a number of its own, so that a planting can name its victim. All of it is
what the platform writes itself; no check has anything to say of it.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import Engine, Table, insert, update

from tests.api.deliveries import Merchant, make_merchant
from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.tables.ledger import attempts, failures, obligations, psp_refs
from tinko_pipelines.core.db.tables.recovery import cases
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.inbox.store import IncomingEvent, store_events
from tinko_pipelines.core.ingestion.frames import SCHEMAS
from tinko_pipelines.core.ingestion.load import load
from tinko_pipelines.core.ledger.apply import Account
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.types import Credentials, ParsedEvent, Psp
from tinko_pipelines.core.settings import Settings
from tinko_pipelines.core.tenants.desk import Desk, Seat

NOW = datetime(2026, 9, 28, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
# a debt of each five failed first and was brought back by us; a policy version nobody looks up
FAILED, POLICY = 5, uuid.UUID(int=8)


@dataclass
class World:
    """`debts`, `tries`, `retries` and `opened` (cases) are ids by number of the debt, the latter
    two only of those that failed. Money is in minor units."""

    engine: Engine
    settings: Settings
    merchant: Merchant
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))
    debts: list[uuid.UUID] = field(default_factory=list)
    tries: list[uuid.UUID] = field(default_factory=list)
    retries: dict[int, uuid.UUID] = field(default_factory=dict)
    opened: dict[int, uuid.UUID] = field(default_factory=dict)
    planted: set[str] = field(default_factory=set)  # keys that earlier rounds spoiled

    @classmethod
    def open(cls, engine: Engine, slug: str = "acme") -> World:
        key = Fernet.generate_key().decode()
        settings = Settings(credentials_key=SecretStr(key))
        return cls(engine, settings, make_merchant(engine, settings.credentials_key, slug))

    def desk(self) -> Desk:
        """The merchant's Razorpay account; nobody is there to be asked."""
        seat = Seat(
            Account(self.merchant.org_id, self.merchant.razorpay, "razorpay", "acct_acme"),
            "tinko",
            registry.adapter(
                self.merchant.razorpay,
                Psp.RAZORPAY,
                Credentials("key", "secret", base_url="http://127.0.0.1:9"),
                self.settings,
            ),
        )
        desk = Desk.__new__(Desk)
        desk.seats = {self.merchant.razorpay: seat}
        return desk

    def fill(self, debts: int) -> None:
        """So many clean debts more, and a listed payment, line and payout for each."""
        first = len(self.debts)
        rows: dict[Table, list[dict[str, Any]]] = {
            table: [] for table in (obligations, attempts, failures, cases)
        }
        for number in range(first, first + debts):
            self._debt(number, rows)
        with unit_of_work(self.engine) as connection:
            for table, values in rows.items():
                # rows of one statement have the same columns
                for columns in {tuple(one) for one in values}:
                    same = [one for one in values if tuple(one) == columns]
                    connection.execute(insert(table), same)
        for table in SCHEMAS:
            listed = [self.listed(table, number) for number in range(first, first + debts)]
            with unit_of_work(self.engine) as connection:
                load(connection, table, pl.from_dicts(listed, schema=SCHEMAS[table]))

    def at(self, number: int) -> datetime:
        """When debt `number` was made: over the last week, in order."""
        return NOW - timedelta(days=7) + timedelta(seconds=30 * (number % 10_000))

    def _debt(self, number: int, rows: dict[Table, list[dict[str, Any]]]) -> None:
        at, fails = self.at(number), number % FAILED == 0
        debt, first = new_id(at), new_id(at)
        self.debts.append(debt)
        self.tries.append(first)
        whose = {"org_id": self.merchant.org_id, "connection_id": self.merchant.razorpay}
        rows[obligations].append(
            whose
            | {
                "id": debt,
                "psp": "razorpay",
                "state": "paid",
                "due_minor": 1000 + number,
                "paid_minor": 1000 + number,
                "currency": "INR",
                "customer_ref": f"cust_{number}",
                "payer_email": "payer@example.com",
                "has_mandate": True,
                "psp_retries": False,
                "created_at": at,
                "updated_at": at,
            }
        )
        common = whose | {
            "psp": "razorpay",
            "obligation_id": debt,
            "amount_minor": 1000 + number,
            "currency": "INR",
            "method": "card",
            "network": "visa",
        }
        times = {"occurred_at": at, "finished_at": at, "created_at": at, "updated_at": at}
        rows[attempts].append(
            common
            | times
            | {
                "id": first,
                "actor": "merchant",
                "state": "failed" if fails else "succeeded",
                "psp_payment_id": f"pay_{number}",
                "error": {"reason": "insufficient_funds"} if fails else None,
                "classified_at": at if fails else None,
            }
        )
        if fails:
            self._recovered(number, at, common, rows)

    def _recovered(
        self, number: int, at: datetime, common: dict[str, Any], rows: dict[Table, Any]
    ) -> None:
        debt, later = self.debts[number], at + HOUR
        retry, case = new_id(later), new_id(at)
        self.retries[number], self.opened[number] = retry, case
        rows[failures].append(
            {
                "attempt_id": self.tries[number],
                "org_id": self.merchant.org_id,
                "obligation_id": debt,
                "psp": "razorpay",
                "category": "insufficient_funds",
                "retry_advice": "timed",
                "hard": False,
                "who_acts": "payer",
                "confidence": 0.9,
                "late_authorisation": False,
                "decided_by": "razorpay.insufficient_funds",
                "failed_at": at,
                "created_at": at,
            }
        )
        rows[attempts].append(
            common
            | {
                "id": retry,
                "actor": "tinko",
                "state": "succeeded",
                "psp_payment_id": f"pay_{number}_again",
                "idempotency_key": f"key_{number}",
                "evidence": {"rows": []},
                "case_id": case,
                "submitted_at": later,
                "finished_at": later + timedelta(seconds=2),
                "created_at": at,
                "updated_at": later,
            }
        )
        rows[cases].append(
            {
                "id": case,
                "org_id": self.merchant.org_id,
                "connection_id": self.merchant.razorpay,
                "obligation_id": debt,
                "policy_version_id": POLICY,
                "state": "recovered",
                "recovered_by": "retry",
                "recovered_minor": 1000 + number,
                "opened_at": at,
                "closed_at": later,
                "updated_at": later,
            }
        )

    def listed(self, table: str, number: int, **changes: Any) -> dict[str, Any]:
        """A clean row of a listing, as its frame has it, with `changes`."""
        at = self.at(number)
        common = {
            "connection_id": str(self.merchant.razorpay),
            "org_id": str(self.merchant.org_id),
            "psp": "razorpay",
            "currency": "INR",
            "created_at": at,
            "day": at.date(),
            "listed_at": NOW,
        }
        rows: dict[str, dict[str, Any]] = {
            "psp_records": {
                "object_id": f"pay_{number}",
                "kind": "payment",
                "payment_id": f"pay_{number}",
                "status": "succeeded",
                "amount_minor": 1000 + number,
                "refunded_minor": 0,
                "fee_minor": 20,
                "tax_minor": 3,
                "method": "card",
                "captured_at": at,
            },
            "settlement_lines": {
                "line_id": f"pay_{number}",
                "kind": "payment",
                "source_id": f"pay_{number}",
                "payment_id": f"pay_{number}",
                "payout_id": f"setl_{number}",
                "payout_status": "paid",
                "gross_minor": 1000 + number,
                "fee_minor": 20,
                "tax_minor": 3,
                "net_minor": 980 + number,
                "available_on": None,
                "settled_at": at + 2 * HOUR,
                "on_hold": False,
                "exchange_rate": None,
                "utr": f"utr_{number}",
            },
            "payouts": {
                "payout_id": f"setl_{number}",
                "status": "paid",
                "amount_minor": 980 + number,
                "utr": f"utr_{number}",
                "itemised": True,
                "final": True,
            },
        }
        return common | rows[table] | changes

    def spoil(self, table: Table, key: uuid.UUID, **changes: Any) -> None:
        """Change one row behind the platform's back."""
        column = next(iter(table.primary_key.columns))
        with unit_of_work(self.engine) as connection:
            done = connection.execute(update(table).where(column == key).values(**changes))
            assert done.rowcount == 1, f"there is no {key} in {table}"

    def known_order(self, number: int) -> str:
        """An order that the ledger knows to be of debt `number`, so that nobody is asked of it."""
        order = f"order_{number}"
        with unit_of_work(self.engine) as connection:
            connection.execute(
                insert(psp_refs),
                {
                    "connection_id": self.merchant.razorpay,
                    "object_id": order,
                    "org_id": self.merchant.org_id,
                    "kind": "order",
                    "obligation_id": self.debts[number],
                },
            )
        return order

    def hear(self, name: str, body: dict[str, Any]) -> str:
        """Put an event into the inbox as its webhook does; its id there."""
        event = ParsedEvent(name, str(body["event"]), NOW - HOUR, False, None, ())
        raw = json.dumps(body).encode()
        with unit_of_work(self.engine, self.merchant.org_id) as connection:
            (stored,) = store_events(
                connection,
                [
                    IncomingEvent.of(
                        self.merchant.org_id, self.merchant.razorpay, Psp.RAZORPAY, event, raw
                    )
                ],
                NOW,
            )
        return str(stored.inbox_id)
