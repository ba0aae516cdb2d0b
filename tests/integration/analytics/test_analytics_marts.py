"""dbt's models against the ledger, on real engines: definitions, totals, and what moves."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tinko_pipelines.core.analytics import sink
from tinko_pipelines.core.analytics.compare import MEASURES, mart_vs_ledger
from tinko_pipelines.core.analytics.errors import AnalyticsUnavailable, DbtFailed
from tinko_pipelines.core.analytics.relations import RELATIONS
from tinko_pipelines.core.analytics.targets import ClickHouse
from tinko_pipelines.core.db.tables.ledger import attempts, obligations
from tinko_pipelines.core.db.tables.recovery import cases

START = datetime(2026, 9, 28, 9, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def refresh(engine, client, clock, project):
    """Carry and build the mart and what it is made of, with their tests."""

    def refreshed(select: str = "+recovery_daily int_messages") -> None:
        sink.run(engine, ClickHouse(client), clock)
        project.build(select)

    return refreshed


def mart(client) -> list[tuple]:
    return client.query(
        "select day, psp, method, category, currency,"
        f" {', '.join(MEASURES)} from tinko.recovery_daily order by day, currency, category"
    ).result_rows


def test_a_debt_counts_once_where_it_first_failed(client, ledger, refresh, engine):
    debt = ledger.debt(START, 1000)
    first = ledger.attempt(debt, START, method="upi")
    ledger.failure(first, debt, START, category="issuer_unavailable")
    case = ledger.case(debt, START)
    for days in (1, 2):
        again = ledger.attempt(
            debt, START + days * DAY, actor="tinko", submitted_at=START + days * DAY
        )
        ledger.failure(again, debt, START + days * DAY, category="do_not_honor")
    refresh()
    row = (date(2026, 9, 28), "stripe", "upi", "issuer_unavailable", "USD")
    assert mart(client) == [(*row, 1, 1000, 1, 1000, 0, 0, 0, 0, 0)]
    ledger.recover(case, 1000, START + 3 * DAY)
    refresh()
    assert mart(client) == [(*row, 1, 1000, 1, 1000, 1, 1000, 0, 0, 0)]
    assert mart_vs_ledger(engine, client) == []


def test_the_day_is_utc_and_currencies_stay_apart(client, ledger, refresh):
    # 01:30 of the 29th in Kolkata is still the 28th in UTC
    late = datetime(2026, 9, 28, 20, 0, tzinfo=UTC)
    ledger.failed_debt(late, due=500, currency="INR")
    ledger.failed_debt(late, due=700, currency="USD", recovered=True)
    refresh()
    assert [(row[0], row[4], row[5], row[6], row[10]) for row in mart(client)] == [
        (date(2026, 9, 28), "INR", 1, 500, 0),
        (date(2026, 9, 28), "USD", 1, 700, 700),
    ]


@pytest.mark.parametrize("state", ["scheduled", "claimed", "cancelled", "not_sent"])
def test_a_try_that_was_not_sent_is_no_retry(client, ledger, refresh, engine, state):
    debt = ledger.failed_debt(START)
    ledger.attempt(debt, START + DAY, actor="tinko", state=state)
    refresh()
    assert mart(client)[0][7] == 0
    assert mart_vs_ledger(engine, client) == []


def test_only_our_tries_after_the_failure_are_retries(client, ledger, refresh):
    debt = ledger.debt(START)
    ledger.attempt(debt, START, actor="tinko", state="succeeded", submitted_at=START)
    failed = ledger.attempt(debt, START + DAY)
    ledger.failure(failed, debt, START + DAY)
    ledger.attempt(debt, START + 2 * DAY, actor="payer", state="succeeded")
    refresh()
    assert mart(client)[0][7] == 0


def test_what_is_not_a_failed_debt_is_not_there(client, ledger, refresh, engine):
    paid = ledger.debt(START, state="paid")
    ledger.attempt(paid, START, state="succeeded")
    merged = ledger.failed_debt(START)
    ledger.change(obligations, merged, state="superseded", superseded_by=paid)
    late = ledger.failed_debt(START)
    refresh()
    assert sum(row[5] for row in mart(client)) == 1
    # the failure turns into a late success: there is no failed attempt any more
    with engine.begin() as connection:
        connection.execute(
            attempts.update().where(attempts.c.obligation_id == late).values(state="succeeded")
        )
    refresh()
    assert mart(client) == []
    assert mart_vs_ledger(engine, client) == []


def test_a_failure_that_is_not_classified_yet_is_visible_and_no_fault(
    client, ledger, project, engine, clock
):
    debt = ledger.debt(START)
    ledger.attempt(debt, START)
    sink.run(engine, ClickHouse(client), clock)
    project.build("+recovery_daily int_messages")
    assert mart(client)[0][3] == "unclassified"
    assert mart_vs_ledger(engine, client) == []


@pytest.mark.parametrize("state", ["recovered", "settled"])
def test_recovered_money_and_reversals(client, ledger, refresh, engine, state):
    debt = ledger.failed_debt(START)
    with engine.begin() as connection:
        connection.execute(
            cases.update()
            .where(cases.c.obligation_id == debt)
            .values(state=state, recovered_by="payer", recovered_minor=1000, reversed_minor=300)
        )
    refresh()
    assert mart(client)[0][9:] == (1, 1000, 0, 0, 300)
    with engine.begin() as connection:
        connection.execute(cases.update().values(state="reversed", reversed_minor=1000))
    refresh()
    assert mart(client)[0][9:] == (0, 0, 1, 1000, 1000)
    assert mart_vs_ledger(engine, client) == []


def test_every_difference_is_named(client, ledger, refresh, engine):
    ledger.failed_debt(START, recovered=True)
    ledger.failed_debt(START + DAY, currency="INR")
    refresh()
    assert mart_vs_ledger(engine, client) == []
    client.command(
        "alter table tinko.recovery_daily delete where currency = 'INR' settings mutations_sync = 2"
    )
    found = mart_vs_ledger(engine, client)
    assert {(one.measure, one.ledger, one.mart) for one in found} == {
        ("failed", 1, 0),
        ("failed_minor", 1000, 0),
    }
    assert "2026-09-29 stripe INR" in str(found[0])


def test_what_moved_since_the_build_is_not_held_against_the_mart(client, ledger, refresh, engine):
    moving = ledger.failed_debt(START)
    ledger.failed_debt(START + DAY)
    refresh()
    # a new debt, and one whose first failure turns out to be two days earlier
    ledger.failed_debt(START + 3 * DAY)
    earlier = ledger.attempt(moving, START - 2 * DAY, state="failed")
    ledger.failure(earlier, moving, START - 2 * DAY)
    assert mart_vs_ledger(engine, client) == []
    assert {one.group.day for one in mart_vs_ledger(engine, client, still=True)} == {
        date(2026, 9, 26),
        date(2026, 9, 28),
        date(2026, 10, 1),
    }
    # but what did not move still is
    client.command(
        "alter table tinko.recovery_daily update failed = 9 where day = '2026-09-29'"
        " settings mutations_sync = 2"
    )
    assert [one.mart for one in mart_vs_ledger(engine, client)] == [9]
    client.command(
        "alter table tinko.recovery_daily update failed = 1 where day = '2026-09-29'"
        " settings mutations_sync = 2"
    )
    refresh()
    assert mart_vs_ledger(engine, client, still=True) == []
    assert sum(row[5] for row in mart(client)) == 3


def test_an_empty_ledger_and_an_empty_mart_agree(client, ledger, refresh, engine):
    refresh()
    assert mart_vs_ledger(engine, client) == []
    ledger.failed_debt(START)
    assert mart_vs_ledger(engine, client) == []
    client.insert(
        "build_positions",
        [["recovery_daily", 2**62, 2**62]],
        column_names=["model", "position", "build"],
        database="tinko",
    )
    # told that everything was carried, it misses the debt
    assert [one.measure for one in mart_vs_ledger(engine, client)] == ["failed", "failed_minor"]


def test_a_mart_that_was_never_built_is_no_agreement(client, ledger, engine):
    with pytest.raises(AnalyticsUnavailable, match="recovery_daily"):
        mart_vs_ledger(engine, client)


def test_sources_are_fresh_after_a_run_that_carried_nothing(client, ledger, refresh, project):
    refresh()
    assert {node.name: node.status for node in project.freshness()} == dict.fromkeys(
        [*(relation.name for relation in RELATIONS), "sink_positions"], "pass"
    )
    client.command("truncate table tinko.sink_positions")
    client.insert(
        "sink_positions",
        [["cases", 1, 0, START]],
        column_names=["relation", "position", "row_count", "carried_at"],
        database="tinko",
    )
    with pytest.raises(DbtFailed, match="cases"):
        project.freshness()


def test_an_analyst_reads_the_mart_and_its_words(client, ledger, refresh, clickhouse_server):
    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import DatabaseError

    ledger.failed_debt(START, recovered=True)
    refresh()
    with clickhouse_connect.get_client(
        host="127.0.0.1", port=clickhouse_server.port, username="tinko_reader", database="tinko"
    ) as reader:
        assert reader.query("select sum(recovered) from recovery_daily").result_rows == [(1,)]
        described = dict(
            reader.query(
                "select name, comment from system.columns"
                " where database = 'tinko' and table = 'recovery_daily'"
            ).result_rows
        )
        assert all(described.values())
        assert "minor units" in described["recovered_minor"]
        with pytest.raises(DatabaseError):
            reader.command("truncate table recovery_daily")
    assert len(mart(client)) == 1
