"""`tinko backfill`: past days, one by one, healed once and safely begun again."""

from datetime import date, timedelta

import pytest

from tinko_pipelines.core.errors import InvalidInput, PspRateLimited, PspUnreachable
from tinko_pipelines.core.inbox.backfill import PATIENCE, backfill


def lost_days(shop, days=3):
    """Debts on `days` days, of which no webhook ever told; the first day and the last."""
    first = shop.clock.now().date()
    shop.faults(drop_webhooks={"rate": 1.0})
    for _ in range(days):
        shop.stage.failing_debt()
        shop.hear(days=1)
    shop.faults()
    assert shop.rows("select count(*) from obligations") == [(0,)]
    return first, shop.clock.now().date()


def run(shop, first, last, **how):
    return list(backfill(shop.engine, shop.seat, shop.clock, first, last, **how))


def test_each_day_is_healed_and_again_is_nothing_new(shop):
    first, today = lost_days(shop)
    done = run(shop, first, today)
    assert [one.day for one in done] == [first + timedelta(days=n) for n in range(len(done))]
    assert (done[-1].day, done[-1].number, done[-1].of) == (today, len(done), len(done))
    assert sum(one.healed for one in done) > 0
    shop.work()
    assert shop.rows("select count(*) from obligations") == [(3,)]
    assert shop.rows("select distinct state from attempts") == [("failed",)]
    assert sum(one.healed for one in run(shop, first, today)) == 0


def test_an_outage_stops_it_and_it_goes_on_from_there(shop):
    first, today = lost_days(shop)
    days = backfill(shop.engine, shop.seat, shop.clock, first, today)
    assert next(days).day == first
    shop.faults(outage=True)
    with pytest.raises(PspUnreachable):
        next(days)
    shop.faults()
    run(shop, first + timedelta(days=1), today)
    shop.work()
    assert shop.rows("select count(*) from obligations") == [(3,)]


def test_a_psp_that_asks_to_slow_down_is_waited_for(striped):
    first, today = lost_days(striped, days=1)
    slept = []
    striped.faults(error_429=2)
    done = run(striped, first, today, sleep=slept.append)
    assert len(slept) == 2
    assert sum(one.healed for one in done) > 0
    striped.faults(error_429=True)
    with pytest.raises(PspRateLimited):
        run(striped, first, today, sleep=slept.append)
    assert len(slept) == 2 + PATIENCE


@pytest.mark.parametrize(
    ("first", "last"),
    [(date(2026, 9, 8), date(2026, 9, 7)), (date(2026, 9, 8), date(2027, 1, 1))],
)
def test_days_that_make_no_sense_are_refused(striped, first, last):
    with pytest.raises(InvalidInput):
        run(striped, first, last)


def test_the_command_shows_each_day_and_where_to_go_on(shop, command):
    first, today = lost_days(shop)
    span = ("--connection", shop.connection_id, "--from", first, "--to", today)
    shop.faults(outage=True)
    stopped = command("backfill", *span)
    assert stopped.exit_code == 1
    assert f"--from {first} --to {today}" in stopped.output
    shop.faults()
    done = command("backfill", *span)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].startswith(f"{first}  1/{len(lines) - 1}  ")
    assert not lines[-1].startswith("0 healed")
    shop.work()
    assert shop.rows("select count(*) from obligations") == [(3,)]


def test_the_command_refuses_what_it_does_not_know(shop, command):
    day = shop.clock.now().date()
    nobody = command("backfill", "--connection", shop.org.org_id, "--from", day, "--to", day)
    assert (nobody.exit_code, "is not active" in nobody.output) == (1, True)
    odd = command("backfill", "--connection", shop.connection_id, "--from", "soon", "--to", day)
    assert odd.exit_code == 2
