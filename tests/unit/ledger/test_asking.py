"""When an event is believed, and when the PSP is asked instead."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from tinko_pipelines.core.inbox.asking import Answered, believed, needs_asking, question
from tinko_pipelines.core.psp.types import (
    DisputeSeen,
    DisputeStatus,
    Observation,
    PaymentSeen,
    PaymentStatus,
    Ref,
    RefKind,
)

NOW = datetime(2026, 9, 16, tzinfo=UTC)
INVOICE, CHARGE = Ref(RefKind.INVOICE, "in_1"), Ref(RefKind.PAYMENT, "ch_1")
PAID = PaymentSeen("ch_1", PaymentStatus.SUCCEEDED, 1000, "USD", NOW, NOW, refunded=0)
EVENT = Observation(
    refs=(INVOICE, CHARGE), due=1000, due_from=RefKind.INVOICE, currency="USD", payments=(PAID,),
    psp_retries=False,
)  # fmt: skip


def row(**more):
    return SimpleNamespace(
        **{"told": True, "due_minor": 1000, "due_rank": 0, "psp_retries": False,
           "refunded_minor": None, "elsewhere": False} | more
    )  # fmt: skip


def known(refunded=0, **more):
    return {"in_1": row(**more), "ch_1": row(refunded_minor=refunded, **more)}


def with_payment(**changes):
    return replace(EVENT, payments=(replace(PAID, **changes),))


def test_what_agrees_with_the_ledger_is_written_unasked():
    assert not needs_asking(EVENT, known(), Answered())


@pytest.mark.parametrize(
    ("event", "ledger"),
    [
        (EVENT, {}),  # nothing is known of the debt: it may have a stronger name
        (replace(EVENT, due=900), known()),
        (replace(EVENT, psp_retries=True), known()),
        (with_payment(refunded=300), known()),
        (EVENT, known(refunded=300)),  # late, or the refund failed
        (replace(EVENT, extra={"refund": "re_1"}), known()),
        (with_payment(disputed=True), known()),
    ],
)
def test_what_contradicts_it_is_asked(event, ledger):
    assert needs_asking(event, ledger, Answered())


def test_a_weaker_objects_due_contradicts_nothing():
    intent = replace(EVENT, due=600, due_from=RefKind.PAYMENT_INTENT)
    assert not needs_asking(intent, known(), Answered())


def test_a_dispute_tells_how_it_stands_and_is_asked_only_for_a_payment_nobody_knows():
    dispute = DisputeSeen("dp_1", "ch_1", DisputeStatus.OPEN, 1000, "USD")
    event = Observation(refs=(INVOICE, CHARGE), disputes=(dispute,))
    assert not needs_asking(event, known(), Answered())
    assert needs_asking(event, {"in_1": row()}, Answered())


def test_what_was_read_in_a_pass_is_newer_than_every_event_in_it():
    answered = Answered()
    answered.take(EVENT)
    stale = replace(with_payment(refunded=300), due=900, psp_retries=True)
    assert not needs_asking(stale, known(), answered)
    kept = believed(stale, answered)
    assert (kept.due, kept.psp_retries, kept.payments[0].refunded) == (None, None, None)
    # what only grows is believed all the same
    assert kept.payments[0].status is PaymentStatus.SUCCEEDED


def test_a_refund_is_asked_though_the_debt_was_read_without_this_payment():
    answered = Answered()
    answered.take(Observation(refs=(INVOICE,)))
    assert needs_asking(replace(EVENT, extra={"refund": "re_1"}), known(), answered)


def test_how_much_is_refunded_is_never_taken_from_an_event():
    asked = question(with_payment(refunded=300), known())
    assert asked.payments[0].refunded is None
    assert "refund" in asked.extra
    assert believed(with_payment(refunded=300), Answered()).payments[0].refunded is None


def test_a_mandate_alone_speaks_of_no_debt():
    assert not needs_asking(Observation(mandate_lost="token_1"), {}, Answered())
