"""Rules 1 to 3 of the design, each against the interleaving that would break it: one debt, one
account, one who retries."""

import uuid

import pytest

from tests.integration.recovery.conftest import START
from tests.integration.recovery.interleaving import at
from tests.integration.recovery.money_stage import Shop, pay_page, side_by_side
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import Conflict
from tinko_pipelines.core.psp.types import Credentials
from tinko_pipelines.core.tenants.connections import create_connection
from tinko_pipelines.core.tenants.organisations import create_organisation

# --- rule 1: one debt, whichever of its names is heard first -------------------------------------


@pytest.fixture
def two_halves(striped):
    """One debt that is known as two: an invoice and a PaymentIntent, each with a retry of ours."""
    first, second = striped.failed_debt(), striped.failed_debt("failing_intent")
    found = dict(striped.rows("select object_id, obligation_id from psp_refs"))
    plans = [
        striped.plan(first, found[first.ref.object_id]),
        striped.plan(second, found[second.ref.object_id]),
    ]
    return striped, first, second, plans


def one_debt(shop, first, second):
    shop.apply(refs=(first.ref, second.ref))


def test_rule_1_seen_first_as_charge_and_then_as_invoice_both_claimed_one_lock_stays(two_halves):
    shop, first, second, plans = two_halves
    claims = shop.claims()
    assert len(claims) == len(shop.locks()) == 2
    one_debt(shop, first, second)
    assert shop.locks() == [("charge",)]
    said = [shop.charger().make(claim) for claim in claims]
    assert sorted(said) == ["lease.lost", "succeeded"]
    assert sorted(map(shop.state, plans)) == ["cancelled", "succeeded"]
    assert len(shop.tries()) == 1
    assert shop.locks() == []


def test_rule_1_of_two_locks_the_one_that_may_have_moved_money_stays(two_halves):
    """The weaker name's retry is under way when the debts turn out to be one: the stronger name's
    claim, though its lock is the keeper's own, is not sent."""
    shop, first, second, plans = two_halves
    claims = {claim.attempt_id: claim for claim in shop.claims()}
    shop.faults(timeout_after_charge=1)
    assert shop.charger().make(claims[plans[1]]) == "unknown"
    one_debt(shop, first, second)
    assert shop.rows("select attempt_id from charge_locks") == [(plans[1],)]
    assert shop.charger().make(claims[plans[0]]) == "lease.lost"
    shop.hear()
    assert shop.state(plans[1]) == "succeeded"
    assert shop.debt_state() == "paid"
    assert len(shop.tries()) == 1


def test_rule_1_a_claim_is_dropped_when_its_debt_turns_out_to_be_a_paid_one(two_halves):
    shop, first, second, plans = two_halves
    claims = {claim.attempt_id: claim for claim in shop.claims()}
    pay_page(shop.page_of(first))
    shop.hear()
    one_debt(shop, first, second)
    assert shop.debt_state() == "paid"
    assert shop.charger().make(claims[plans[1]]) == "lease.lost"
    assert shop.state(plans[1]) == "cancelled"
    assert shop.tries() == []


def test_rule_1_what_was_sent_for_the_other_name_of_a_paid_debt_is_awaited(two_halves):
    """Its outcome is a second capture: found, with the refund that would undo it."""
    shop, first, second, plans = two_halves
    claims = {claim.attempt_id: claim for claim in shop.claims()}

    def meanwhile():
        pay_page(shop.page_of(first))
        shop.hear()
        one_debt(shop, first, second)

    assert shop.charger(at("submitted", meanwhile)).make(claims[plans[1]]) == "succeeded"
    assert shop.state(plans[1]) == "succeeded"
    assert shop.debt_state() == "paid"
    assert shop.rows("select kind, state from findings") == [("double_collected", "open")]


def test_rule_1_one_case_stays_and_knows_all_failures(two_halves):
    shop, first, second, _ = two_halves
    shop.think()
    assert len(shop.rows("select 1 from cases")) == 2
    one_debt(shop, first, second)
    ((case, debt),) = shop.rows("select id, obligation_id from cases")
    assert shop.obligation() == debt
    assert shop.rows("select distinct case_id, obligation_id from failures") == [(case, debt)]


def test_rule_1_a_recovered_case_does_not_stay_beside_the_keepers(two_halves):
    shop, first, second, _ = two_halves
    shop.think()
    ((weaker,),) = shop.rows(
        "select obligation_id from psp_refs where object_id = :intent", intent=second.ref.object_id
    )
    pay_page(shop.payer_door(weaker))
    shop.hear()
    assert shop.rows("select state from cases order by state") == [("recovered",), ("retrying",)]
    one_debt(shop, first, second)
    assert shop.rows("select state, recovered_by from cases") == [("recovered", "payer")]
    assert shop.rows("select count(*) from attempts where state = 'scheduled'") == [(0,)]


# --- rule 2: one account, once --------------------------------------------------------------------


def test_rule_2_one_account_connected_twice_at_once_is_connected_once(striped):
    shop = striped
    shop.write("update connections set status = 'disabled'")
    keys = Credentials("sk_test_again", base_url=shop.stage.credentials.base_url)
    account = shop.stage.account["account_id"]

    def connect():
        with unit_of_work(shop.engine) as connection:
            slug = uuid.uuid4().hex
            org = create_organisation(connection, slug, "Other", shop.clock.now())
            return create_connection(
                connection, org.org_id, shop.stage.psp, account, keys, shop.clock.now(),
                livemode=False,
            )  # fmt: skip

    said = side_by_side(*[connect] * 4)
    assert sum(isinstance(one, uuid.UUID) for one in said) == 1
    assert sum(isinstance(one, Conflict) for one in said) == 3


