"""The proof, at a small count, and the checker itself: whatever limit is broken, it says so."""

from collections import Counter

import pytest

from tests.proofs import prove_guards
from tests.proofs.guard_checker import _bank_is_open, _civil
from tests.proofs.guard_world import Year
from tests.proofs.prove_guards import guards, play
from tinko_pipelines.core.guards.rows import Book, limit, limits

# a row loosened a little, the instruments it is about, and what the checker calls it
PLANTED = {
    "visa.category1.2026": (None, ("visa",), "visa never"),
    "visa.reattempts.2025": ({"limit": 21}, ("visa", "india_visa"), "visa 20 in 30 days"),
    "visa.reattempts.2020": ({"limit": 16}, ("visa", "india_visa"), "visa 15 in 30 days"),
    "mastercard.advice.never": (None, ("mastercard",), "mastercard never"),
    "mastercard.advice.new_data": (None, ("mastercard",), "mastercard never"),
    "mastercard.advice.later": (
        {"network_advice_code": {"02": 71}}, ("india_mastercard", "mastercard"), "mastercard wait",
    ),
    "mastercard.advice.wait": (None, ("mastercard",), "mastercard wait"),
    "mastercard.day": ({"limit": 11}, ("mastercard",), "mastercard 10 in 24 hours"),
    "mastercard.month": ({"limit": 36}, ("mastercard",), "mastercard 35 in 30 days"),
    "own.other_networks": ({"days": 29}, ("amex", "rupay"), "other 20 in 30 days"),
    "npci.autopay.attempts": ({"limit": 5}, ("upi",), "upi 4 attempts"),
    "npci.autopay.windows": (
        {"windows": [["00:00", "10:01"], ["13:00", "17:00"], ["21:30", "24:00"]]},
        ("upi",), "upi windows",
    ),
    "razorpay.one_at_a_time": (None, ("upi", "emandate"), "unresolved"),
    "cycle.last_day": ({"hours": 23}, ("upi", "emandate"), "last day of the cycle"),
    "cycle.one_success": (None, ("upi", "emandate"), "one success in a cycle"),
    "rbi.without_second_factor": (
        {"limit_minor": 1_500_001}, ("upi", "emandate"), "rbi amount",
    ),
    "rbi.without_second_factor.essentials": (
        {"limit_minor": 10_000_001}, ("upi", "emandate"), "rbi amount",
    ),
    "rbi.without_second_factor.cards": ({"limit_minor": 1_500_001}, ("india_visa",), "rbi amount"),
    "rbi.without_second_factor.cards.essentials": (
        {"limit_minor": 10_000_001}, ("india_visa",), "rbi amount",
    ),
    "rbi.notice": ({"hours": 23}, ("upi", "emandate"), "notice"),
    "rbi.notice.cards": ({"fresh": False}, ("rupay",), "fresh notice"),
    "stripe.notice.cards": ({"hours": 25}, ("india_visa",), "notice"),
    "banks.working_days.in": ({"saturdays_off": [4]}, ("emandate",), "bank holiday"),
    "razorpay.late_authorisation": ({"days": 4}, ("upi", "rupay"), "late authorisation"),
}  # fmt: skip


def with_one_broken(name):
    """The limits with that row loosened, or without it."""
    changes = PLANTED[name][0]
    for one in limits():
        if one.id != name:
            yield one
        elif changes is not None:
            written = one.row.model_dump()
            yield limit(written | {"params": written["params"] | changes})


def test_nothing_that_the_guards_allow_breaks_a_limit():
    found = guards(attempts=20_000, seed=2)
    assert not found.wrong
    assert found.numbers["played"]["attempts"] >= 20_000
    assert {"visa", "mastercard", "amex", "rupay", "upi", "emandate"} <= found.numbers[
        "played"
    ].keys()


def test_every_row_has_a_planted_violation():
    assert set(PLANTED) == {one.id for one in limits()}


@pytest.mark.parametrize("name", PLANTED)
def test_the_checker_finds_what_a_looser_row_lets_through(name):
    _, profiles, called = PLANTED[name]
    book = Book(with_one_broken(name))
    broken = {}
    for seed in range(40):
        broken = play(150, seed, profiles, book)[0]
        if broken:
            break
    assert set(broken) == {called}


def test_the_checkers_calendar_knows_its_days():
    assert [_civil(day) for day in (0, 58, 59, 19782, 19783, 20512)] == [
        (1970, 1, 1), (1970, 2, 28), (1970, 3, 1), (2024, 2, 29), (2024, 3, 1), (2026, 2, 28),
    ]  # fmt: skip
    # 2026-09-12 and 19 are Saturdays, the second and the third; the 20th is a Sunday
    noon = 1789191000  # 2026-09-12, 12:00 in India
    assert [_bank_is_open(noon + days * 86400) for days in (0, 7, 8, 9)] == [
        False, True, False, True,
    ]  # fmt: skip


class Forgetful(Year):
    """Counts what is of the last 31 days or of the debt itself, and nothing else."""

    def _facts(self, debt, at):
        self.last_words, self.taken = [], []
        return super()._facts(debt, at)


@pytest.mark.parametrize(
    ("profile", "called"),
    [
        ("visa", "visa never"),
        ("mastercard", "mastercard never"),
        ("upi", "one success in a cycle"),
    ],
)
def test_the_checker_finds_what_was_forgotten_after_a_month(monkeypatch, profile, called):
    monkeypatch.setattr(prove_guards, "Year", Forgetful)
    found = Counter()
    for seed in range(10):
        found += play(300, seed, (profile,))[0]
    assert set(found) == {called}
