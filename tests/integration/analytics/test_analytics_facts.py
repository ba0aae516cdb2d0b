"""The marts beside recovery_daily, on real engines: what each counts, and what re-opens its day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.benchmarks.dashboard import dashboard, queries
from tinko_pipelines.core.analytics import sink
from tinko_pipelines.core.analytics.dbt import PROJECT
from tinko_pipelines.core.analytics.definitions import definitions
from tinko_pipelines.core.analytics.targets import ClickHouse
from tinko_pipelines.core.db.tables.ledger import attempts, obligations
from tinko_pipelines.core.db.tables.recovery import cases
from tinko_pipelines.core.db.tables.settlement import settlement_lines

START = datetime(2026, 9, 28, 9, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)
MARTS = sorted(path.stem for path in (PROJECT / "models" / "marts").glob("*.sql"))
FACTS = "+recovery_daily int_messages"
TRIES = "sum(tried), sum(succeeded), sum(declined), sum(undecided)"


@pytest.fixture
def refresh(engine, client, clock, project):
    def refreshed(select: str | None = None) -> None:
        sink.run(engine, ClickHouse(client), clock)
        project.build(select)

    return refreshed


def rows(client, sql: str) -> list[tuple]:
    return [tuple(row) for row in client.query(sql).result_rows]


def test_every_mart_counts_the_same_world_and_each_column_says_what_it_is(
    client, ledger, refresh, project
):
    """One debt: a first failure, a retry that fails, a message, the payer pays. One that is lost,
    one that is open."""
    ledger.organisation("Asia/Kolkata")
    debt = ledger.debt(START, 1000, payer_country="DE")
    first = ledger.attempt(debt, START, method="card")
    ledger.failure(first, debt, START, code="card_declined", network_decline_code="51")
    case = ledger.case(debt, START)
    again = ledger.attempt(debt, START + DAY, actor="tinko", submitted_at=START + DAY)
    ledger.failure(again, debt, START + DAY, category="do_not_honor")
    ledger.decision(debt, case, START + DAY, rule="3f0c:v2", channel="email")
    ledger.message(debt, case, START + DAY)
    ledger.message(debt, case, START + 2 * DAY, channel="sms", result="refused", state="failed")
    paid = START + 2 * DAY + timedelta(hours=1)
    ledger.attempt(debt, paid, actor="payer", state="succeeded", method="upi")
    ledger.change(
        cases, case, state="recovered", recovered_by="payer", recovered_minor=1000, updated_at=paid
    )
    lost = ledger.failed_debt(START, due=400)
    with ledger.engine.begin() as connection:
        connection.execute(
            cases.update().where(cases.c.obligation_id == lost).values(state="exhausted")
        )
    ledger.failed_debt(START + DAY, due=70, currency="INR")
    ledger.line(1, START, settled_at=START + 2 * DAY, payout_id="po", payout_status="paid")
    ledger.line(2, START, kind="refund", gross_minor=-500, fee_minor=0, tax_minor=0, net_minor=-500)
    refresh()

    assert rows(
        client,
        "select currency, sum(failed), sum(recovered), sum(lost), sum(active), sum(active_minor)"
        " from tinko.recovery_daily group by currency order by currency",
    ) == [("INR", 1, 0, 0, 1, 70), ("USD", 2, 1, 1, 0, 0)]
    assert rows(
        client,
        f"select attempt_number, actor, {TRIES} from tinko.recovery_by_attempt"
        " group by all order by attempt_number, actor",
    ) == [(1, "merchant", 3, 0, 3, 0), (2, "tinko", 1, 0, 1, 0), (3, "payer", 1, 1, 0, 0)]
    # 09:00 UTC in Germany's summer is 11:00, and 10:00 is noon
    assert rows(
        client,
        f"select payer_weekday, payer_hour, method, {TRIES} from tinko.recovery_by_hour"
        " group by all order by payer_weekday",
    ) == [(2, 11, "card", 1, 0, 1, 0), (3, 12, "upi", 1, 1, 0, 0)]
    assert rows(
        client,
        "select failure_category, code, network_decline_code, sum(declined), sum(first_declines)"
        " from tinko.decline_codes where currency = 'USD' group by all order by code desc, 1",
    ) == [
        ("insufficient_funds", "card_declined", "51", 1, 1),
        ("do_not_honor", "", "", 1, 0),
        ("insufficient_funds", "", "", 1, 1),
    ]
    assert rows(
        client,
        "select days_to_recover, sum(debts), sum(recovered_minor) from tinko.recovery_cohorts"
        " where currency = 'USD' group by all order by 1",
    ) == [(-1, 1, 0), (2, 1, 1000)]
    assert rows(
        client, "select rule, sum(failed), sum(recovered) from tinko.rule_effect group by all"
    ) == [("3f0c:v2", 1, 1)]
    assert rows(client, "select sum(failed), sum(retries) from tinko.policy_effect") == [(3, 1)]
    assert rows(
        client,
        "select channel, sum(sent), sum(unsent), sum(accepted), sum(refused), sum(credited),"
        " sum(credited_minor) from tinko.channel_performance group by all order by channel",
    ) == [("email", 1, 0, 1, 0, 1, 1000), ("sms", 0, 1, 0, 1, 0, 0)]
    assert rows(
        client, "select currency, case_state, sum(debts), sum(outstanding_minor) from tinko.at_risk"
        " group by all"
    ) == [("INR", "open", 1, 70)]  # fmt: skip
    assert rows(
        client,
        "select kind, payout_status, sum(gross_minor), sum(fee_minor), sum(tax_minor),"
        " sum(settled), sum(settling_seconds) from tinko.settlement_daily group by all order by 1",
    ) == [("payment", "paid", 1000, 29, 4, 1, 2 * 86400), ("refund", "", -500, 0, 0, 0, 0)]

    undocumented = rows(
        client,
        "select table, name from system.columns where database = 'tinko' and comment = ''"
        f" and table in ({', '.join(map(repr, MARTS))})",
    )
    assert undocumented == []
    page = project.document().read_text()
    assert all(f"model.tinko.{mart}" in page for mart in MARTS)
    _formulas_compute(client)
    # the dashboard shows this world: whatever it asks is there
    empty = {
        name
        for name, sql in queries(str(ledger.org), "USD", START.date(), (START + 40 * DAY).date())
        if not rows(client, sql)
    }
    assert empty == {"Payouts", "Money at risk by age"}
    assert {panel["description"] for panel in dashboard()["panels"]} - {""} <= set(definitions())


def _formulas_compute(client) -> None:
    """Each ratio's formula is SQL over a mart that has its columns."""
    columns = rows(
        client, "select table, groupArray(name) from system.columns where database = 'tinko'"
        f" and table in ({', '.join(map(repr, MARTS))}) group by table"
    )  # fmt: skip
    ratios = [one for one in definitions().values() if one.formula]
    assert len(ratios) >= 5
    for ratio in ratios:
        words = set(ratio.formula.replace("(", " ").replace(")", " ").replace(",", " ").split())
        mart = next(
            table for table, names in columns if words & set(names) and words - set(names) <= _SQL
        )
        value = client.query(
            f"select {ratio.formula.format(days=7)} from tinko.{mart}"
        ).result_rows[0][0]
        assert isinstance(value, float), ratio


