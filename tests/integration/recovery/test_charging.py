"""Rules 6, 8, 11, 12, 13 on real engines: what forbids a charge, and the order it is made in."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from requests.adapters import HTTPAdapter

from tests.contract.adapter_stages import AMOUNT
from tests.integration.recovery.interleaving import at
from tests.integration.recovery.money_stage import LEASE, side_by_side
from tinko_pipelines.core.failures.store import classify_failures
from tinko_pipelines.core.ledger.keys import key_of
from tinko_pipelines.core.recovery.executing import execute_due
from tinko_pipelines.core.recovery.payer_door import AttemptInFlight

# --- rule 6: a second order ---------------------------------------------------------------------


def time_out_first(shop):
    """As if the debt's first debit had timed out at the bank right now: it may yet be taken."""
    ((first,),) = shop.rows("select id from attempts order by id limit 1")
    shop.write(
        "update failures set late_authorisation = true, retry_advice = 'poll'"
        " where attempt_id = :id", id=first,
    )  # fmt: skip
    shop.write("update attempts set finished_at = :now where id = :id", now=shop.clock.now(),
               id=first)  # fmt: skip


def test_a_timed_out_debit_blocks_a_new_order_for_five_days(razored):
    debt = razored.failed_debt()
    time_out_first(razored)
    attempt = razored.plan(debt)
    orders = razored.stage.sdk.order.all({})["count"]
    assert razored.charge() == "guard.razorpay.late_authorisation"
    assert razored.stage.sdk.order.all({})["count"] == orders
    ((again,),) = razored.rows("select scheduled_at from attempts where id = :id", id=attempt)
    assert again == razored.clock.now() + timedelta(days=5)
    razored.advance(days=5)
    assert razored.charge() == "pending"


def test_a_timed_out_debit_blocks_though_a_later_one_was_plainly_declined(razored):
    debt = razored.failed_debt()
    razored.declined_again(debt)
    time_out_first(razored)
    # so that the plain decline is the last one by its time
    razored.write(
        "update attempts set finished_at = finished_at - interval '1 minute' where id ="
        " (select min(id::text)::uuid from attempts)"
    )
    razored.plan(debt)
    assert razored.charge() == "guard.razorpay.late_authorisation"
    assert razored.tries() == []


def test_a_debit_that_is_with_the_bank_blocks_a_new_order(razored):
    debt = razored.failed_debt()
    razored.debit_again(debt)
    attempt = razored.plan(debt)
    assert razored.charge() == "payment.in_flight"
    assert razored.state(attempt) == "scheduled"
    with pytest.raises(AttemptInFlight):
        razored.payer_door()
    razored.hear(days=6)
    assert razored.state(attempt) == "cancelled"
    assert razored.debt_state() == "paid"
    assert razored.taken() == AMOUNT


# --- rule 8: the order of a charge --------------------------------------------------------------


def test_news_that_nobody_has_read_yet_stops_a_charge(shop):
    debt = shop.failed_debt()
    shop.plan(debt)
    shop.declined_again(debt, heard=False)
    assert shop.post() > 0
    assert shop.charge() == "inbox.unprocessed"
    assert shop.tries() == []
    shop.work()
    # past a Sunday, when no bank debits
    shop.advance(days=1)
    assert shop.charge() in ("succeeded", "pending")


def test_unread_news_do_not_make_a_batch_spin(shop):
    debt = shop.failed_debt()
    shop.plan(debt)
    shop.declined_again(debt, heard=False)
    shop.post()
    made = execute_due(shop.engine, shop.desk, shop.clock, shop.settings, wall=shop.wall)
    assert dict(made) == {"inbox.unprocessed": 1}


@pytest.mark.parametrize("label", ["claimed", "read"])
def test_who_lost_the_lease_does_not_send(shop, label):
    debt = shop.failed_debt()
    attempt = shop.plan(debt)

    def stall(here):
        if here == label:
            shop.wall.advance(seconds=LEASE + 1)
            assert shop.resolve() == {"given_back": 1}

    assert shop.charge(stall) == "lease.lost"
    assert shop.state(attempt) == "scheduled"
    assert shop.tries() == []
    assert shop.locks() == []
    assert shop.charge() in ("succeeded", "pending")


