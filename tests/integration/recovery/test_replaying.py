"""A decision is made again on what it kept, whatever the world has come to since."""

import io
import json
from datetime import UTC, date, datetime

import psycopg
import pytest
from rich.console import Console

from tests.integration.recovery.test_deciding import NOW, SOFT, Desk
from tests.unit.guards.test_limit_rows import GOOD
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.guards import calendar_kinds
from tinko_pipelines.core.guards import rows as guard_rows
from tinko_pipelines.core.guards.evaluate import evaluate
from tinko_pipelines.core.guards.evidence import evidence_of
from tinko_pipelines.core.guards.model import Facts
from tinko_pipelines.core.guards.rows import Book, limit, limits, overlaid
from tinko_pipelines.core.psp.types import (
    CustomerSeen,
    Observation,
    PaymentSeen,
    PaymentStatus,
    Ref,
    RefKind,
)
from tinko_pipelines.core.recovery import deciding, places
from tinko_pipelines.core.recovery.explain import Whose, as_document, explain_attempt
from tinko_pipelines.explain_cli import show

CHRISTMAS = datetime(2026, 12, 24, 3, 30, tzinfo=UTC)
# on that day banks are closed, as on the fourth Saturday and the Sunday after it: a debit comes 25
# hours after it is asked for, and the next is on the 28th
AFTER_CHRISTMAS = datetime(2026, 12, 26, 17, 30, tzinfo=UTC)
NEXT_YEAR = datetime(2027, 1, 4, 6, tzinfo=UTC)
# a limit that tells merchants apart
TRADE = GOOD | {
    "id": "own.trade", "scope": {"method": ["emandate"], "not_merchant_category": ["insurance"]},
}  # fmt: skip


def use(monkeypatch, *rows):
    """From now on these rows are over those of limits.yaml, as in an operator's file."""
    book = Book(overlaid(limits(), [limit(TRADE), *map(limit, rows)]))
    for module in (guard_rows, deciding):
        monkeypatch.setattr(module, "book", lambda: book)


def use_five_day_weeks(monkeypatch):
    (row,) = [one for one in limits() if one.kind == "banking_day"]
    closed = {"saturdays_off": [1, 2, 3, 4, 5], "debit_after_hours": 49}
    use(monkeypatch, {**row.written, "params": {**row.written["params"], **closed}})


@pytest.fixture
def calendar(monkeypatch):
    """Replaces the `holidays` library's days by others."""

    def forget():
        places.last_banking_day.cache_clear()
        places.bank_holidays.cache_clear()

    def swap(*closed):
        for module in (calendar_kinds, places):
            monkeypatch.setattr(module, "holidays_of", lambda *_: frozenset(closed))
        forget()

    yield swap
    forget()


@pytest.fixture
def planned(database, monkeypatch):
    """Lets the debit of an e-mandate fail at `at` and decides; the desk, the retry's id and when it
    is planned for. The rest is its policy's, an hour's wait where nothing is said."""

    def plan(at=CHRISTMAS, **policy):
        use(monkeypatch)
        desk = Desk(database)
        desk.clock.instant = at
        desk.adopt(strategy={"kind": "ladder", "gaps": ["1h"]}, **policy)
        payment = PaymentSeen("ch_1", PaymentStatus.FAILED, 1000, "INR", at, at, "emandate", None,
                              "IN", "fp_1", "pm_1", error=SOFT)  # fmt: skip
        refs = (Ref(RefKind.INVOICE, "in_1"), Ref(RefKind.PAYMENT, "ch_1"))
        desk.say(
            Observation(
                refs=refs,
                due=1000,
                currency="INR",
                payments=(payment,),
                psp_retries=False,
                has_mandate=True,
                mandate_ref="pm_1",
                customer=CustomerSeen(email="someone@example.com"),
            )
        )
        desk.work()
        assert dict(desk.decide().actions) == {"retry": 1}
        ((attempt, planned_for),) = desk.rows(
            "select id, scheduled_at from attempts where actor = 'tinko'"
        )
        return desk, attempt, planned_for

    return plan