@pytest.mark.parametrize("whose", ["mine", "another's"])
def test_rule_2_an_account_is_refused_in_the_same_mode_and_taken_in_the_other(striped, whose):
    shop, account = striped, striped.stage.account["account_id"]
    base = shop.stage.credentials.base_url
    with unit_of_work(shop.engine) as connection:
        org = shop.org.org_id
        if whose != "mine":
            org = create_organisation(connection, "zenith", "Zenith", shop.clock.now()).org_id
        with pytest.raises(Conflict, match="already connected in test mode"):
            create_connection(connection, org, shop.stage.psp, account,
                              Credentials("sk_test_again", base_url=base), shop.clock.now(),
                              livemode=False)  # fmt: skip
        create_connection(connection, org, shop.stage.psp, account,
                          Credentials("sk_live_1", base_url=base), shop.clock.now(),
                          livemode=True)  # fmt: skip
    assert shop.rows("select livemode from connections order by 1") == [(False,), (True,)]


# --- rule 3: who retries --------------------------------------------------------------------------


def test_rule_3_auto_advance_turned_on_between_decision_and_claim_is_watched(striped):
    debt = striped.failed_debt()
    striped.write(
        "update obligations set mandate_ref = :card", card=debt.failed_body["payment_method"]
    )
    assert striped.think() == {"retry": 1}
    striped.stage.sdk.v1.invoices.update(debt.ref.object_id, {"auto_advance": True})
    striped.wait_for_the_next()
    # no event of it has come: the fresh read says so
    assert striped.charge() == "psp.retries"
    assert striped.tries() == []
    assert striped.think() == {"watch": 1}


def test_rule_3_the_psps_own_retry_races_ours_and_is_seen_counted_and_not_doubled(striped):
    """It is made after our claim: the read finds it, and it counts as an attempt of the PSP."""
    debt = striped.failed_debt()
    attempt = striped.plan(debt)
    (claim,) = striped.claims()
    invoices = striped.stage.sdk.v1.invoices
    invoices.update(debt.ref.object_id, {"auto_advance": True})
    striped.declined_again(debt, heard=False)
    assert striped.charger().make(claim) == "psp.retries"
    assert striped.state(attempt) == "cancelled"
    striped.post()
    striped.work()
    assert striped.rows(
        "select actor, state from attempts where state = 'failed' order by occurred_at"
    ) == [("merchant", "failed"), ("psp", "failed")]
    counted = "select count(*) from guard_counters where instrument_key is not null"
    assert striped.rows(counted) == [(2,)]


def test_rule_3_where_the_psp_owns_the_retries_we_watch_and_ask_the_payer_at_the_end(shop):
    shop.failed_debt()
    shop.own_retries("psp")
    shop.write("update attempts set finished_at = :now", now=shop.clock.now())
    assert shop.think() == {"watch": 1}
    assert shop.rows("select count(*) from attempts where actor = 'tinko'") == [(0,)]
    ((again,),) = shop.rows("select decide_at from cases")
    shop.clock.instant = again
    assert shop.think() == {"ask_payer": 1}
    assert shop.rows("select state from cases") == [("awaiting_payer",)]
    assert shop.rows("select count(*) from attempts where actor = 'tinko'") == [(0,)]


@pytest.fixture
def cycles(sandbox, receiver, database, settings):
    """A shop whose debts are a world's, subscription cycles among them."""
    sandbox.ask("POST", "reset")
    receiver.got.clear()
    shop = Shop(sandbox, receiver, database, "razorpay", "cycles")
    sandbox.ask("PUT", "world", seed=5, start=START, obligations=40, days=2, never=0.0, late=0.0,
                twice=0.0, disputes=0.0, shares={"razorpay": 1.0})  # fmt: skip
    yield shop
    account = shop.stage.account["account_id"]
    sandbox.ask("PUT", "endpoints", psp="razorpay", account_id=account, url=None)


def test_rule_3_a_subscription_cycle_gets_no_order_link_or_payment_of_ours(cycles):
    shop = cycles
    for _ in range(4):
        shop.hear(days=1)
    shop.think()
    owed = shop.rows(
        "select o.id, c.state from obligations as o inner join cases as c on c.obligation_id = o.id"
        " where o.state = 'open' and exists (select 1 from psp_refs as r"
        " where r.obligation_id = o.id and r.kind = 'subscription_cycle')"
    )
    assert owed, "the world has none: the test proves nothing"
    assert {state for _, state in owed} <= {"retrying", "awaiting_payer"}
    made = objects(shop)
    shop.write("delete from attempts where state = 'scheduled'")
    for debt, _ in owed:
        shop.write(
            "insert into attempts (id, org_id, connection_id, psp, obligation_id, actor, state,"
            " amount_minor, currency, method, instrument_key, payment_method_ref, scheduled_at,"
            " created_at, updated_at) select :id, org_id, connection_id, psp, obligation_id,"
            " 'tinko', 'scheduled', amount_minor, currency, method, instrument_key,"
            " payment_method_ref, :now, :now, :now from attempts where obligation_id = :debt"
            " and instrument_key is not null limit 1",
            id=uuid.UUID(int=uuid.uuid4().int >> 48 | debt.int >> 80 << 80), debt=debt,
            now=shop.clock.now(),
        )  # fmt: skip
        assert shop.charge() == "psp.retries"
        way = shop.payer_door(debt)
        assert (way.door, way.post) == (None, False)
        assert "/hosted/razorpay/" in way.url
    assert shop.tries() == []
    assert objects(shop) == made


def objects(shop):
    sdk = shop.stage.sdk
    links = {one["id"] for one in sdk.payment_link.all({})["payment_links"]}
    return links | {one["id"] for one in sdk.order.all({"count": 100})["items"]}
