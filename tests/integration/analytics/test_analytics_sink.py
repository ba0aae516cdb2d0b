"""The sink on real engines: once, late, again, and with ClickHouse away."""

from __future__ import annotations

import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tinko_pipelines.core.analytics import sink, watermark
from tinko_pipelines.core.analytics.changes import Ledger
from tinko_pipelines.core.analytics.errors import AnalyticsUnavailable, WatermarkAhead
from tinko_pipelines.core.analytics.relations import ATTEMPTS, CASES, OBLIGATIONS, RELATIONS
from tinko_pipelines.core.analytics.targets import ClickHouse
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.db.tables.ledger import obligations
from tinko_pipelines.core.db.tables.recovery import cases

LEDGER = ("cases", "failures", "attempts", "obligations")
START = datetime(2026, 9, 28, 9, tzinfo=UTC)


def count(client, table: str, final: bool = True) -> int:
    return client.query(
        f"select count() from tinko.{table} {'final' if final else ''}"
    ).result_rows[0][0]


def positions(engine) -> dict[str, int]:
    with engine.begin() as connection:
        return dict(
            connection.execute(text("select relation, position from sink_watermarks")).fetchall()
        )


def test_carries_every_relation_with_every_value(engine, client, clock, ledger):
    debt = ledger.failed_debt(START, due=123_45, currency="INR", recovered=True)
    case = uuid.uuid4()
    ledger.decision(debt, case, START, rule="r:v1", channel="sms")
    ledger.message(debt, case, START)
    ledger.line(1, START, payout_id="po_1", payout_status="paid", settled_at=START)
    ledger.line(2, START)
    ledger.organisation("Asia/Kolkata")
    carried = sink.run(engine, ClickHouse(client), clock)
    assert {name: carried[name] for name in LEDGER} == {
        "cases": 1,
        "failures": 1,
        "attempts": 2,
        "obligations": 1,
    }
    for relation in RELATIONS:
        columns = ", ".join(f"{field.name}" for field in relation.schema)
        there = client.query(
            f"select {columns} from tinko.{relation.name} final order by toString({relation.key})"
        )
        with engine.begin() as connection:
            here = connection.execute(
                query("analytics", f"read_{relation.name}"),
                {
                    "low": 0,
                    "high": 2**62,
                    "after_version": 0,
                    "after_key": "00000000-0000-0000-0000-000000000000",
                    "size": 100,
                },
            ).fetchall()
        assert [
            [
                str(value) if field.type == "string" and value is not None else value
                for value, field in zip(row, relation.schema, strict=True)
            ]
            for row in there.result_rows
        ] == [
            [value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value for value in row]
            for row in sorted(here, key=lambda row: getattr(row, relation.key))
        ]
    assert client.query(
        "select toString(id), due_minor, currency from tinko.obligations"
    ).result_rows == [(str(debt), 12345, "INR")]


def test_payers_are_not_carried(client):
    columns = client.query(
        "select name from system.columns where database = 'tinko' and name like 'payer%'"
    ).result_rows
    assert sorted(columns) == [("payer_country",), ("payer_present",)]


def test_a_second_run_carries_only_what_changed(engine, client, clock, ledger):
    for minute in range(5):
        ledger.failed_debt(START + timedelta(minutes=minute))
    sink.run(engine, ClickHouse(client), clock)
    assert set(sink.run(engine, ClickHouse(client), clock).values()) == {0}
    with engine.begin() as connection:
        case = connection.execute(text("select id from cases limit 1")).scalar_one()
    ledger.recover(case, 1000, START + timedelta(days=1))
    carried = sink.run(engine, ClickHouse(client), clock)
    assert {name: rows for name, rows in carried.items() if rows} == {"cases": 1}
    assert count(client, "cases") == 5
    assert client.query(
        "select count(), sum(recovered_minor) from tinko.cases final where state = 'recovered'"
    ).result_rows == [(1, 1000)]


def test_a_replay_adds_nothing(engine, client, clock, ledger):
    for minute in range(10):
        ledger.failed_debt(START + timedelta(minutes=minute))
    first = sink.carry(engine, ClickHouse(client), ATTEMPTS, clock, batch_rows=4)
    assert (first.rows, first.batches) == (10, 3)
    written = count(client, "attempts", final=False)
    watermark.rewind(engine, "clickhouse")
    again = sink.carry(engine, ClickHouse(client), ATTEMPTS, clock, batch_rows=4)
    assert again.rows == 10
    # the same batches carry the same tokens: not even a second version was written
    assert count(client, "attempts", final=False) == written == 10
    watermark.rewind(engine, "clickhouse")
    # other batches, other tokens: written twice, but one row each
    sink.carry(engine, ClickHouse(client), ATTEMPTS, clock, batch_rows=7)
    assert count(client, "attempts") == 10


