"""One question, one answer: the marts, the marts put right by the ledger, and the ledger alone."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.integration.analytics.conftest import START, Ledger
from tests.integration.analytics.insights_world import World
from tinko_pipelines.core.analytics import sink
from tinko_pipelines.core.analytics.reading import marts
from tinko_pipelines.core.analytics.reading.insights import Insights, Source
from tinko_pipelines.core.analytics.reading.measures import MARTS, SUMMARY, TRIES
from tinko_pipelines.core.analytics.reading.question import Question, Span
from tinko_pipelines.core.analytics.reading.store import Store
from tinko_pipelines.core.analytics.targets import ClickHouse
from tinko_pipelines.core.db.engine import make_engine
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.db.tables.ledger import attempts
from tinko_pipelines.core.ids import new_id

SPAN = Span(START.date(), (START + timedelta(days=60)).date())


# what an answer is read from, and no other mart
READ = " ".join(("int_messages", *(f"+{mart.name}" for mart in MARTS)))


@pytest.fixture
def refresh(engine, client, clock, project):
    def refreshed() -> None:
        sink.run(engine, ClickHouse(client), clock)
        project.build(READ, tests=False)

    return refreshed


@pytest.fixture(scope="module")
def app(postgres, database):
    made = make_engine(postgres.url("tinko_app", database))
    yield made
    made.dispose()


@pytest.fixture
def owner(postgres, database):
    made = make_engine(postgres.url("tinko_owner", database), pooled=False)
    yield made
    with made.begin() as connection:
        connection.exec_driver_sql("delete from archives")


@pytest.fixture
def insights(app, client, clickhouse_server, clock):
    # the machine may be busy: no test asks how long it takes
    made = Insights(app, clock, Store(clickhouse_server.address, 300), 300)
    yield made
    made.close()


@pytest.fixture
def alone(app, clock):
    return Insights(app, clock, None, 300)


def agree(insights, alone, world, questions: int) -> set[Source]:
    """The sources of the answers that were compared, each to the ledger's own."""
    seen = set()
    for _ in range(questions):
        question = world.question()
        answer = insights.ask(world.ledger.org, question)
        told = alone.ask(world.ledger.org, question)
        assert answer.totals == told.totals, (question, answer.source)
        seen.add(answer.source)
    return seen


def test_every_way_gives_the_ledgers_answer(
    engine, ledger, insights, alone, refresh, client, clock, project
):
    world, other = World(ledger, 0), World(Ledger(engine, uuid.uuid4()), 1)
    ledger.organisation("Asia/Kolkata")
    world.add(40)
    other.add(10)
    assert agree(insights, alone, world, 3) == {Source.POSTGRES}  # nothing is built yet
    refresh()
    assert agree(insights, alone, world, 25) == {Source.CLICKHOUSE}
    world.change(30)
    assert agree(insights, alone, world, 25) == {Source.BOTH}
    assert agree(insights, alone, other, 5) == {Source.CLICKHOUSE}
    refresh()
    assert agree(insights, alone, world, 25) == {Source.CLICKHOUSE}
    # a build is under way: what it has noted, what it has forgotten, what it has not yet written
    world.change(10)
    sink.run(engine, ClickHouse(client), clock)
    half_a_build(client, project)
    assert agree(insights, alone, world, 15) == {Source.BOTH}


def half_a_build(client, project) -> None:
    """A build as it first does: it is noted, and the facts forget the debts that changed."""
    project.build("int_changed_debts", tests=False)
    for fact in ("int_attempts", "int_failed_obligations", "int_messages"):
        client.command(
            f"delete from tinko.{fact} where obligation_id in"
            " (select obligation_id from tinko.int_changed_debts)"
        )


def failed(insights, ledger) -> tuple[Source, int]:
    answer = insights.ask(ledger.org, Question(SUMMARY, SPAN))
    return answer.source, sum(values["failed"] for values in answer.totals.values())


