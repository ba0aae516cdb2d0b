"""What is carried and what the money marts say, held against Postgres on real engines."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import delete, insert, text

from tests.api.deliveries import make_merchant
from tests.integration.analytics.conftest import CONNECTION, START
from tinko_pipelines.core.analytics import sink
from tinko_pipelines.core.analytics.compare import HELD, marts_vs_ledger
from tinko_pipelines.core.analytics.relations import RELATIONS
from tinko_pipelines.core.analytics.targets import ClickHouse
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.tables.ledger import attempts
from tinko_pipelines.core.db.tables.recovery import policy_versions, rule_versions
from tinko_pipelines.core.db.tables.settlement import payouts
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.quality.batch import _taken
from tinko_pipelines.core.quality.model import Aside, Refusal, Source
from tinko_pipelines.core.quality.quarantine import set_aside
from tinko_pipelines.core.quality.stores import MADE, rows_of_both

DAY = timedelta(days=1)
NAMES = {relation.name for relation in RELATIONS}


@pytest.fixture
def world(engine, ledger):
    """An organisation with a row in every relation that is carried."""
    merchant = make_merchant(
        engine, SecretStr(Fernet.generate_key().decode()), f"shop-{ledger.org}"[:40]
    )
    ledger.org = merchant.org_id
    debt = ledger.failed_debt(START)
    case = ledger.case(ledger.debt(START), START)
    ledger.decision(debt, case, START)
    ledger.message(debt, case, START)
    ledger.line(1, START)
    ledger.payout(1, START)
    whose = {"org_id": ledger.org, "version": 1, "definition": {}, "created_at": START}
    with engine.begin() as connection:
        connection.execute(
            insert(policy_versions).values(id=new_id(START), name=str(ledger.org), **whose)
        )
        connection.execute(
            insert(rule_versions).values(
                id=new_id(START), rule_id=new_id(START), name="no nights", place=1, **whose
            )
        )
    return ledger


def take(engine, ledger, number: int) -> None:
    """A line leaves its table for the quarantine, as where a batch refuses it."""
    with unit_of_work(engine) as connection:
        connection_id = connection.scalar(
            text("select connection_id::text from settlement_lines where line_id = :id"),
            {"id": f"txn_{number}"},
        )
        refused = Aside(
            ledger.org,
            Source.LISTING,
            "settlement_lines",
            f"{connection_id} txn_{number}",
            Refusal(("line_order",), "as planted"),
            {},
        )
        set_aside(connection, _taken(connection, "settlement_lines", [refused]), START)


def test_every_relation_is_counted_and_what_moves_may_be_in_either_store(
    engine, client, clock, world
):
    assert set(MADE) == NAMES
    sink.run(engine, ClickHouse(client), clock)
    assert rows_of_both(engine, client, START) == []
    # not carried yet: a new row, a changed one, a deleted one, and one the quarantine took
    world.line(2, START)
    world.change(payouts, CONNECTION, status="failed")
    with engine.begin() as connection:
        connection.execute(delete(attempts).where(attempts.c.org_id == world.org))
    take(engine, world, 1)
    assert rows_of_both(engine, client, START) == []
    sink.run(engine, ClickHouse(client), clock)
    assert rows_of_both(engine, client, START) == []
    # what is older than 35 days was counted in its time
    late = START + 36 * DAY
    for relation in NAMES - {"attempts"}:
        client.command(f"truncate table tinko.{relation}")
    small = {name for name, made in MADE.items() if made is None}
    assert {gap.relation for gap in rows_of_both(engine, client, late)} == small
    lost = rows_of_both(engine, client, START)
    assert {gap.relation for gap in lost} == NAMES - {"attempts"}
    assert all(gap.lost for gap in lost)


@pytest.fixture
def built(engine, client, clock, project):
    def carry_and_build() -> None:
        sink.run(engine, ClickHouse(client), clock)
        project.build(" ".join(f"+{model}" for model in HELD) + " int_messages", tests=False)

    return carry_and_build


def spoil(client, model: str, change: str) -> None:
    client.command(f"alter table tinko.{model} update {change} where 1 settings mutations_sync = 2")


def test_money_marts_are_held_against_postgres(engine, client, ledger, built):
    ledger.failed_debt(START, due=700)
    ledger.failed_debt(START, due=900, recovered=True)
    ledger.debt(START)
    ledger.line(1, START, settled_at=START + DAY)
    ledger.line(2, START, currency="INR")
    ledger.payout(1, START + DAY, amount_minor=971)
    built()
    agreed = {model: [] for model in HELD}
    assert marts_vs_ledger(engine, client, still=True) == agreed
    spoil(client, "settlement_daily", "fee_minor = fee_minor + 1")
    spoil(client, "payouts_daily", "amount_minor = 970")
    spoil(client, "at_risk", "outstanding_minor = 0")
    found = marts_vs_ledger(engine, client)
    assert {
        model: [(one.group.currency, one.measure, one.ledger, one.mart) for one in differ]
        for model, differ in found.items()
    } == {
        "recovery_daily": [],
        "at_risk": [("USD", "outstanding_minor", 700, 0)],
        "settlement_daily": [("INR", "fee_minor", 29, 30), ("USD", "fee_minor", 29, 30)],
        "payouts_daily": [("USD", "amount_minor", 971, 970)],
    }
    # what moved since the build is left out, and what the quarantine took
    ledger.line(3, START)
    take(engine, ledger, 2)
    ledger.payout(2, START + DAY)
    ledger.failed_debt(START)
    assert marts_vs_ledger(engine, client) == agreed