def test_versions_are_replaced_even_when_they_arrive_backwards(engine, client, clock, ledger):
    debt = ledger.debt(START)
    sink.run(engine, ClickHouse(client), clock)
    old = client.query_arrow("select * from tinko.obligations")
    ledger.change(obligations, debt, state="paid", paid_minor=1000)
    sink.run(engine, ClickHouse(client), clock)
    client.insert_arrow("obligations", old, database="tinko")
    assert client.query("select state from tinko.obligations final").result_rows == [("paid",)]


def test_an_open_transaction_holds_the_watermark_back(engine, client, clock, ledger):
    """Transaction A writes, B writes later and commits first: A's row must not be skipped."""
    ledger.debt(START)
    late = START + timedelta(minutes=1)
    connection = engine.connect()
    transaction = connection.begin()
    connection.execute(
        text("update obligations set description = 'held open', updated_at = :at"), {"at": late}
    )
    held = connection.execute(text("select pg_current_xact_id()::text::bigint")).scalar_one()
    ledger.debt(late)
    sink.run(engine, ClickHouse(client), clock)
    assert count(client, "obligations") == 1  # the first version of the first debt
    assert positions(engine)["obligations"] <= held
    transaction.commit()
    connection.close()
    assert sink.run(engine, ClickHouse(client), clock)["obligations"] == 2
    assert count(client, "obligations") == 2


