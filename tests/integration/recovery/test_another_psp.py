"""Rule 7 on real engines: a payer chooses another PSP that a rule offered, and what may come in
between."""

from datetime import timedelta

import pytest

from tests.contract.adapter_stages import AMOUNT
from tests.integration.recovery.money_stage import pay_page
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import PspUnreachable
from tinko_pipelines.core.inbox.heal import reread_disputed
from tinko_pipelines.core.psp.types import (
    CustomerSeen,
    DisputeSeen,
    DisputeStatus,
    DoorKind,
    Psp,
    Ref,
    RefKind,
)
from tinko_pipelines.core.reconciliation import review
from tinko_pipelines.core.reconciliation.repairs import apply_wanted
from tinko_pipelines.core.reconciliation.settle import settle_recoveries
from tinko_pipelines.core.recovery.payer_door import (
    AlreadyPaid,
    AttemptInFlight,
    MayBeConfirmed,
    NotOffered,
)
from tinko_pipelines.core.tenants.desk import Desk

# what only its own PSP says of a debt
DESCRIBED = (
    "select connection_id, psp, customer_ref, payer_email, mandate_ref, has_mandate, psp_retries,"
    " due_minor, due_rank from obligations"
)
OTHER = {"stripe": "razorpay", "razorpay": "stripe"}


class Two:
    """A merchant at both PSPs, and a debt in rupees whose first try at `home` failed."""

    def __init__(self, open_shop, psp):
        self.home = open_shop(psp)
        self.other = open_shop(OTHER[psp], self.home)
        self.chosen = self.other.stage.psp
        for shop in (self.home, self.other):
            shop.desk = Desk(shop.engine, shop.settings)
        how = {"kind": "failing_intent", "currency": "inr"} if psp == "stripe" else {}
        self.debt = self.home.failed_debt(**how)
        self.home.write("update cases set offered_psp = :psp", psp=self.chosen.value)

    def choose(self):
        return self.home.payer_door(chosen=self.chosen)

    def hear(self, **span):
        self.home.advance(**(span or {"minutes": 2}))
        for shop in (self.home, self.other):
            shop.post()
        return self.home.work()

    def doors(self, shop):
        return dict(
            self.home.rows(
                "select object_id, status from doors where connection_id = :id",
                id=shop.connection_id,
            )
        )

    def pages_opened(self):
        """Sessions or links at the other PSP, as it says itself."""
        sdk = self.other.stage.sdk
        if self.chosen is Psp.RAZORPAY:
            return sdk.payment_link.all({})["payment_links"]
        return sdk.v1.checkout.sessions.list({}).data


@pytest.fixture(params=["stripe", "razorpay"])
def two(request, open_shop):
    return Two(open_shop, request.param)


def test_what_is_paid_at_the_chosen_psp_recovers_the_same_debt(two):
    home, other, said = two.home, two.other, two.home.rows(DESCRIBED)
    way = two.choose()
    assert way.door.kind in (DoorKind.PAYMENT_LINK, DoorKind.CHECKOUT_SESSION)
    assert home.locks() == []
    assert home.rows(
        "select kind from psp_refs where connection_id = :id", id=other.connection_id
    ) == [(way.door.kind.value,)]
    # asked twice, the page that is open answers
    assert two.choose().url == way.url
    assert len(two.pages_opened()) == 1
    pay_page(way)
    two.hear()
    assert (home.taken(), other.taken()) == (0, AMOUNT)
    assert home.rows("select state, paid_minor from obligations") == [("paid", AMOUNT)]
    assert home.rows("select state, recovered_by from cases") == [("recovered", "payer")]
    assert home.rows(DESCRIBED) == said
    assert home.rows(
        "select connection_id, actor, psp from attempts where state = 'succeeded'"
    ) == [(other.connection_id, "payer", two.chosen.value)]
    with pytest.raises(AlreadyPaid):
        two.choose()
    # the money is looked for where it was taken
    settle_recoveries(home.engine, home.clock)
    assert home.rows("select connection_id from settlements") == [(other.connection_id,)]


