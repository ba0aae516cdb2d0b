"""T+n over weekends and bank holidays, each in its own zone; grace before anything is late."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.reconciliation.terms import terms

STRIPE, RAZORPAY = terms()[Psp.STRIPE], terms()[Psp.RAZORPAY]


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_every_psp_has_terms():
    assert set(terms()) == set(Psp)


@pytest.mark.parametrize(
    ("term", "captured", "due"),
    [
        # a Tuesday, and a Friday over the weekend
        (STRIPE, "2026-09-15 12:00", date(2026, 9, 17)),
        (STRIPE, "2026-09-18 12:00", date(2026, 9, 22)),
        # over Labor Day
        (STRIPE, "2026-09-04 12:00", date(2026, 9, 9)),
        # already Wednesday in UTC, and still Tuesday in New York
        (STRIPE, "2026-09-16 02:00", date(2026, 9, 17)),
        # the third Saturday is open in India, the second and fourth are not
        (RAZORPAY, "2026-09-17 06:00", date(2026, 9, 19)),
        (RAZORPAY, "2026-09-24 06:00", date(2026, 9, 28)),
        # over Gandhi's birthday, a Friday, to Saturday and Monday
        (RAZORPAY, "2026-10-01 06:00", date(2026, 10, 5)),
        # already Friday in India
        (RAZORPAY, "2026-09-17 20:00", date(2026, 9, 21)),
    ],
)
def test_due_days(term, captured, due):
    assert term.due_on(at(captured)) == due


@pytest.mark.parametrize("term", [STRIPE, RAZORPAY])
@pytest.mark.parametrize("hour", range(0, 24 * 21, 7))
def test_nothing_is_late_before_its_due_day_and_grace_are_over(term, hour):
    now = at("2026-09-01 00:00") + timedelta(hours=hour)
    late = term.overdue_before(now)
    just_late = term.due_on(late - timedelta(seconds=1))
    assert just_late < now.date()
    # a later now never takes anything back
    assert term.overdue_before(now + timedelta(days=1)) >= late
    days = term.business_days + term.grace_days
    assert timedelta(days=days) <= now - late <= timedelta(days=2 * days + 8)
