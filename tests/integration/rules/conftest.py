"""Two organisations, and a way to put failures into the ledger of one."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.tables.ledger import attempts, failures, obligations
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.tenants.organisations import create_organisation

NOW = datetime(2026, 9, 16, 12, tzinfo=UTC)


@dataclass
class Ledger:
    """Failures as the ledger keeps them, gathered here and written together."""

    org_id: uuid.UUID
    connection_id: uuid.UUID = field(default_factory=lambda: new_id(NOW))
    rows: dict = field(default_factory=lambda: {obligations: [], attempts: [], failures: []})

    def debt(self, due=49_900, currency="INR", at=NOW, psp="stripe", country=None, tags=()):
        """A debt as the failures below take it."""
        debt = {
            "id": new_id(at), "org_id": self.org_id, "connection_id": self.connection_id,
            "psp": psp, "state": "open", "due_minor": due, "currency": currency,
            "payer_country": country, "customer_tags": list(tags),
            "created_at": at, "updated_at": at,
        }  # fmt: skip
        self.rows[obligations].append(debt)
        return debt

    def failure(self, debt, at=NOW, category="insufficient_funds", code="card_declined", **more):
        """One failed try at a debt."""
        attempt_id = new_id(at)
        shared = {"org_id": self.org_id, "obligation_id": debt["id"], "psp": debt["psp"]}
        self.rows[attempts].append(
            shared
            | {"id": attempt_id, "connection_id": self.connection_id, "actor": "merchant"}
            | {"state": "failed", "amount_minor": debt["due_minor"], "currency": debt["currency"]}
            | {"method": "card", "country": None, "created_at": at, "updated_at": at}
            | {name: more[name] for name in ("method", "country") if name in more}
        )
        self.rows[failures].append(
            shared
            | {"attempt_id": attempt_id, "category": category, "retry_advice": "timed"}
            | {"hard": False, "who_acts": "nobody", "confidence": 1.0, "decided_by": "row 1"}
            | {"late_authorisation": False, "code": code, "failed_at": at, "created_at": at}
            | {"case_id": more.get("case_id")}
        )
        return str(attempt_id)

    def write(self, worker):
        with unit_of_work(worker) as connection:
            for table, rows in self.rows.items():
                if rows:
                    connection.execute(insert(table), rows)


@pytest.fixture
def org_id(database):
    with unit_of_work(database.worker) as connection:
        return create_organisation(connection, "acme", "Acme", NOW).org_id


@pytest.fixture
def other_org(database):
    with unit_of_work(database.worker) as connection:
        return create_organisation(connection, "zenith", "Zenith", NOW).org_id


@pytest.fixture
def ledger(org_id):
    return Ledger(org_id)