def test_nothing_is_sent_that_could_outlive_the_lease(shop):
    debt = shop.failed_debt()
    attempt = shop.plan(debt)

    def stall(here):
        if here == "submitted":
            shop.wall.advance(seconds=LEASE - 6)

    assert shop.charge(stall) == "not_sent"
    assert shop.tries() == []
    assert shop.locks() == []
    assert shop.history("attempt", attempt)[-2:] == ["unknown", "not_sent"]
    assert shop.rows("select count(*) from idempotency_keys") == [(1,)]


def test_two_processes_never_claim_one_attempt(shop):
    debt = shop.failed_debt()
    shop.plan(debt)
    claims = [one for found in side_by_side(*[shop.claims] * 4) for one in found]
    assert len(claims) == 1


def test_no_transaction_is_open_while_the_psp_is_asked(shop, monkeypatch):
    """At every HTTP request of ours, whatever makes it, no backend sits in a transaction."""
    idle, asked = [], []
    look = (
        "select usename, left(query, 60) from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and state like 'idle in transaction%'"
    )
    send = HTTPAdapter.send
    # each role sees what its own backends do
    with ExitStack() as stack:
        watchers = [
            stack.enter_context(psycopg.connect(shop.database.url(role), autocommit=True))
            for role in ("tinko_worker", "tinko_app")
        ]

        def watched(adapter, request, *rest, **more):
            asked.append(request.url)
            for one in watchers:
                idle.extend(one.execute(look).fetchall())
            return send(adapter, request, *rest, **more)

        monkeypatch.setattr(HTTPAdapter, "send", watched)
        debt = shop.failed_debt()
        shop.payer_door()
        shop.heal()
        shop.plan(debt)
        shop.faults(timeout_after_charge=1)
        assert shop.charge() == "unknown"
        shop.wall.advance(hours=1)
        shop.resolve()
        shop.advance(days=2)
        shop.read_pending()
        shop.hear(days=6)
    assert len(asked) > 10
    assert idle == []
    assert shop.taken() == AMOUNT


# --- rule 11: guards last -----------------------------------------------------------------------


@pytest.fixture
def nine_of_ten(striped):
    """Two debts on one Mastercard that was tried nine times today; ten are allowed."""
    debts = [striped.failed_debt(), striped.failed_debt()]
    ids = [one for (one,) in striped.rows("select id from obligations order by id")]
    card = striped.stage.sdk.v1.payment_methods
    plans = []
    for debt, obligation in zip(debts, ids, strict=True):
        ref = card.attach("pm_card_mastercard", {"customer": debt.customer}).id
        plans.append(striped.plan(debt, obligation, method_ref=ref, network="mastercard"))
    striped.count_on(striped.instrument(ref), 9)
    return striped, plans


def test_two_claims_that_each_see_nine_of_ten_do_not_make_eleven(nine_of_ten):
    shop, plans = nine_of_ten
    first, second = shop.claims()
    said = side_by_side(lambda: shop.charger().make(first), lambda: shop.charger().make(second))
    assert sorted(said) == ["guard.mastercard.day", "succeeded"]
    assert len(shop.tries()) == 1
    assert sorted(shop.state(one) for one in plans) == ["scheduled", "succeeded"]


def test_a_batch_counts_its_own_earlier_ones(nine_of_ten):
    shop, _ = nine_of_ten
    made = execute_due(shop.engine, shop.desk, shop.clock, shop.settings, wall=shop.wall)
    assert made == {"guard.mastercard.day": 1, "succeeded": 1}


def test_an_unknown_outcome_counts(nine_of_ten):
    shop, _ = nine_of_ten
    first, second = shop.claims()
    shop.faults(timeout_after_charge=1)
    assert shop.charger().make(first) == "unknown"
    assert shop.charger().make(second) == "guard.mastercard.day"


def test_an_unknown_instrument_fails_closed(shop):
    debt = shop.failed_debt()
    attempt = shop.plan(debt, instrument=None)
    assert shop.charge() == "guard.own.unknown_instrument"
    assert shop.state(attempt) == "cancelled"
    assert shop.tries() == []


