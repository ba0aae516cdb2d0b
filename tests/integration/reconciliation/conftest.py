"""A ledger that is told observations, and beside it what its PSP lists and settles."""

import pytest

from tests.integration.reconciliation.books_stage import BooksStage


@pytest.fixture
def stage(database):
    return BooksStage(database)