_SQL = {"sum", "sumIf", "/", "+", "between", "and", "0", "{days}", "86400"}


def test_what_changes_reopens_its_day_and_what_it_left_is_emptied(client, ledger, refresh, engine):
    shown = f"{FACTS} at_risk recovery_by_attempt"
    early = ledger.failed_debt(START)
    stays = START + 30 * DAY
    ledger.failed_debt(stays, due=5)
    refresh(shown)
    fails = "select day, sum(failed) from tinko.recovery_daily group by day order by day"
    risk = "select day, sum(debts) from tinko.at_risk group by day order by day"
    assert rows(client, fails) == [(START.date(), 1), (stays.date(), 1)]
    # the only debt of its week turns out to have failed two weeks before
    found = ledger.attempt(early, START - 14 * DAY, state="failed")
    ledger.failure(found, early, START - 14 * DAY)
    refresh(shown)
    assert rows(client, fails) == [((START - 14 * DAY).date(), 1), (stays.date(), 1)]
    assert rows(client, risk) == rows(client, fails)
    assert rows(client, "select attempt_number, sum(tried) from tinko.recovery_by_attempt"
                        " group by all order by 1") == [(1, 2), (2, 1)]  # fmt: skip
    # it is recovered: nothing of its week is at risk any more
    with engine.begin() as connection:
        connection.execute(
            cases.update()
            .where(cases.c.obligation_id == early)
            .values(state="recovered", recovered_by="psp", recovered_minor=1000, closed_at=START)
        )
    refresh(shown)
    assert rows(client, risk) == [(stays.date(), 1)]
    # its tries leave the ledger, and then it is merged away
    with engine.begin() as connection:
        connection.execute(attempts.delete().where(attempts.c.id == found))
    refresh(shown)
    assert rows(client, fails) == [(START.date(), 1), (stays.date(), 1)]
    ledger.change(obligations, early, state="superseded", superseded_by=early)
    refresh(shown)
    assert rows(client, fails) == [(stays.date(), 1)]
    assert rows(client, "select sum(tried) from tinko.recovery_by_attempt") == [(1,)]


