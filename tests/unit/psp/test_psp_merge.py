"""Putting together what several objects say of one debt."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tinko_pipelines.core.failures.classifier import ErrorInfo
from tinko_pipelines.core.psp.merge import merge_all, merge_observations, merge_payments, refresh
from tinko_pipelines.core.psp.types import (
    CustomerSeen,
    DoorKind,
    DoorSeen,
    DoorStatus,
    Observation,
    PaymentSeen,
    PaymentStatus,
    Ref,
    RefKind,
)

T0 = datetime(2026, 10, 1, tzinfo=UTC)


def payment(status, minutes=0, **more):
    at = T0 + timedelta(minutes=minutes)
    if status != "failed":
        more.pop("error", None)
    return PaymentSeen("ch_1", PaymentStatus(status), 100, "USD", T0, at, **more)


payments = st.builds(
    payment,
    st.sampled_from(list(PaymentStatus)),
    st.integers(0, 50),
    country=st.sampled_from([None, "IN", "US"]),
    error=st.sampled_from([None, ErrorInfo(code="x")]),
    refunded=st.integers(0, 3),
)
observations = st.builds(
    Observation,
    refs=st.lists(
        st.builds(Ref, st.sampled_from(list(RefKind)), st.sampled_from("abc")), max_size=3
    ).map(tuple),
    due=st.none() | st.integers(1, 9),
    due_from=st.none() | st.sampled_from(list(RefKind)),
    created_at=st.none() | st.just(T0),
    payments=payments.map(lambda one: (one,)) | st.just(()),
    has_mandate=st.sampled_from([None, True, False]),
    doors=st.lists(
        st.builds(
            DoorSeen, st.just(DoorKind.ORDER), st.sampled_from("ab"),
            st.sampled_from(list(DoorStatus)),
        ),
        max_size=2,
    ).map(tuple),
)  # fmt: skip


@given(observations, observations)
def test_saying_it_again_changes_nothing(a, b):
    once = merge_observations(a, b)
    assert merge_observations(once, b) == once


@given(payments, payments)
def test_a_success_is_never_unsaid(a, b):
    merged = merge_payments(a, b)
    assert (merged.status is PaymentStatus.SUCCEEDED) == (
        PaymentStatus.SUCCEEDED in (a.status, b.status)
    )


@given(observations, observations)
def test_nothing_that_was_named_is_forgotten(a, b):
    merged = merge_observations(a, b)
    assert {one.object_id for one in merged.refs} == {one.object_id for one in (*a.refs, *b.refs)}
    ranks = [list(RefKind).index(one.kind) for one in merged.refs]
    assert ranks == sorted(ranks)
    paid = {one.object_id for one in (*a.doors, *b.doors) if one.status is DoorStatus.PAID}
    assert {one.object_id for one in merged.doors if one.status is DoorStatus.PAID} == paid


def test_the_stronger_refs_due_wins_whichever_comes_last():
    intent = Observation(due=100, paid=0, due_from=RefKind.PAYMENT_INTENT, currency="USD")
    invoice = Observation(due=250, paid=50, due_from=RefKind.INVOICE, psp_retries=True)
    for both in (merge_observations(intent, invoice), merge_observations(invoice, intent)):
        assert (both.due, both.paid, both.due_from) == (250, 50, RefKind.INVOICE)
        assert both.currency == "USD"
        assert both.psp_retries is True
    newer = Observation(due=300, due_from=RefKind.INVOICE, psp_retries=False)
    assert merge_observations(invoice, newer).due == 300
    assert merge_observations(invoice, newer).psp_retries is False


def test_what_one_of_two_sessions_took_the_other_does_not_undo():
    taken, idle = (
        Observation((Ref(RefKind.CHECKOUT_SESSION, name),), 100, paid, RefKind.CHECKOUT_SESSION)
        for name, paid in (("cs_1", 100), ("cs_2", 0))
    )
    assert merge_observations(taken, idle).paid == 100
    assert merge_observations(idle, taken).paid == 100


def test_an_end_beats_a_later_listing_of_what_is_under_way():
    failed = payment("failed", 5, error=ErrorInfo(code="x"))
    assert merge_payments(failed, payment("created", 9)).status is PaymentStatus.FAILED
    late = merge_payments(failed, payment("succeeded", 9))
    assert (late.status, late.error) == (PaymentStatus.SUCCEEDED, None)


def test_what_one_does_not_say_the_other_does():
    ours = payment("succeeded", idempotency_key="tinko-1", country="IN")
    merged = merge_payments(ours, payment("succeeded", 9, method="card"))
    assert (merged.idempotency_key, merged.country, merged.method) == ("tinko-1", "IN", "card")
    assert merge_payments(payment("failed", method="upi"), payment("failed", 3)).method == "upi"


def test_a_fresh_read_wins_over_a_dated_event():
    event = Observation(payments=(payment("succeeded", 60, refunded=40, idempotency_key="k"),))
    read = Observation(payments=(payment("succeeded", 0, refunded=0),))
    (one,) = refresh(event, read).payments
    assert (one.refunded, one.idempotency_key) == (0, "k")
    assert one.updated_at == T0 + timedelta(minutes=60)


def test_customers_are_put_together_member_by_member():
    merged = merge_all(
        [
            Observation(customer=CustomerSeen(ref="cus_1", email="a@example.com")),
            Observation(customer=CustomerSeen(email="b@example.com", phone="+91")),
        ]
    )
    assert merged.customer == CustomerSeen(ref="cus_1", email="b@example.com", phone="+91")
    assert merge_all([]) == Observation()