def test_marts_that_lag_are_put_right_and_those_that_cannot_be_are_not_read(
    insights,
    alone,
    ledger,
    refresh,
    client,
    engine,
    project,
    clickhouse_server,
    monkeypatch,
    caplog,
):
    """One build, for it takes long: each step begins where the one before has ended."""
    held, *_ = [ledger.failed_debt(START) for _ in range(3)]
    refresh()
    assert failed(insights, ledger) == (Source.CLICKHOUSE, 3)
    first = insights.ask(ledger.org, Question(SUMMARY, SPAN)).watermark
    # away; and back, once it was left alone for a while
    clickhouse_server.kill()
    assert failed(insights, ledger) == (Source.POSTGRES, 3)
    clickhouse_server.start()
    insights.store._away_until = 0
    assert failed(insights, ledger) == (Source.CLICKHOUSE, 3)
    # what is held back is in no figure
    hold_back(engine, held)
    assert failed(alone, ledger) == (Source.POSTGRES, 2)
    assert failed(insights, ledger) == (Source.BOTH, 2)
    # an answer says how far the marts had come
    ledger.failed_debt(START)
    second = insights.ask(ledger.org, Question(SUMMARY, SPAN)).watermark
    assert (first.moved_debts, second.moved_debts) == (0, 2)
    assert first.marts_position == second.marts_position <= first.position < second.position
    # too much has moved
    with monkeypatch.context() as patched:
        patched.setattr("tinko_pipelines.core.analytics.reading.insights.MOST_MOVED", 1)
        assert failed(insights, ledger) == (Source.POSTGRES, 3)
    assert "more than 1 debts moved" in caplog.text
    # a build begins while the marts are read
    counted, begun = marts.count_marts, []

    def begins(*asked):
        if not begun:
            begun.append(half_a_build(client, project))
            client.command("truncate table tinko.recovery_daily")
        return counted(*asked)

    monkeypatch.setattr(marts, "count_marts", begins)
    assert failed(insights, ledger) == (Source.BOTH, 3)
    assert begun
    # the marts are of another database: its transactions have other numbers
    client.insert(
        "build_positions",
        [[model, 2**62, 2**31] for model in marts.models(Question(SUMMARY, SPAN))],
        column_names=["model", "position", "build"],
        database="tinko",
    )
    assert failed(insights, ledger) == (Source.POSTGRES, 3)
    assert "only stands at" in caplog.text


def hold_back(engine, debt) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "insert into quarantine (id, org_id, source, frame, key, debt_id, reasons, detail,"
            " payload, state, first_seen, last_seen, updated_at) select id, org_id, 'ledger',"
            " 'obligations', id::text, id, '{test}', '', '{}', 'quarantined', created_at,"
            " created_at, created_at from obligations where id = %(id)s",
            {"id": debt},
        )
        connection.execute(query("quality", "hide_debts"), {"debt_ids": [debt]})


def test_tries_in_the_archive_are_known_by_what_is_left_of_them(alone, ledger, engine, owner):
    """Their partition is gone; their failures, their history and the debt are still here."""
    debt = ledger.failed_debt(START)
    later = START + timedelta(days=1)
    ours = ledger.attempt(debt, later, actor="tinko", state="scheduled")
    for state in ("claimed", "submitted", "failed"):
        ledger.change(attempts, ours, state=state, updated_at=later)
    ledger.failure(ours, debt, later)
    summary, tries = Question(SUMMARY, SPAN), Question(TRIES, SPAN)
    before = alone.ask(ledger.org, summary)
    assert before.totals[("USD",)]["retried"] == 1
    assert before.incomplete_before is None
    with engine.begin() as connection:
        for statement in ("delete from attempts", "delete from deleted_rows"):
            connection.exec_driver_sql(statement)
    with owner.begin() as connection:
        connection.exec_driver_sql(
            "insert into archives (relation, month, state, low, high, actor, tool_version,"
            " started_wall) values ('attempts', '2026-09', 'discarded',"
            " '00000000-0000-7000-8000-000000000000', %(high)s, 'test', '1', '2026-12-01')",
            {"high": new_id(datetime(2026, 10, 1, tzinfo=UTC))},
        )
    after = alone.ask(ledger.org, summary)
    assert after.totals == before.totals
    assert after.incomplete_before == date(2026, 10, 1)
    assert alone.ask(ledger.org, tries).totals == {}
    october = Question(SUMMARY, Span(date(2026, 10, 1), date(2026, 10, 2)))
    assert alone.ask(ledger.org, october).incomplete_before is None