def test_a_build_takes_only_what_changed_and_is_taken_up_where_it_failed(
    client, ledger, refresh, project, engine, clock
):
    ledger.failed_debt(START)
    refresh(FACTS)
    changed = "select count() from tinko.int_changed_debts"
    again = ledger.failed_debt(START + DAY)
    refresh(FACTS)
    # the row of the position itself may be taken twice
    assert rows(client, changed)[0][0] <= 2
    assert rows(client, "select sum(failed) from tinko.recovery_daily") == [(2,)]
    # the mart fails after its fact was built: the next build still counts that day again
    ledger.change(obligations, again, due_minor=777)
    sink.run(engine, ClickHouse(client), clock)
    project.build(FACTS.replace("recovery_daily", "int_failed_obligations"), tests=False)
    project.build(FACTS.replace("recovery_daily", "int_failed_obligations"), tests=False)
    assert rows(client, "select sum(failed_minor) from tinko.recovery_daily") == [(2000,)]
    project.build("recovery_daily")
    assert rows(client, "select sum(failed_minor) from tinko.recovery_daily") == [(1777,)]


def test_a_long_history_is_taken_in_pieces(client, ledger, engine, clock, project):
    for day in range(5):
        ledger.failed_debt(START + day * DAY)
    sink.run(engine, ClickHouse(client), clock)
    piecemeal = replace(project, variables={"rows_per_build": 2})
    seen: list[int] = []
    while 5 not in seen:
        assert len(seen) < 8
        piecemeal.build(FACTS, tests=not seen)
        seen.append(rows(client, "select sum(failed) from tinko.recovery_daily")[0][0])
    assert seen == sorted(seen)
    assert 0 < seen[0] < 5


def test_a_settlement_line_that_changes_reopens_its_day(client, ledger, refresh):
    ledger.line(1, START)
    ledger.line(2, START + 30 * DAY)
    refresh("settlement_daily")
    with ledger.engine.begin() as connection:
        connection.execute(
            settlement_lines.update()
            .where(settlement_lines.c.line_id == "txn_1")
            .values(settled_at=START + DAY, payout_status="paid", payout_id="po")
        )
    refresh("settlement_daily")
    assert rows(
        client,
        "select payout_status, sum(lines), sum(settled) from tinko.settlement_daily"
        " group by all order by 1",
    ) == [("", 1, 0), ("paid", 1, 1)]
