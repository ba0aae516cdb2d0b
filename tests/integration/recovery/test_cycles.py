"""A mandate's cycle, from what Razorpay says of its token to the debit that has to wait for it."""

from datetime import UTC, datetime, timedelta

import pytest

from tinko_pipelines.core.guards.cycles import Frequency
from tinko_pipelines.core.psp.types import PaymentSeen, PaymentStatus, Ref, RefKind

OCTOBER = datetime(2026, 9, 30, 18, 30, tzinfo=UTC)  # begins so in India


@pytest.fixture
def mandated(razored):
    """A failed debt on a token of the given frequency: the token, and what plans a retry on it."""

    def made(frequency):
        razored.stage.frequency = frequency
        debt = razored.failed_debt()
        token, obligation = debt.failed_body["token_id"], razored.obligation()
        return token, lambda: razored.plan(debt, obligation, method_ref=token)

    return made


def until(shop, at):
    shop.advance(seconds=int((at - shop.clock.now()).total_seconds()))


def waits_for(shop, attempt):
    ((at,),) = shop.rows("select scheduled_at from attempts where id = :id", id=attempt)
    return at


def paid_elsewhere(shop, token, at):
    """Another debt on the same token was paid, as the merchant's own debit."""
    paid = PaymentSeen(
        "pay_other", PaymentStatus.SUCCEEDED, 900, "INR", at, at, method="emandate",
        country="IN", instrument_key=token, payment_method_ref=token,
    )  # fmt: skip
    shop.apply(
        refs=(Ref(RefKind.ORDER, "order_other"), Ref(RefKind.PAYMENT, "pay_other")), due=900,
        currency="INR", created_at=at, payments=(paid,), mandate_ref=token, psp_retries=False,
    )  # fmt: skip


def test_how_often_a_mandate_may_be_debited_is_kept_by_its_name(razored, mandated):
    token, _ = mandated("monthly")
    kept = "select org_id, frequency from mandates where object_id = :token"
    assert razored.rows(kept, token=token) == [(razored.org.org_id, "monthly")]
    # said before there is any debt on it, and changed where the PSP says so
    for often in (Frequency.WEEKLY, Frequency.YEARLY):
        razored.apply(mandate_ref="token_new", mandate_frequency=often)
        assert razored.rows(kept, token="token_new") == [(razored.org.org_id, often)]
    razored.apply(mandate_restored="token_new", mandate_ref="token_new")
    assert razored.rows(kept, token="token_new") == [(razored.org.org_id, "yearly")]


def test_a_monthly_mandate_is_not_debited_at_its_months_end(razored, mandated):
    _, plan = mandated("monthly")
    until(razored, OCTOBER - timedelta(hours=30))
    attempt = plan()
    assert razored.charge() == "guard.cycle.last_day"
    assert (razored.state(attempt), waits_for(razored, attempt)) == ("scheduled", OCTOBER)
    said = []
    while "pending" not in said:
        razored.wait_for_the_next()
        said.append(razored.charge())
    # 2 October is a bank holiday
    assert set(said[:-1]) <= {"guard.banks.working_days.in"}
    ((evidence,),) = razored.rows("select evidence from attempts where id = :id", id=attempt)
    assert evidence["facts"]["frequency"] == "monthly"
    assert {"cycle.last_day", "cycle.one_success"} <= set(evidence["verdict"]["rows"])


def test_one_debited_as_presented_is(razored, mandated):
    token, plan = mandated("as_presented")
    paid_elsewhere(razored, token, razored.clock.now() - timedelta(days=1))
    until(razored, OCTOBER - timedelta(hours=30))
    plan()
    assert razored.charge() == "pending"


@pytest.mark.parametrize(
    ("frequency", "days", "said"),
    [
        ("monthly", 2, "guard.cycle.one_success"),
        ("monthly", 40, "pending"),
        # counted longer than anything else
        ("quarterly", 40, "guard.cycle.one_success"),
    ],
)
def test_a_cycle_takes_one_success_of_anyone(razored, mandated, frequency, days, said):
    token, plan = mandated(frequency)
    paid_elsewhere(razored, token, razored.clock.now() - timedelta(days=days))
    attempt = plan()
    assert razored.charge() == said
    if said != "pending":
        assert waits_for(razored, attempt) >= OCTOBER - timedelta(hours=25)
