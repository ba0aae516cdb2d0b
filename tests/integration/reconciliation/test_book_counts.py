"""What the demo says of the books: settled, or why not; and nothing that was collected left out."""

import pytest

from tests.integration.ledger.aftermath_world import NOW
from tests.integration.reconciliation.books_stage import (
    CAPTURED,
    DAY,
    LATER,
    BooksStage,
    line,
    payout,
    record,
)
from tinko_pipelines.core.psp.types import PaymentStatus
from tinko_pipelines.demo.books import book_counts


@pytest.fixture
def books(database):
    made = BooksStage(database)
    made.recovered()
    made.clock.instant = LATER
    made.listed(record("ch_1", PaymentStatus.FAILED, at=NOW), record())
    return made


def test_a_recovery_is_unexplained_until_its_payout_is_paid(books):
    books.settle()
    counts = book_counts(books.engine, LATER)
    assert (counts["settled"], counts["explained"], counts["unexplained"]) == (0, {}, 1)
    books.listed(lines=[line()], payouts=[payout()])
    books.settle()
    counts = book_counts(books.engine, LATER)
    assert (counts["settled"], counts["unexplained"]) == (1, 0)


def test_what_was_collected_and_in_no_day_is_told(books):
    counts = book_counts(books.engine, LATER)
    assert not counts["ledger_is_matched_plus_findings"]
    assert counts["book_differences"] == ["USD: collected 1000, in the books 0"]
    # what came after the last day that is over cannot be in it
    assert book_counts(books.engine, CAPTURED)["ledger_is_matched_plus_findings"]
    for day in (DAY, CAPTURED.date()):
        books.reconcile(day)
    counts = book_counts(books.engine, LATER)
    assert counts["ledger_is_matched_plus_findings"]
    assert counts["open_findings"] == {"unsettled": 1}