def send(desk, attempt, at=AFTER_CHRISTMAS, **changed):
    """What the submission writes of what it was allowed on."""
    facts = Facts("stripe", "emandate", None, "IN", "fp_1", 1000, "INR", **changed)
    verdict = evaluate(facts, at)
    assert verdict.allowed
    written = evidence_of(facts, at, verdict)
    desk.write(
        "insert into guard_limits values (:digest, :rows, :now) on conflict do nothing",
        digest=written.digest, rows=written.limits, now=at,
    )  # fmt: skip
    desk.write("update attempts set evidence = cast(:document as jsonb) where id = :id",
               document=written.document, id=attempt)  # fmt: skip


def explained(desk, attempt):
    with unit_of_work(desk.database.worker) as connection:
        return explain_attempt(connection, attempt)


def forget_what_was_kept(desk):
    """As decisions were stored before they kept their limits and holidays."""
    with psycopg.connect(desk.database.url("postgres")) as superuser:
        superuser.execute(
            "update decisions set inputs = inputs - 'limits' #- '{view,bank_holidays}'"
        )


def limits_changed_before_it_was_sent(desk, attempt, monkeypatch):
    use_five_day_weeks(monkeypatch)
    send(desk, attempt, NEXT_YEAR)


def the_merchant_sells_something_else(desk, attempt, monkeypatch):
    send(desk, attempt, merchant_category="insurance")


def limits_changed_and_it_is_not_sent_yet(desk, attempt, monkeypatch):
    use_five_day_weeks(monkeypatch)


def it_was_put_off_until_next_year(desk, attempt, monkeypatch):
    send(desk, attempt, NEXT_YEAR)


@pytest.mark.parametrize(
    ("happened", "whose"),
    [
        (limits_changed_before_it_was_sent, Whose.SUBMISSION),
        (the_merchant_sells_something_else, Whose.SUBMISSION),
        (limits_changed_and_it_is_not_sent_yet, Whose.TODAY),
        (it_was_put_off_until_next_year, Whose.SUBMISSION),
    ],
)
def test_a_decision_is_made_again_by_the_limits_it_kept(planned, monkeypatch, happened, whose):
    desk, attempt, planned_for = planned()
    assert planned_for == AFTER_CHRISTMAS
    happened(desk, attempt, monkeypatch)
    found = explained(desk, attempt)
    assert (found.same, found.limits) == (True, Whose.DECISION)
    assert found.decision.stored == found.decision.again
    # one that kept none is made again by the nearest there are, and said to be
    forget_what_was_kept(desk)
    before = explained(desk, attempt)
    assert (before.decision.same, before.limits) == (False, whose)
    assert as_document(before)["decision_limits"] == whose
    out = io.StringIO()
    show(before, Console(file=out, width=200))
    assert "decided before decisions kept their limits" in out.getvalue()


def test_a_newer_calendar_changes_no_debit_that_was_planned(planned, calendar):
    desk, attempt, _ = planned()
    calendar()  # Christmas is a day like others
    assert explained(desk, attempt).same
    forget_what_was_kept(desk)
    assert not explained(desk, attempt).same


def test_a_newer_calendar_changes_no_payday(planned, calendar):
    desk, attempt, planned_for = planned(NOW, windows=["paydays"])
    assert planned_for.date() == date(2026, 9, 30)
    calendar(date(2026, 9, 30))
    assert explained(desk, attempt).same
    forget_what_was_kept(desk)
    assert not explained(desk, attempt).same


def test_limits_are_kept_once_with_the_decisions_that_name_them(planned):
    desk, attempt, _ = planned()
    ((digest, rows),) = desk.rows("select digest, rows from guard_limits")
    assert desk.rows("select inputs ->> 'limits' from decisions") == [(digest,)]
    desk.write("update attempts set state = 'cancelled' where id = :id", id=attempt)
    desk.write("update cases set decide_at = opened_at")
    assert desk.decide(minutes=5).actions
    assert desk.rows("select digest, rows from guard_limits") == [(digest, rows)]
    (mandate,) = [one for one in json.loads(rows) if one["kind"] == "banking_day"]
    assert {day[:4] for day in mandate["params"]["closed"]} == {"2026", "2027"}
