"""The pre-debit notice that is ours to ask for: told, waited for, and only then debited."""

import json
from datetime import timedelta

import pytest

from tests.contract.adapter_stages import AMOUNT
from tests.integration.recovery.money_stage import kill_at
from tinko_pipelines.core.recovery.notices import DEBIT_AFTER, PATIENCE
from tinko_pipelines.core.recovery.points import NOTIFYING


@pytest.fixture
def quiet(razored):
    """A failed e-mandate whose merchant's order announces nothing, and a retry of ours, due."""
    debt = razored.failed_debt(notify=False)
    return razored, razored.plan(debt)


def orders_of(shop, attempt):
    return shop.stage.sdk.order.all({"receipt": str(attempt)[:40]})["items"]


def go_on(shop, turns=8):
    """Whatever is due is made, each time it is due, until nothing is planned any more."""
    said = []
    for _ in range(turns):
        if not shop.rows("select 1 from attempts where state = 'scheduled'"):
            break
        shop.wait_for_the_next()
        shop.post()
        shop.work()
        said += [shop.charger().make(claim) for claim in shop.claims()]
    return said


def told_late(shop):
    """Violations of the PSP's ledger by what is ours."""
    ours = {one["id"] for one in shop.tries()}
    debts = shop.sandbox.ask("GET", "debts")["debts"]
    tries = [one for debt in debts for one in debt["attempts"] if one["id"] in ours]
    return [one["facts"].get("untold") for one in tries if one["facts"].get("untold")]


def test_the_debit_comes_through_the_order_whose_notice_reached_the_payer(quiet):
    shop, attempt = quiet
    assert shop.charge() == "notice.asked"
    assert (shop.state(attempt), shop.locks(), shop.tries()) == ("scheduled", [], [])
    ((due, asked, order),) = shop.rows(
        "select scheduled_at, notice_asked_at, notice_door from attempts where id = :id", id=attempt
    )
    assert asked == shop.clock.now()
    assert due == asked + DEBIT_AFTER
    assert [one["id"] for one in orders_of(shop, attempt)] == [order]
    ours = "select opened_by from doors where object_id = :order"
    assert shop.rows(ours, order=order) == [("tinko",)]
    shop.hear(hours=2)
    ((told,),) = shop.rows("select notified_at from doors where object_id = :order", order=order)
    assert told is not None
    said = go_on(shop)
    assert said[-1] == "pending", said
    ((door, evidence),) = shop.rows(
        "select door_id, evidence from attempts where id = :id", id=attempt
    )
    assert door == order
    facts = (evidence if isinstance(evidence, dict) else json.loads(evidence))["facts"]
    assert facts["notice_required"] is True
    (tried,) = shop.tries()
    assert shop.clock.now() - told >= timedelta(hours=24)
    assert told_late(shop) == []
    shop.hear(days=6)
    assert (shop.state(attempt), shop.debt_state(), shop.taken()) == ("succeeded", "paid", AMOUNT)
    assert len(orders_of(shop, attempt)) == 1
    assert tried["state"] in ("pending", "succeeded")


def test_where_the_merchants_orders_announce_their_debits_the_psp_runs_the_clock(razored):
    attempt = razored.plan(razored.failed_debt())
    assert razored.charge() == "pending"
    assert razored.rows("select notice_asked_at from attempts where id = :id", id=attempt) == [
        (None,)
    ]


@pytest.mark.parametrize("fresh", [True, False])
def test_a_merchant_says_whether_a_retry_needs_a_notice_of_its_own(razored, fresh):
    """One notice for all its retries, and the second is debited at once, through an order that
    announces nothing."""
    shop, debt = razored, razored.failed_debt(notify=False)
    shop.write("update organisations set fresh_notice = :fresh", fresh=fresh)
    bad = debt.failed_body["token_id"]
    shop.plan(debt, method_ref=bad)
    assert shop.charge() == "notice.asked"
    assert go_on(shop)[-1] == "pending"
    shop.hear(days=6)
    again = shop.plan(debt, method_ref=bad)
    said = go_on(shop)
    assert ("notice.asked" in said, said[-1]) == (fresh, "pending")
    (order,) = orders_of(shop, again)
    assert ("notification" in order) is fresh
    ((evidence,),) = shop.rows("select evidence from attempts where id = :id", id=again)
    assert evidence["facts"]["fresh_notice"] is fresh
    assert evidence["facts"]["notice_delivered_at"] is not None


