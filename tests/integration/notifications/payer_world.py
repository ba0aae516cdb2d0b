"""The rows that a payer's link needs, written as the worker writes them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.settings import Settings

START = datetime(2026, 8, 3, 9, 30, tzinfo=UTC)
SECRET = "a secret of the tests, long enough to sign with"


@dataclass
class PayerWorld:
    """One merchant and its debts, written as the worker writes them."""

    worker: Engine
    app: Engine
    settings: Settings
    clock: FixedClock = field(default_factory=lambda: FixedClock(START))
    org_id: uuid.UUID = field(default_factory=lambda: new_id(START))

    def add_merchant(self, name: str = "Asha Yoga Studio", language: str = "en") -> None:
        self.write(
            "insert into organisations (org_id, slug, name, language, created_at)"
            " values (:org_id, :slug, :name, :language, :now)",
            slug=f"m-{self.org_id}",
            name=name,
            language=language,
        )

    def add_debt(
        self,
        *,
        due: int = 129900,
        currency: str = "INR",
        category: str | None = "insufficient_funds",
        state: str = "open",
        case_state: str = "awaiting_payer",
        language: str | None = None,
        psp: str = "stripe",
        description: str | None = "Monthly membership, August",
    ) -> tuple[uuid.UUID, uuid.UUID]:
        """An obligation with its case and newest failure; (obligation_id, case_id)."""
        obligation, case = new_id(self.clock.now()), new_id(self.clock.now())
        self.write(
            "insert into obligations (id, org_id, connection_id, psp, state, due_minor, currency,"
            " description, payer_name, payer_language, created_at, updated_at) values (:id,"
            " :org_id, :id, :psp, :state, :due, :currency, :description, 'Meena', :language,"
            " :now, :now)",
            id=obligation,
            psp=psp,
            state=state,
            due=due,
            currency=currency,
            description=description,
            language=language,
        )
        self.write(
            "insert into cases (id, org_id, connection_id, obligation_id, policy_version_id, state,"
            " opened_at, updated_at) values (:id, :org_id, :id, :obligation, :id, :state, :now,"
            " :now)",
            id=case,
            obligation=obligation,
            state=case_state,
        )
        if category is not None:
            self.write(
                "insert into failures (attempt_id, org_id, obligation_id, psp, category,"
                " retry_advice, hard, who_acts, confidence, late_authorisation, decided_by,"
                " failed_at, created_at) values (:id, :org_id, :obligation, :psp, :category,"
                " 'payer_action', true, 'payer', 1, false, 'a test', :now, :now)",
                id=new_id(self.clock.now()),
                obligation=obligation,
                psp=psp,
                category=category,
            )
        return obligation, case

    def offer(self, debt: tuple[uuid.UUID, uuid.UUID], psp: str = "razorpay") -> uuid.UUID:
        """A rule offered `psp` for the debt, and both PSPs are connected; the connection there."""
        obligation, case = debt
        other = new_id(self.clock.now())
        for connection, of in ((obligation, "stripe"), (other, psp)):
            self.write(
                "insert into connections (id, org_id, psp, account_id, livemode, label,"
                " credentials, wrapped_key, created_at, updated_at) values (:id, :org_id, :psp,"
                " :account, false, '', '', '', :now, :now)",
                id=connection,
                psp=of,
                account=str(connection),
            )
        self.write("update cases set offered_psp = :psp where id = :id", psp=psp, id=case)
        return other

    def late_failure(self, obligation: uuid.UUID, connection: uuid.UUID) -> None:
        """A try at `connection` that timed out just now."""
        attempt = new_id(self.clock.now())
        self.write(
            "insert into attempts (id, org_id, connection_id, psp, obligation_id, actor, state,"
            " amount_minor, currency, created_at, updated_at) values (:id, :org_id, :connection,"
            " 'razorpay', :obligation, 'payer', 'failed', 129900, 'INR', :now, :now)",
            id=attempt,
            connection=connection,
            obligation=obligation,
        )
        self.write(
            "insert into failures (attempt_id, org_id, obligation_id, psp, category, retry_advice,"
            " hard, who_acts, confidence, late_authorisation, decided_by, failed_at, created_at)"
            " values (:id, :org_id, :obligation, 'razorpay', 'outcome_unknown', 'wait', false,"
            " 'nobody', 1, true, 'a test', :now, :now)",
            id=attempt,
            obligation=obligation,
        )

    def add_attempt(self, obligation: uuid.UUID, state: str, actor: str = "tinko") -> uuid.UUID:
        attempt = new_id(self.clock.now())
        self.write(
            "insert into attempts (id, org_id, connection_id, psp, obligation_id, actor, state,"
            " amount_minor, currency, created_at, updated_at) values (:id, :org_id, :id, 'stripe',"
            " :obligation, :actor, :state, 129900, 'INR', :now, :now)",
            id=attempt,
            obligation=obligation,
            actor=actor,
            state=state,
        )
        return attempt

    def set_obligation(self, obligation: uuid.UUID, **columns: object) -> None:
        changes = ", ".join(f"{name} = :{name}" for name in columns)
        self.write(
            f"update obligations set {changes}, updated_at = :now where id = :id",
            id=obligation,
            **columns,
        )

    def pay(self, obligation: uuid.UUID) -> None:
        self.write(
            "update obligations set state = 'paid', paid_minor = due_minor, updated_at = :now"
            " where id = :id",
            id=obligation,
        )

    def write(self, statement: str, **values: object) -> None:
        with unit_of_work(self.worker) as connection:
            connection.execute(
                text(statement), {"org_id": self.org_id, "now": self.clock.now()} | values
            )

    def rows(self, statement: str, **values: object) -> list[dict[str, object]]:
        with unit_of_work(self.worker) as connection:
            return [dict(row._mapping) for row in connection.execute(text(statement), values)]


def open_world(database, **settings: object) -> PayerWorld:
    """The merchant of a test, on its own `database` (the fixture of tests/conftest.py)."""
    made = Settings(
        database_url=database.url("tinko_app"),
        jwt_secret=SECRET,
        smtp_from="billing@tinko.example",
        **{"public_url": "http://127.0.0.1:8000"} | settings,
    )
    world = PayerWorld(worker=database.worker, app=database.app, settings=made)
    world.add_merchant()
    return world


@dataclass
class MovableWall:
    """Wall time that a test moves; leases and back-off look at it."""

    instant: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant

    def rate(self) -> float:
        return 1.0

    def advance(self, **by: float) -> None:
        self.instant += timedelta(**by)