def test_the_old_page_paid_in_the_moment_it_is_shut_opens_no_other(two):
    page = old_page(two)
    two.home.before("leave_door", lambda: pay_page(page))
    with pytest.raises(AlreadyPaid):
        two.choose()
    assert two.pages_opened() == []
    assert (two.home.taken(), two.home.locks()) == (AMOUNT, [])


def test_the_old_page_is_shut_before_the_other_is_open(two):
    page = old_page(two)
    two.choose()
    pay_page(page)
    two.hear()
    assert (two.home.taken(), two.home.debt_state()) == (0, "open")


def old_page(two):
    """A page of the debt at its own PSP that its payer has had for long."""
    if two.home.stage.psp is Psp.RAZORPAY:
        return two.home.second_door(two.debt)
    return two.home.page_of(two.debt)


def test_while_a_retry_is_in_flight_the_payer_has_to_wait(two):
    two.home.plan(two.debt)
    (claim,) = two.home.claims()
    with pytest.raises(AttemptInFlight):
        two.choose()
    two.home.charger().make(claim)
    two.hear(days=6)
    assert two.home.debt_state() == "paid"
    assert two.pages_opened() == []


def test_a_retry_of_ours_shuts_the_chosen_page_first(two):
    way = two.choose()
    attempt = two.home.plan(two.debt)
    assert two.home.charge() in ("succeeded", "pending")
    pay_page(way)
    two.hear(days=6)
    assert two.home.state(attempt) == "succeeded"
    assert (two.home.taken(), two.other.taken()) == (AMOUNT, 0)
    assert two.doors(two.other)[way.door.object_id] == "closed"


def test_a_chosen_page_paid_in_the_moment_a_retry_shuts_it_stops_the_retry(two):
    way = two.choose()
    attempt = two.home.plan(two.debt)
    two.other.before("leave_door", lambda: pay_page(way))
    two.home.desk = Desk(two.home.engine, two.home.settings)
    assert two.home.charge() == "obligation.paid"
    assert two.home.state(attempt) == "cancelled"
    assert (two.home.taken(), two.other.taken()) == (0, AMOUNT)


def test_a_chosen_psp_that_is_away_lets_no_retry_through(two):
    two.choose()
    two.home.plan(two.debt)
    adapter = two.home.desk.seats[two.other.connection_id].adapter

    def away(refs):
        raise PspUnreachable("no answer")

    adapter.read = away
    try:
        assert two.home.charge() == "psp_unreachable"
    finally:
        del adapter.read
    assert two.home.tries() == []


def test_when_the_chosen_page_has_expired_the_payer_may_go_back(two):
    way = two.choose()
    if two.chosen is Psp.RAZORPAY:
        two.other.stage.sdk.payment_link.cancel(way.door.object_id)
    two.hear(days=2)
    assert two.doors(two.other)[way.door.object_id] == "closed"
    pay_page(two.home.payer_door())
    two.hear()
    assert (two.home.taken(), two.other.taken()) == (AMOUNT, 0)
    assert two.home.debt_state() == "paid"


def test_going_back_shuts_the_chosen_page(two):
    way = two.choose()
    back = two.home.payer_door()
    pay_page(way)
    pay_page(back)
    two.hear()
    assert (two.home.taken(), two.other.taken()) == (AMOUNT, 0)
    assert two.home.debt_state() == "paid"


@pytest.fixture
def at_razorpay(open_shop):
    return Two(open_shop, "razorpay")


@pytest.mark.parametrize("first", ["chosen", "own"])
def test_where_both_pay_the_later_one_is_proposed_to_be_given_back(at_razorpay, first):
    """An order cannot be shut: whoever still has its Checkout open may pay it."""
    two = at_razorpay
    old, way = two.home.page_of(two.debt), two.choose()
    pages = [way, old] if first == "chosen" else [old, way]
    for page in pages:
        pay_page(page)
        two.home.advance(minutes=2)
    two.hear()
    assert (two.home.taken(), two.other.taken()) == (AMOUNT, AMOUNT)
    ((finding, proposal),) = two.home.rows(
        "select id, proposal from findings where kind = 'double_collected' and state = 'open'"
    )
    assert proposal["amount_minor"] == AMOUNT
    with unit_of_work(two.home.database.app, two.home.org.org_id) as connection:
        review.request_repair(connection, finding, "key:test", two.home.clock.now())
    desk = Desk(two.home.engine, two.home.settings)
    assert apply_wanted(two.home.engine, desk, two.home.clock, two.home.wall) == {"applied": 1}
    two.hear()
    later, earlier = (two.home, two.other) if first == "chosen" else (two.other, two.home)
    assert (earlier.taken(), later.taken()) == (AMOUNT, 0)
    assert two.home.rows("select state, reversed_minor from cases") == [("recovered", 0)]