@pytest.mark.parametrize("label", NOTIFYING)
def test_a_kill_at_any_point_asks_once_and_debits_once(quiet, label):
    shop, attempt = quiet
    shop.charge_and_die(label)
    assert shop.tries() == []
    shop.wall.advance(minutes=16)
    shop.resolve()
    assert shop.state(attempt) == "scheduled"
    assert go_on(shop)[-1] == "pending"
    assert len(orders_of(shop, attempt)) == 1
    shop.hear(days=6)
    assert (shop.debt_state(), shop.taken(), len(shop.tries())) == ("paid", AMOUNT, 1)
    assert shop.locks() == []


def test_news_of_an_order_that_nobody_wrote_down_belong_to_its_debt(quiet):
    shop, _ = quiet
    shop.charge_and_die("notified")
    shop.hear(hours=2)
    assert shop.rows("select count(*) from obligations") == [(1,)]
    assert shop.rows("select count(*) from doors where notified_at is not null") == [(1,)]


def test_a_psp_that_would_not_listen_is_asked_later(quiet):
    shop, attempt = quiet
    shop.before("notify", lambda: shop.faults(error_429={"times": 1, "match": "POST"}))
    assert shop.charge() == "psp_rate_limited"
    said = go_on(shop)
    assert (said[0], said[-1]) == ("notice.asked", "pending")
    assert len(orders_of(shop, attempt)) == 1


def test_what_failed_to_reach_the_payer_is_never_debited(quiet):
    shop, attempt = quiet
    shop.faults(undelivered_notice=True)
    assert shop.charge() == "notice.asked"
    shop.hear(hours=2)
    # told that it failed, it need not wait the day
    assert shop.charge() == "notice.undelivered"
    assert (shop.state(attempt), shop.tries(), shop.locks()) == ("cancelled", [], [])
    # one more notice, and then the payer is asked
    assert shop.think() == {"retry": 1}
    said = go_on(shop)
    assert "notice.asked" in said
    assert said[-1] == "notice.undelivered"
    assert shop.think() == {"ask_payer": 1}
    ((reasons,),) = shop.rows(
        "select reasons from decisions where action = 'ask_payer' order by id desc limit 1"
    )
    assert reasons["reasons"][0] == "notice.undelivered"
    assert shop.tries() == []


def test_what_nobody_says_of_a_notice_is_waited_for_and_then_given_up(quiet):
    shop, attempt = quiet
    shop.faults(drop_webhooks=True)
    assert shop.charge() == "notice.asked"
    asked = shop.clock.now()
    said = go_on(shop, turns=20)
    assert set(said) == {"notice.undelivered"}
    assert shop.clock.now() - asked >= PATIENCE
    assert (shop.state(attempt), shop.tries()) == ("cancelled", [])


def test_paid_while_the_notice_is_out_nothing_is_debited(razored):
    shop, debt = razored, razored.failed_debt(notify=False)
    attempt = shop.plan(debt)
    shop.charge()
    shop.debit_again(debt)
    shop.hear(days=5)
    assert shop.state(attempt) == "cancelled"
    assert (shop.debt_state(), shop.taken(), shop.tries()) == ("paid", AMOUNT, [])


def test_under_a_lost_lease_only_the_door_is_kept(quiet):
    shop, attempt = quiet
    (claim,) = shop.claims()

    def lose():
        shop.wall.advance(minutes=16)
        shop.resolve()

    shop.charger(lambda here: lose() if here == "notified" else kill_at("")(here)).make(claim)
    ((door,),) = shop.rows("select notice_door from attempts where id = :id", id=attempt)
    assert door is None
    assert shop.state(attempt) == "scheduled"
    assert shop.charge() == "notice.asked"
    assert len(orders_of(shop, attempt)) == 1
