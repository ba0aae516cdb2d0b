"""Random ledgers and random questions, drawn from one stream per seed."""

from __future__ import annotations

import random
import uuid
from datetime import timedelta

from sqlalchemy import delete, insert, select

from tests.integration.analytics.conftest import CONNECTION, POLICY, START, Ledger
from tinko_pipelines.core.analytics.reading.measures import (
    AGAIN,
    COHORTS,
    FUNNEL,
    SUMMARY,
    TRIES,
)
from tinko_pipelines.core.analytics.reading.question import Filters, Question, Span
from tinko_pipelines.core.db.tables.ledger import attempts, failures, obligations
from tinko_pipelines.core.db.tables.notifications import notification_deliveries, outbox
from tinko_pipelines.core.db.tables.recovery import cases
from tinko_pipelines.core.ids import new_id

DAY = timedelta(days=1)
PSPS, CURRENCIES = ("stripe", "razorpay"), ("INR", "USD", "JPY")
METHODS = ("card", "upi", "emandate")
CATEGORIES = ("insufficient_funds", "do_not_honor", "expired_instrument")
CONNECTIONS = (CONNECTION, uuid.UUID(int=9))
POLICIES = (POLICY, uuid.UUID(int=10))
CASE_STATES = (
    *("open", "retrying", "awaiting_payer", "recovered", "settled"),
    *("exhausted", "cancelled", "disputed", "reversed"),
)
TRY_STATES = (
    *("failed", "failed", "failed", "succeeded", "pending", "unknown"),
    *("scheduled", "cancelled", "not_sent"),
)
ACTORS = ("merchant", "psp", "tinko", "payer")