def test_a_debt_of_the_chosen_psps_own_that_is_the_same_is_folded_into_it(at_razorpay):
    """Whatever it was called by there, the debt stays at home, and what it is called there stays
    there."""
    two, said = at_razorpay, at_razorpay.home.rows(DESCRIBED)
    way = two.choose()
    stranger = Ref(RefKind.INVOICE, "in_stranger")
    two.other.apply(refs=(stranger,), due=AMOUNT - 1, due_from=RefKind.INVOICE, currency="INR",
                    has_mandate=True, mandate_ref="pm_there",
                    customer=CustomerSeen(ref="cus_there"))  # fmt: skip
    assert len(two.home.rows("select 1 from obligations")) == 2
    two.other.apply(refs=(stranger, Ref(RefKind(way.door.kind.value), way.door.object_id)))
    assert two.home.rows(DESCRIBED + " where state <> 'superseded'") == said
    assert two.home.rows("select distinct connection_id from cases") == [(two.home.connection_id,)]


def test_a_dispute_is_kept_and_read_again_where_it_is(at_razorpay):
    two = at_razorpay
    pay_page(two.choose())
    two.hear()
    ((charge,),) = two.home.rows("select psp_payment_id from attempts where state = 'succeeded'")
    two.other.apply(
        refs=(Ref(RefKind.PAYMENT, charge),),
        disputes=(DisputeSeen("dp_1", charge, DisputeStatus.OPEN, AMOUNT, "INR"),),
    )
    assert two.home.rows("select state from cases") == [("disputed",)]
    assert reread_disputed(two.home.engine, two.other.seat, two.home.clock) == 1
    assert reread_disputed(two.home.engine, two.home.seat, two.home.clock) == 0


def test_a_try_that_timed_out_blocks_the_other_psp_for_five_days(two):
    two.home.write("update failures set late_authorisation = true, failed_at = :now",
                   now=two.home.clock.now())  # fmt: skip
    with pytest.raises(MayBeConfirmed) as refused:
        two.choose()
    assert refused.value.extra["until"] == two.home.clock.now() + timedelta(days=5)
    assert two.pages_opened() == []
    assert two.home.payer_door().url  # its own is open


@pytest.mark.parametrize(
    "spoil",
    [
        "update cases set offered_psp = null",
        "update connections set status = 'disconnected' where psp = 'stripe'",
        "update obligations set currency = 'ISK'",
        "update obligations set psp_retries = true",
    ],
)
def test_what_is_not_offered_is_refused_and_changes_nothing(at_razorpay, spoil):
    two = at_razorpay
    attempt = two.home.plan(two.debt, at=two.home.clock.now() + timedelta(days=9))
    two.home.write(spoil)
    with pytest.raises(NotOffered):
        two.choose()
    assert two.home.state(attempt) == "scheduled"
    assert two.home.locks() == []
    assert two.pages_opened() == []


def test_an_invoice_cannot_be_shut_so_nothing_is_opened_elsewhere(open_shop):
    home = open_shop("stripe")
    open_shop("razorpay", home)
    home.failed_debt()
    home.write("update cases set offered_psp = 'razorpay'")
    home.write("update obligations set currency = 'INR'")
    with pytest.raises(NotOffered):
        home.payer_door(chosen=Psp.RAZORPAY)
    # not even where the ledger does not know it yet
    home.write("update doors set status = 'closed' where kind = 'invoice'")
    with pytest.raises(NotOffered):
        home.payer_door(chosen=Psp.RAZORPAY)
    assert home.locks() == []
