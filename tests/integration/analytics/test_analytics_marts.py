"""dbt's models against the ledger, on real engines: definitions, totals, and what moves."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.integration.analytics.conftest import Ledger, empty_ledger, empty_tables
from tinko_pipelines.core.analytics import sink
from tinko_pipelines.core.analytics.compare import MEASURES, mart_vs_ledger
from tinko_pipelines.core.analytics.errors import AnalyticsUnavailable, DbtFailed
from tinko_pipelines.core.analytics.relations import RELATIONS
from tinko_pipelines.core.analytics.targets import ClickHouse
from tinko_pipelines.core.clock import FixedClock
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


def mart(client, *orgs: uuid.UUID) -> list[tuple]:
    only = f" where org_id in ({', '.join(repr(str(org)) for org in orgs)})" if orgs else ""
    return client.query(
        "select day, psp, method, category, currency,"
        f" {', '.join(MEASURES)} from tinko.recovery_daily{only} order by day, currency, category"
    ).result_rows


Scene = Callable[[Ledger], Iterator[None]]


@pytest.fixture(scope="module")
def counted(engine, clickhouse_server, project):
    """What the mart says of each scene after the first build, and after the second.

    A build costs seconds: the scenes are played side by side, each in an organisation of its own.
    """
    empty_ledger(engine)
    client = empty_tables(clickhouse_server)
    ledgers = {scene: Ledger(engine, uuid.uuid4()) for scene in SCENES}
    playing = [scene(ledger) for scene, ledger in ledgers.items()]
    seen: dict[Scene, list[list[tuple]]] = {scene: [] for scene in SCENES}
    for _ in range(2):
        for played in playing:
            next(played, None)
        sink.run(engine, ClickHouse(client), FixedClock(START))
        project.build("+recovery_daily int_messages")
        assert mart_vs_ledger(engine, client) == []
        for scene, ledger in ledgers.items():
            seen[scene].append(mart(client, ledger.org))
    client.close()
    return seen


def fails_again_and_is_recovered(ledger):
    debt = ledger.debt(START, 1000)
    first = ledger.attempt(debt, START, method="upi")
    ledger.failure(first, debt, START, category="issuer_unavailable")
    case = ledger.case(debt, START)
    for days in (1, 2):
        again = ledger.attempt(
            debt, START + days * DAY, actor="tinko", submitted_at=START + days * DAY
        )
        ledger.failure(again, debt, START + days * DAY, category="do_not_honor")
    yield
    ledger.recover(case, 1000, START + 3 * DAY)
    yield


def test_a_debt_counts_once_where_it_first_failed(counted):
    row = (date(2026, 9, 28), "stripe", "upi", "issuer_unavailable", "USD")
    assert counted[fails_again_and_is_recovered] == [
        [(*row, 1, 1000, 1, 1000, 0, 0, 0, 0, 0)],
        [(*row, 1, 1000, 1, 1000, 1, 1000, 0, 0, 0)],
    ]


def fails_late_in_two_currencies(ledger):
    # 01:30 of the 29th in Kolkata is still the 28th in UTC
    late = datetime(2026, 9, 28, 20, 0, tzinfo=UTC)
    ledger.failed_debt(late, due=500, currency="INR")
    ledger.failed_debt(late, due=700, currency="USD", recovered=True)
    yield


def test_the_day_is_utc_and_currencies_stay_apart(counted):
    rows = counted[fails_late_in_two_currencies][0]
    assert [(row[0], row[4], row[5], row[6], row[10]) for row in rows] == [
        (date(2026, 9, 28), "INR", 1, 500, 0),
        (date(2026, 9, 28), "USD", 1, 700, 700),
    ]


NOT_SENT = ("scheduled", "claimed", "cancelled", "not_sent")


def is_tried_without_a_send(ledger):
    for days, state in enumerate(NOT_SENT):
        debt = ledger.failed_debt(START + days * DAY)
        ledger.attempt(debt, START + 9 * DAY, actor="tinko", state=state)
    yield


def test_a_try_that_was_not_sent_is_no_retry(counted):
    rows = counted[is_tried_without_a_send][0]
    assert {state: row[7] for state, row in zip(NOT_SENT, rows, strict=True)} == dict.fromkeys(
        NOT_SENT, 0
    )


def is_tried_by_us_first_and_by_the_payer_after(ledger):
    debt = ledger.debt(START)
    ledger.attempt(debt, START, actor="tinko", state="succeeded", submitted_at=START)
    failed = ledger.attempt(debt, START + DAY)
    ledger.failure(failed, debt, START + DAY)
    ledger.attempt(debt, START + 2 * DAY, actor="payer", state="succeeded")
    yield


def test_only_our_tries_after_the_failure_are_retries(counted):
    (row,) = counted[is_tried_by_us_first_and_by_the_payer_after][0]
    assert row[7] == 0


def is_no_failed_debt(ledger):
    paid = ledger.debt(START, state="paid")
    ledger.attempt(paid, START, state="succeeded")
    merged = ledger.failed_debt(START)
    ledger.change(obligations, merged, state="superseded", superseded_by=paid)
    late = ledger.failed_debt(START)
    yield
    # the failure turns into a late success: there is no failed attempt any more
    with ledger.engine.begin() as connection:
        connection.execute(
            attempts.update().where(attempts.c.obligation_id == late).values(state="succeeded")
        )
    yield


def test_what_is_not_a_failed_debt_is_not_there(counted):
    before, after = counted[is_no_failed_debt]
    assert [row[5] for row in before] == [1]
    assert after == []


def is_not_classified_yet(ledger):
    ledger.attempt(ledger.debt(START), START)
    yield


def test_a_failure_that_is_not_classified_yet_is_visible_and_no_fault(counted):
    (row,) = counted[is_not_classified_yet][0]
    assert row[3] == "unclassified"


RECOVERED = ("recovered", "settled")


def is_recovered_and_reversed(ledger):
    found = {state: ledger.failed_debt(START + days * DAY) for days, state in enumerate(RECOVERED)}
    with ledger.engine.begin() as connection:
        for state, debt in found.items():
            connection.execute(
                cases.update()
                .where(cases.c.obligation_id == debt)
                .values(state=state, recovered_by="payer", recovered_minor=1000, reversed_minor=300)
            )
    yield
    with ledger.engine.begin() as connection:
        connection.execute(
            cases.update()
            .where(cases.c.org_id == ledger.org)
            .values(state="reversed", reversed_minor=1000)
        )
    yield


@pytest.mark.parametrize("state", RECOVERED)
def test_recovered_money_and_reversals(counted, state):
    before, after = (rows[RECOVERED.index(state)] for rows in counted[is_recovered_and_reversed])
    assert before[9:] == (1, 1000, 0, 0, 300)
    assert after[9:] == (0, 0, 1, 1000, 1000)


SCENES: tuple[Scene, ...] = (
    fails_again_and_is_recovered,
    fails_late_in_two_currencies,
    is_tried_without_a_send,
    is_tried_by_us_first_and_by_the_payer_after,
    is_no_failed_debt,
    is_not_classified_yet,
    is_recovered_and_reversed,
)


def test_an_analyst_reads_and_every_difference_is_named(
    client, ledger, refresh, engine, clickhouse_server
):
    ledger.failed_debt(START, recovered=True)
    ledger.failed_debt(START + DAY, currency="INR")
    refresh()
    reads_the_mart_and_its_words(clickhouse_server)
    assert sum(row[5] for row in mart(client)) == 2
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


def reads_the_mart_and_its_words(clickhouse_server) -> None:
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


def test_an_empty_ledger_and_an_empty_mart_agree_and_sources_are_fresh(
    client, ledger, refresh, engine, project
):
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
    sources_are_fresh_after_a_run_that_carried_nothing(client, project)


def sources_are_fresh_after_a_run_that_carried_nothing(client, project) -> None:
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


def test_a_mart_that_was_never_built_is_no_agreement(client, ledger, engine):
    with pytest.raises(AnalyticsUnavailable, match="recovery_daily"):
        mart_vs_ledger(engine, client)