class World:
    """An organisation whose ledger fills and changes at random."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self.ledger, self.draw = ledger, random.Random(seed)
        self.debts: list[uuid.UUID] = []

    def at(self) -> object:
        return START + timedelta(seconds=self.draw.randrange(40 * 86_400))

    def add(self, debts: int) -> None:
        for _ in range(debts):
            self._debt()

    def _debt(self) -> None:
        draw, at = self.draw, self.at()
        of = {
            "psp": draw.choice(PSPS),
            "currency": draw.choice(CURRENCIES),
            "connection_id": draw.choice(CONNECTIONS),
        }
        due = draw.randrange(1, 5_000)
        debt = self.ledger.debt(
            at,
            due,
            paid_minor=draw.choice([0, due // 2, due]),
            payer_country=draw.choice([None, "DE", "US", "IN", "JP"]),
            **of,
        )
        self.debts.append(debt)
        for _ in range(draw.randrange(4)):
            at = self.tries(debt, at, of)
        if draw.random() < 0.7:
            self._case(debt, at, due, of["connection_id"])

    def tries(self, debt: uuid.UUID, after: object, of: dict) -> object:
        draw = self.draw
        # now and then two at the very same instant: their ids then say which came first
        at = after + draw.choice([timedelta(0), timedelta(seconds=draw.randrange(5 * 86_400))])
        state, actor = draw.choice(TRY_STATES), draw.choice(ACTORS)
        attempt = self.ledger.attempt(
            debt,
            at,
            actor=actor if state not in ("scheduled", "claimed") else "merchant",
            state=state,
            method=draw.choice(METHODS),
            amount_minor=draw.randrange(1, 5_000),
            submitted_at=at if actor == "tinko" and draw.random() < 0.8 else None,
            occurred_at=draw.choice([at, at + timedelta(minutes=7), None]),
            finished_at=draw.choice([None, at + timedelta(hours=30)]),
            **of,
        )
        if state == "failed" and draw.random() < 0.8:
            failed = at + timedelta(seconds=draw.randrange(90_000))
            self.ledger.failure(
                attempt, debt, failed, psp=of["psp"], category=draw.choice(CATEGORIES)
            )
        return at

    def _case(self, debt: uuid.UUID, at: object, due: int, connection: uuid.UUID) -> None:
        draw, state = self.draw, self.draw.choice(CASE_STATES)
        case = self.ledger.case(
            debt,
            at,
            state=state,
            connection_id=connection,
            policy_version_id=draw.choice(POLICIES),
            recovered_minor=due if state in ("recovered", "settled", "reversed") else 0,
            reversed_minor=draw.choice([0, due // 3]),
            closed_at=draw.choice([None, at + 9 * DAY]),
            updated_at=at + 11 * DAY,
        )
        for _ in range(draw.randrange(3)):
            sent = draw.choice(["sent", "failed", "cancelled"])
            self.ledger.message(debt, case, at + DAY, state=sent)

    def change(self, times: int) -> None:
        """Whatever a ledger may do between two builds of the marts."""
        for _ in range(times):
            self.draw.choice(
                [
                    self._debt,
                    self._try_again,
                    self._case_moves,
                    self._case_is_decided,
                    self._message_is_delivered,
                    self._fold,
                    self._delete,
                ]
            )()

    def _try_again(self) -> None:
        debt = self.draw.choice(self.debts)
        of = self._one(
            select(obligations.c.psp, obligations.c.currency, obligations.c.connection_id).where(
                obligations.c.id == debt
            )
        )
        self.tries(debt, self.at(), dict(of._mapping))

    def _case_moves(self) -> None:
        found = self._one(select(cases.c.id).where(cases.c.org_id == self.ledger.org))
        if found:
            state = self.draw.choice(CASE_STATES)
            brought = 700 if state in ("recovered", "settled") else 0
            self.ledger.change(cases, found.id, state=state, recovered_minor=brought)

    def _case_is_decided(self) -> None:
        """What changes nothing that is counted, and yet is built anew."""
        found = self._one(
            select(cases.c.id, cases.c.obligation_id).where(cases.c.org_id == self.ledger.org)
        )
        if found:
            self.ledger.decision(found.obligation_id, found.id, self.at())

    def _message_is_delivered(self) -> None:
        found = self._one(select(outbox.c.id).where(outbox.c.org_id == self.ledger.org))
        if found:
            at = self.at()
            with self.ledger.engine.begin() as connection:
                connection.execute(
                    insert(notification_deliveries).values(
                        id=new_id(at),
                        org_id=self.ledger.org,
                        outbox_id=found.id,
                        channel="email",
                        result="accepted",
                        at=at,
                    )
                )

    def _fold(self) -> None:
        """A late discovery: one debt was another all along."""
        folded, keeper = self.draw.sample(self.debts, 2)
        self.ledger.change(obligations, folded, state="superseded", superseded_by=keeper)
        with self.ledger.engine.begin() as connection:
            for table in (attempts, failures):
                connection.execute(
                    table.update()
                    .where(table.c.obligation_id == folded)
                    .values(obligation_id=keeper)
                )

    def _delete(self) -> None:
        """A try, or a case, that is gone without a trace but the deletion itself."""
        table = self.draw.choice([attempts, cases])
        found = self._one(select(table.c.id).where(table.c.org_id == self.ledger.org))
        if found:
            with self.ledger.engine.begin() as connection:
                connection.execute(delete(failures).where(failures.c.attempt_id == found.id))
                connection.execute(delete(table).where(table.c.id == found.id))

    def _one(self, statement) -> object:
        with self.ledger.engine.begin() as connection:
            rows = connection.execute(statement.order_by(statement.selected_columns[0])).fetchall()
        return self.draw.choice(rows) if rows else None

    def question(self) -> Question:
        """Any of the API's, with any of its filters."""
        draw = self.draw
        bucket = draw.choice(["day", "week", "month"])
        dimension = draw.choice(["psp", "method", "category", "connection_id"])
        measures, by, only = draw.choice(
            [
                (SUMMARY, (), ""),
                (SUMMARY, (bucket,), ""),
                (SUMMARY, (dimension,), ""),
                (SUMMARY, ("policy_version_id",), ""),
                (FUNNEL, (), ""),
                (COHORTS, (bucket, "days_to_recover"), ""),
                (TRIES, ("payer_weekday", "payer_hour"), AGAIN),
                (TRIES, (draw.choice(["actor", "attempt_number", dimension]),), ""),
            ]
        )
        first = (START - 2 * DAY + draw.randrange(45) * DAY).date()
        return Question(
            measures,
            Span(first, first + draw.choice([0, 6, 60]) * DAY),
            by,
            Filters(
                *(
                    tuple(draw.sample(values, draw.randrange(1, len(values) + 1)))
                    if draw.random() < 0.3
                    else ()
                    for values in (
                        PSPS,
                        METHODS,
                        (*CATEGORIES, "unclassified"),
                        CURRENCIES,
                        CONNECTIONS,
                    )
                )
            ),
            only,
        )