def test_a_stored_card_that_nobody_has_tried_yet_is_for_the_payer(striped):
    """The guards would count the old card's tries and let the new card's through."""
    debt = striped.failed_debt()
    striped.write("update obligations set mandate_ref = :new", new=debt.good)
    assert striped.think() == {"ask_payer": 1}
    assert striped.rows("select reasons -> 'reasons' ->> 0 from decisions") == [
        ("guard.own.unknown_instrument",)
    ]


def test_the_guard_rows_that_allowed_an_attempt_are_stored_with_it(striped):
    debt = striped.failed_debt()
    attempt = striped.plan(debt)
    assert striped.charge() == "succeeded"
    ((rows,),) = striped.rows("select guard_rows from attempts where id = :id", id=attempt)
    assert "visa.reattempts.2025" in rows


@pytest.fixture
def two_on_one_card(striped):
    """Two debts with retries due on one card, which its issuer declines as lost (41)."""
    debts = [striped.failed_debt(), striped.failed_debt()]
    plans = []
    for debt in debts:
        ref = striped.stage.instrument(debt, "chargeDeclinedLostCard")
        plans.append(striped.plan(debt, striped.debt_of(debt), method_ref=ref))
    return striped, plans


def test_a_code_counts_for_the_cards_other_debts_at_once(two_on_one_card):
    """Whether anybody has classified that failure or not."""
    shop, plans = two_on_one_card
    made = [execute_due(shop.engine, shop.desk, shop.clock, shop.settings, wall=shop.wall, limit=1)
            for _ in plans]  # fmt: skip
    assert made == [{"failed": 1}, {"guard.visa.category1.2026": 1}]
    assert len(shop.tries()) == 1
    assert sorted(shop.state(one) for one in plans) == ["cancelled", "failed"]
    assert shop.rows("select count(*) from attempts where classified_at is null") == [(2,)]


def test_a_cards_never_again_outlives_every_window(two_on_one_card):
    """Monthly billing: the next debt of the card comes after all that is counted by the month."""
    shop, _ = two_on_one_card
    first, second = shop.claims()
    assert shop.charger().make(first) == "failed"
    shop.write("update guard_counters set counted_at = counted_at - interval '300 days'")
    assert shop.charger().make(second) == "guard.visa.category1.2026"
    assert len(shop.tries()) == 1


def test_a_code_that_came_before_we_knew_the_try_for_ours_still_counts(striped):
    """A webhook that was faster than the answer was taken for somebody else's try."""
    first, second = striped.failed_debt(), striped.failed_debt()
    ref = striped.stage.instrument(first, "chargeDeclinedLostCard")
    ours = striped.plan(first, striped.debt_of(first), method_ref=ref)
    striped.faults(timeout_after_charge=1)
    assert striped.charge() == "unknown"
    ((seen,),) = [[one] for one in striped.seat.adapter.read((first.ref,)).payments
                  if one.error and one.error.network_decline_code == "41"]  # fmt: skip
    striped.apply(
        refs=(first.ref,), payments=(replace(seen, idempotency_key=None, tinko_attempt=None),)
    )
    told = replace(seen, error=None, idempotency_key=key_of(ours))
    striped.apply(refs=(first.ref,), payments=(told,))
    assert striped.state(ours) == "failed"
    ref = striped.stage.instrument(second, "chargeDeclinedLostCard")
    striped.plan(second, striped.debt_of(second), method_ref=ref)
    assert striped.charge() == "guard.visa.category1.2026"


@pytest.mark.parametrize("classified", [False, True])
def test_a_debit_that_may_yet_be_taken_blocks_whoever_classified_it(razored, classified):
    debt = razored.failed_debt()
    razored.plan(debt)
    razored.write(
        "update attempts set error = jsonb_build_object('reason', 'payment_timed_out'),"
        " finished_at = :now where actor <> 'tinko'", now=razored.clock.now(),
    )  # fmt: skip
    razored.write("delete from failures")
    razored.write("update attempts set classified_at = null where actor <> 'tinko'")
    if classified:
        classify_failures(razored.engine, razored.clock)
    assert razored.charge() == "guard.razorpay.late_authorisation"
    assert razored.tries() == []


# --- rule 12: what is never retried -------------------------------------------------------------


