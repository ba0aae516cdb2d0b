"""Dozens of lifecycles in every order (full counts: `make proof NAME=orders`)."""

import contextlib
import itertools

import pytest

from tests.conftest import TEMPLATE, Database
from tests.proofs.prove_orders import machine_on, orders_on


@pytest.fixture
def ledgers(postgres):
    """Opens an empty ledger at each call."""
    numbers = itertools.count(1)

    @contextlib.contextmanager
    def open_one():
        name = f"orders_{next(numbers)}"
        postgres.create_database(name, TEMPLATE)
        made = Database(postgres, name)
        try:
            yield made.worker
        finally:
            made.dispose()
            postgres.drop_database(name)

    return open_one


def test_any_order_of_events_ends_the_same_and_paid_is_never_charged_again(ledgers):
    found = orders_on(ledgers, lives=20, shuffles=1, delays=1, seed=1)
    assert not found.wrong, found
    assert found.numbers["refused"] > 30


def test_hypothesis_tells_events_as_it_likes_and_the_ledger_ends_the_same(ledgers):
    found = machine_on(ledgers, lives=16, examples=3, at_once=8, steps=12, seed=1)
    assert not found.wrong, found
    assert all(found.numbers.values()), found


def test_a_ledger_that_goes_by_the_order_is_found_out(ledgers, monkeypatch):
    """The proof can fail: where a stale event is believed, the ledgers differ."""
    monkeypatch.setattr("tinko_pipelines.core.inbox.asking.needs_asking", lambda *_: False)
    found = orders_on(ledgers, lives=24, shuffles=2, delays=0, seed=1)
    assert found.wrong


def test_the_state_machine_finds_it_too(ledgers, monkeypatch):
    monkeypatch.setattr("tinko_pipelines.core.inbox.asking.needs_asking", lambda *_: False)
    found = machine_on(ledgers, lives=16, examples=6, at_once=8, steps=12, seed=1, shrink=False)
    assert found.wrong
