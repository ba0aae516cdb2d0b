"""An event of another account or mode is told; what is not known is not compared."""

from datetime import UTC, datetime

import pytest

from tinko_pipelines.core.errors import AccountMismatch, LivemodeMismatch
from tinko_pipelines.core.psp.ownership import check_owner
from tinko_pipelines.core.psp.types import ParsedEvent, Psp


def event(account_id, livemode=None):
    at = datetime(2026, 9, 1, tzinfo=UTC)
    return ParsedEvent("evt_1", "x", at, livemode, account_id, ())


@pytest.mark.parametrize(
    ("psp", "said", "ours"),
    [
        (Psp.STRIPE, None, "acct_1"),
        (Psp.STRIPE, "acct_1", "acct_1"),
        (Psp.RAZORPAY, "acc_1", "acc_1"),
        # connected by its key, as the environment does: whose it is was never said
        (Psp.RAZORPAY, "acc_1", "rzp_test_1"),
        (Psp.RAZORPAY, None, "acc_1"),
    ],
)
def test_what_agrees_or_is_not_known_passes(psp, said, ours):
    check_owner(event(said, False), psp, ours, False)


@pytest.mark.parametrize(
    ("psp", "said", "ours"),
    [(Psp.STRIPE, "acct_2", "acct_1"), (Psp.RAZORPAY, "acc_2", "acc_1")],
)
def test_another_accounts_event_is_refused(psp, said, ours):
    with pytest.raises(AccountMismatch, match=said):
        check_owner(event(said), psp, ours, True)


def test_another_modes_event_is_refused():
    with pytest.raises(LivemodeMismatch):
        check_owner(event("acct_1", True), Psp.STRIPE, "acct_1", False)