@pytest.mark.parametrize("classified", [False, True])
def test_a_hard_decline_that_came_after_the_plan_stops_it(striped, classified):
    debt = striped.failed_debt()
    attempt = striped.plan(debt, method_ref=debt.failed_body["payment_method"])
    striped.write("update attempts set error = jsonb_build_object('decline_code', 'lost_card')"
                  " where actor <> 'tinko'")  # fmt: skip
    striped.write("delete from failures")
    striped.write("update attempts set classified_at = null where actor <> 'tinko'")
    if classified:
        classify_failures(striped.engine, striped.clock)
    assert striped.charge() == "failure.never"
    assert striped.tries() == []
    assert striped.state(attempt) == "cancelled"
    assert striped.think() == {"ask_payer": 1}


def test_a_hard_decline_goes_to_the_payer(shop):
    shop.failed_debt()
    shop.hard_decline()
    assert shop.think() == {"ask_payer": 1}
    assert shop.rows("select count(*) from attempts where actor = 'tinko'") == [(0,)]
    assert shop.rows("select state from cases") == [("awaiting_payer",)]


def test_a_mandate_lost_after_the_claim_stops_the_charge(razored):
    shop, debt = razored, razored.failed_debt()
    attempt = shop.plan(debt)
    (claim,) = shop.claims()
    shop.lose_mandate(debt)
    assert shop.charger().make(claim) == "mandate.none"
    assert shop.state(attempt) == "cancelled"
    assert shop.tries() == []


def test_a_retry_that_was_planned_on_the_mandate_of_before_is_dropped(razored):
    shop, debt = razored, razored.failed_debt()
    attempt = shop.plan(debt, method_ref="token_before")
    # decide() has not looked again since the debt's mandate was replaced
    shop.write("update attempts set mandate_ref = 'token_before' where id = :id", id=attempt)
    assert shop.charge() == "mandate.replaced"
    assert (shop.state(attempt), shop.tries(), shop.locks()) == ("cancelled", [], [])


@pytest.mark.parametrize(
    ("news", "reason", "state"),
    [("replaced", "mandate.changed", "scheduled"), ("paused", "mandate.none", "cancelled")],
)
def test_news_of_a_mandate_that_came_after_the_read_stop_the_charge(razored, news, reason, state):
    shop, debt = razored, razored.failed_debt()
    old = debt.failed_body["token_id"]
    attempt = shop.plan(debt, method_ref=old)
    said = {"replaced": {"refs": (debt.ref,), "mandate_ref": "token_another"},
            "paused": {"mandate_lost": old}}[news]  # fmt: skip
    assert shop.charge(at("read", lambda: shop.apply(**said))) == reason
    # what was read before is not written over what is known now
    expected = {"replaced": ("token_another", True), "paused": (old, False)}[news]
    assert shop.rows("select mandate_ref, has_mandate from obligations") == [expected]
    assert (shop.state(attempt), shop.tries(), shop.locks()) == (state, [], [])


# --- rule 13: every change of state leaves a row ------------------------------------------------


def test_the_history_tells_every_step(shop):
    debt = shop.failed_debt()
    attempt = shop.plan(debt)
    shop.charge()
    shop.hear(days=6)
    steps = shop.history("attempt", attempt)
    assert steps[:3] == ["scheduled", "claimed", "submitted"]
    assert steps[-1] == "succeeded"
    assert set(steps[3:-1]) <= {"pending"}
    assert shop.history("obligation", shop.obligation()) == ["open", "paid"]


# --- what a refusal costs -----------------------------------------------------------------------


def test_a_retry_the_psp_refuses_is_not_repeated_at_once(striped):
    """Refused before any charge, again and again: ever longer pauses, then the payer."""
    debt = striped.failed_debt()
    striped.plan(debt)
    striped.faults(api_key_expired={"match": "/pay"})
    pauses = []
    for _ in range(5):
        striped.wait_for_the_next()
        assert striped.charge() == "not_sent"
        decided = striped.think()
        if decided == {"retry": 1}:
            ((at,),) = striped.rows("select scheduled_at from attempts where state = 'scheduled'")
            pauses.append(at - striped.clock.now())
    assert decided == {"ask_payer": 1}
    # the first is the policy's own back-off after the failure
    assert pauses[0] > timedelta(hours=1)
    assert pauses[1:] == [timedelta(hours=2), timedelta(hours=4), timedelta(hours=8)]
    assert striped.tries() == []
