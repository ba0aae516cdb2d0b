"""Until when money in the balance is the merchant's own to pay out: the PSP's word, or evidence."""

from datetime import UTC, datetime, timedelta

import pytest

from tinko_pipelines.core.psp.settlement import PayoutInterval
from tinko_pipelines.core.psp.stripe.settlement import interval_of
from tinko_pipelines.core.reconciliation.payouts import AGAIN, FOREVER, Custom, custom

LONG_AGO = datetime(2026, 1, 5, tzinfo=UTC)
LATELY = datetime(2026, 9, 5, tzinfo=UTC)
I = PayoutInterval  # noqa: E741


@pytest.mark.parametrize(
    ("interval", "by_hand", "by_itself", "until"),
    [
        # its word is enough, before the first payout and after one of the PSP's own
        (I.MANUAL, None, None, FOREVER),
        (I.MANUAL, None, LATELY, FOREVER),
        (I.MANUAL, LONG_AGO, LATELY, FOREVER),
        # and one payout by hand does not outdo it
        (I.DAILY, None, LATELY, None),
        (I.DAILY, LONG_AGO, None, LONG_AGO),
        (I.DAILY, LATELY, LONG_AGO, LATELY),
        # it says nothing: what was paid out says it
        (None, None, None, None),
        (None, None, LATELY, None),
        (None, LONG_AGO, LATELY, LONG_AGO),
        (None, LATELY, LONG_AGO, LATELY + AGAIN),
        (None, LONG_AGO, None, LONG_AGO + AGAIN),
    ],
)
def test_what_is_paid_out_by_hand(interval, by_hand, by_itself, until):
    assert custom(interval, by_hand, by_itself).by_hand_until == until


def test_what_the_psp_gathers_is_not_late_before_it_pays_out():
    assert [custom(one, None, None) for one in (None, I.DAILY)] == [Custom(), Custom()]
    assert custom(I.WEEKLY, None, None).gathers == timedelta(days=7)
    assert custom(I.MONTHLY, LATELY, None) == Custom(LATELY, timedelta(days=31))


def test_an_account_says_it_or_not():
    def account(interval):
        return {"settings": {"payouts": {"schedule": {"interval": interval, "delay_days": 2}}}}

    assert interval_of(account("manual")) is I.MANUAL
    assert interval_of(account("weekly")) is I.WEEKLY
    assert interval_of(account("hourly")) is None
    assert interval_of({"id": "acct_1"}) is None