def write_at_once(engine, ledger, rows: int) -> None:
    """One transaction."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into obligations (id, org_id, connection_id, psp, state, due_minor,"
                " currency, created_at, updated_at)"
                " select gen_random_uuid(), :org, :org, 'stripe', 'open', 5, 'USD', :at, :at"
                " from generate_series(1, :rows)"
            ),
            {"org": ledger.org, "at": START, "rows": rows},
        )


def test_a_page_ends_where_a_transaction_does(engine, ledger):
    for rows in (3, 9, 2):
        write_at_once(engine, ledger, rows)
    _, high = watermark.window(engine, "clickhouse", OBLIGATIONS)
    with Ledger.of(engine) as reader:
        pages = list(reader.pages(OBLIGATIONS, 0, high, 4))
        second = pages[1].below
        # whoever goes on there makes the same pages
        again = list(reader.pages(OBLIGATIONS, second, high, 4))
    # the second transaction is larger than a page: none but its last piece is below it
    assert [len(page.rows) for page in pages] == [3, 4, 4, 3]
    assert [page.below for page in pages] == [second, second, second, high]
    assert pages[1].rows["row_version"].unique().to_pylist() == [second]
    assert [page.rows for page in again] == [page.rows for page in pages[1:]]


def test_many_rows_of_one_transaction_page_through(engine, client, clock, ledger):
    write_at_once(engine, ledger, 2500)
    carried = sink.carry(engine, ClickHouse(client), OBLIGATIONS, clock, batch_rows=1000)
    assert (carried.rows, carried.batches) == (2500, 3)
    assert count(client, "obligations") == 2500


def test_nothing_is_lost_while_clickhouse_is_away(engine, client, clock, ledger, clickhouse_server):
    ledger.failed_debt(START)
    sink.run(engine, ClickHouse(client), clock)
    before = positions(engine)
    clickhouse_server.kill()
    ledger.failed_debt(START + timedelta(hours=1))
    with pytest.raises(AnalyticsUnavailable, match=r"carrying|reporting"):
        sink.run(engine, ClickHouse(client), clock)
    now = positions(engine)
    assert {name: now[name] for name in LEDGER} == {name: before[name] for name in LEDGER}
    clickhouse_server.start()
    assert sink.run(engine, ClickHouse(client), clock)["attempts"] == 1
    assert count(client, "attempts") == 2
    assert count(client, "cases") == 2


def test_a_run_cut_off_goes_on_after_its_last_batch(engine, client, clock, ledger, monkeypatch):
    for minute in range(6):
        ledger.debt(START + timedelta(minutes=minute))
    real, calls = client.insert_arrow, []

    def breaks_on_the_second(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise OSError("the line went dead")
        return real(*args, **kwargs)

    monkeypatch.setattr(client, "insert_arrow", breaks_on_the_second)
    with pytest.raises(AnalyticsUnavailable):
        sink.carry(engine, ClickHouse(client), OBLIGATIONS, clock, batch_rows=2)
    assert count(client, "obligations") == 2
    low, _ = watermark.window(engine, "clickhouse", OBLIGATIONS)
    assert low > 0
    rest = sink.carry(engine, ClickHouse(client), OBLIGATIONS, clock, batch_rows=2)
    assert rest.rows == 4
    assert count(client, "obligations") == 6


def test_a_watermark_of_another_cluster_is_refused(engine, client, clock, ledger):
    watermark.advance(engine, "clickhouse", CASES, 2**60, 0, clock.now())
    with pytest.raises(WatermarkAhead, match="cases"):
        sink.run(engine, ClickHouse(client), clock)


def test_the_watermark_never_goes_back(engine, clock, empty):
    watermark.advance(engine, "clickhouse", CASES, 50, 3, clock.now())
    watermark.advance(engine, "clickhouse", CASES, 40, 2, clock.now())
    with engine.begin() as connection:
        row = connection.execute(text("select position, rows from sink_watermarks")).one()
    assert tuple(row) == (50, 5)


def test_a_lost_clickhouse_is_filled_again_after_a_rewind(engine, client, clock, ledger):
    debt = ledger.failed_debt(START)
    sink.run(engine, ClickHouse(client), clock)
    client.command("truncate table tinko.cases")
    with engine.begin() as connection:
        case = connection.execute(
            text("select id from cases where obligation_id = :debt"), {"debt": debt}
        ).scalar_one()
    ledger.change(cases, case, state="retrying")
    watermark.rewind(engine, "clickhouse", [CASES])
    sink.run(engine, ClickHouse(client), clock)
    assert client.query("select state from tinko.cases final").result_rows == [("retrying",)]


def test_relations_that_rows_leave_have_the_trigger(engine):
    with engine.begin() as connection:
        found = connection.execute(
            text(
                "select distinct tgrelid::regclass::text from pg_trigger"
                " where tgname = 'deletion' and tgparentid = 0"
            )
        )
        triggered = set(found.scalars())
    assert triggered == {relation.name for relation in RELATIONS if relation.leaves}


def test_what_left_the_ledger_leaves_the_copy(engine, client, clock, ledger):
    """As when a try of ours was first taken for somebody else's and then folded into ours."""
    debt = ledger.failed_debt(START)
    stranger = ledger.attempt(debt, START + timedelta(minutes=1))
    sink.run(engine, ClickHouse(client), clock)
    assert count(client, "attempts") == 2
    with engine.begin() as connection:
        connection.execute(text("delete from attempts where id = :id"), {"id": stranger})
    assert sink.run(engine, ClickHouse(client), clock)["attempts"] == 1
    assert count(client, "attempts") == 1
    # also when everything is carried again, newest first
    watermark.rewind(engine, "clickhouse")
    sink.run(engine, ClickHouse(client), clock)
    assert count(client, "attempts") == 1
    # and a row that comes back under its id is there again
    ledger.attempt(debt, START + timedelta(minutes=1), id=stranger)
    sink.run(engine, ClickHouse(client), clock)
    assert count(client, "attempts") == 2


def test_nothing_is_skipped_while_writers_commit_out_of_order(engine, client, clock, ledger):
    """Eight writers hold their transactions open for different times while the sink runs on."""
    debts = [ledger.debt(START + timedelta(minutes=minute)) for minute in range(16)]
    stop = threading.Event()

    def write(number: int) -> None:
        draw = random.Random(number)
        for turn in range(25):
            with engine.begin() as connection:
                connection.execute(
                    obligations.update()
                    .where(obligations.c.id == debts[number * 2 + turn % 2])
                    .values(paid_minor=number * 1000 + turn)
                )
                time.sleep(draw.uniform(0, 0.02))

    def carry() -> None:
        while not stop.is_set():
            sink.carry(engine, ClickHouse(client), OBLIGATIONS, clock, batch_rows=3)

    with ThreadPoolExecutor(9) as pool:
        carrying = pool.submit(carry)
        for writer in [pool.submit(write, number) for number in range(8)]:
            writer.result()
        stop.set()
        carrying.result()
    sink.carry(engine, ClickHouse(client), OBLIGATIONS, clock)
    with engine.begin() as connection:
        here = connection.execute(text("select id, paid_minor, row_version from obligations"))
        expected = {tuple(row) for row in here}
    there = client.query("select id, paid_minor, row_version from tinko.obligations final")
    assert set(there.result_rows) == expected
    assert len(expected) == 16
