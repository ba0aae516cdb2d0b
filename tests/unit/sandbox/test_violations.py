"""Planted violations of what networks ask for, of RBI and of the banks: each is found, and what
is just within a limit is not."""

from datetime import UTC, datetime

import pytest

from tinko_pipelines.sandbox.ledger import FAILED, PENDING, Ledger
from tinko_pipelines.sandbox.occasions import LIMITS, occasions
from tinko_pipelines.sandbox.store import Store
from tinko_pipelines.sandbox.violations import WAITS, bank_is_open, violations

HOUR, DAY = 3600, 86400
START = int(datetime(2026, 6, 1, 6, tzinfo=UTC).timestamp())  # a Monday
STRIPE, RAZORPAY = "stripe:a", "razorpay:a"


class Books:
    """A ledger and what Tinko was told, written by hand."""

    def __init__(self, folder):
        self.store = Store(folder / "s.db")
        self.ledger = Ledger(self.store)

    def attempt(self, id_, debt="d1", *, actor="merchant", state=FAILED, **of):
        if self.store.get("debt", debt) is None:
            self.ledger.add_debt(
                {"id": debt, "account": STRIPE, "payer": "p", "kind": "invoice",
                 "amount": of.get("amount", 1000), "currency": "USD", "due": 0, "instrument": "i"}
            )  # fmt: skip
        row = {"account": STRIPE, "at": START, "amount": 1000, "currency": "usd",
               "instrument": "card", "network": "visa", "state": state}  # fmt: skip
        self.ledger.attempt(id_, debt=debt, actor=actor, **{**row, **of})

    def ours(self, id_, debt="d1", **of):
        self.attempt(id_, debt, actor="tinko", state=PENDING, **of)

    def tell(self, attempt_id, heard):
        """An event about an attempt, first acknowledged then."""
        event = {"id": f"evt_{attempt_id}", "body": f'{{"id":"{attempt_id}"}}'}
        self.store.put("event", event, account=STRIPE)
        self.store.put("delivery", {"id": event["id"], "answered": 1, "heard": heard})

    @property
    def broken(self):
        return violations(self.store, self.ledger)

    @property
    def occasions(self):
        found = occasions(self.store, self.ledger)
        assert set(found) == set(LIMITS)
        return {name: times for name, times in found.items() if times}


@pytest.fixture
def books(tmp_path):
    return Books(tmp_path)


@pytest.mark.parametrize("advice", [*WAITS])
def test_mastercards_waits_to_the_second(books, advice):
    name = "mastercard_wait_02" if advice == "02" else "mastercard_wait_24_to_30"
    of = {"network": "mastercard"}
    books.attempt("c1", facts={"advice": advice}, **of)
    assert books.occasions == {name: 1}
    over = START + WAITS[advice] * HOUR
    books.ours("c2", at=over, **of)
    assert books.broken == {}
    books.attempt("d1", "d2", facts={"advice": advice}, **of)
    books.ours("d2", "d2", at=over - 1, **of)
    assert books.broken == {name: 1}


def test_nobody_but_mastercard_asks_to_wait(books):
    books.attempt("c1", facts={"advice": "02"})
    books.ours("c2", at=START + 1)
    assert books.broken == {}
    assert books.occasions == {}


@pytest.mark.parametrize(
    ("network", "facts"),
    [("mastercard", {"advice": "03"}), ("mastercard", {"advice": "21"}),
     ("mastercard", {"advice": "01"}), ("visa", {"decline": "14"}), ("visa", {"decline": "R1"})],
)  # fmt: skip
def test_never_is_for_ever_and_for_one_card(books, network, facts):
    books.attempt("c1", network=network, facts=facts)
    books.ours("c2", at=START + 400 * DAY, network=network, instrument="another")
    assert books.broken == {}
    books.ours("c3", at=START + 400 * DAY, network=network)
    assert books.broken == {f"{network}_never": 1}
    assert books.occasions == {f"{network}_never": 1}


def test_another_debt_of_the_card_must_know_once_it_was_told(books):
    of = {"network": "mastercard"}
    books.attempt("c1", facts={"advice": "03"}, **of)
    books.ours("c2", "d2", at=START + 5 * DAY, **of)
    # nobody told: its event was lost
    assert books.broken == {}
    books.tell("other", START)
    assert books.broken == {}
    books.tell("c1", START + 4 * DAY + 1)
    assert books.broken == {}
    books.tell("c1", START + 4 * DAY)
    assert books.broken == {"mastercard_never": 1}


@pytest.mark.parametrize(
    ("amount", "category", "kept"),
    [
        (1_500_000, None, True),
        (1_500_001, None, False),
        (1_500_001, "insurance", True),
        (10_000_000, "card_bills", True),
        (10_000_001, "mutual_funds", False),
        (1_500_001, "software", False),
    ],
)
def test_what_may_be_charged_in_india_without_a_second_factor(books, amount, category, kept):
    books.store.put("account", {"id": RAZORPAY, "category": category})
    of = {"account": RAZORPAY, "amount": amount, "currency": "inr"}
    for number, how in enumerate(
        ({"method": "upi", "network": "upi"}, {"method": "emandate", "network": "HDFC"},
         {"method": "card", "facts": {"country": "IN"}})
    ):  # fmt: skip
        books.attempt(f"failed{number}", f"d{number}", instrument=f"i{number}", **of, **how)
        books.ours(f"ours{number}", f"d{number}", instrument=f"i{number}", **of, **how)
    assert books.broken.get("rbi_amount", 0) == (0 if kept else 3)
    assert books.occasions.get("rbi_amount", 0) == (0 if kept else 3)


def test_rbi_speaks_of_rupees_of_indian_instruments_and_of_its_own_time(books):
    big = {"amount": 2_000_000}
    books.ours("usd", "d1", facts={"country": "IN"}, **big)
    books.ours("abroad", "d2", currency="inr", facts={"country": "US"}, **big)
    before = int(datetime(2026, 4, 20, tzinfo=UTC).timestamp())
    books.ours("before", "d3", currency="inr", facts={"country": "IN"}, at=before, **big)
    assert books.broken == {}
    books.ours("now", "d4", currency="inr", facts={"country": "IN"}, **big)
    assert books.broken == {"rbi_amount": 1}


def emandate(books, id_, at, *, told, executes=None, debt="d1"):
    facts = {"notice_at": str(told), "executes_at": str(executes or at)}
    books.ours(id_, debt, at=at, method="emandate", network="HDFC", instrument="m", facts=facts)


@pytest.mark.parametrize(("ahead", "kept"), [(DAY, True), (DAY - 1, False)])
def test_the_payer_is_told_a_day_ahead(books, ahead, kept):
    asked = START + 2 * DAY
    # however late the bank comes to it
    emandate(books, "p1", asked, told=asked - ahead, executes=asked + 3 * DAY)
    # the PSP's own clock: told after it was asked
    emandate(books, "p2", asked, told=asked + 600, executes=asked + 600 + ahead, debt="d2")
    assert books.broken == ({} if kept else {"debit_without_notice": 2})
    assert books.occasions == {"debit_without_notice": 2}


def test_each_debit_has_a_notice_of_its_own(books):
    books.attempt("p0", at=START - DAY, instrument="m", method="emandate")
    emandate(books, "p1", START + DAY, told=START)
    assert books.broken == {}
    emandate(books, "p2", START + 2 * DAY, told=START)
    assert books.broken["debit_on_an_old_notice"] == 1


@pytest.mark.parametrize(
    ("month", "day", "opens"),
    [
        (6, 6, True), (6, 7, False), (6, 13, False), (6, 14, False), (6, 20, True), (6, 27, False),
        (8, 29, True), (8, 14, True), (8, 15, False), (10, 1, True), (10, 2, False),
    ],
)  # fmt: skip
def test_mandates_are_debited_when_banks_are_open(books, month, day, opens):
    # a minute after midnight in India, and a minute before the next
    for hour, minute, number in ((-6, 31, day), (18, 29, day)):
        at = int(datetime(2026, month, day, tzinfo=UTC).timestamp()) + hour * HOUR + minute * 60
        assert bank_is_open(at) is opens
        debt = f"d{hour}"
        emandate(books, f"p{hour}", at, told=at - DAY, debt=debt)
        books.ours(f"u{hour}", f"u{number}{hour}", at=at, method="card", instrument=f"c{hour}")
    assert books.broken.get("bank_holiday", 0) == (0 if opens else 2)


def test_the_first_debit_after_a_holiday_is_an_occasion(books):
    monday = int(datetime(2026, 6, 8, 6, tzinfo=UTC).timestamp())
    emandate(books, "p1", monday, told=monday - DAY)
    assert books.occasions == {"debit_without_notice": 1, "bank_holiday": 1}
    assert books.broken == {}


@pytest.mark.parametrize(("day", "found"), [(3, {}), (4, {"bank_holiday": 1})])
def test_a_failure_shortly_before_a_holiday_is_an_occasion(books, day, found):
    at = int(datetime(2026, 6, day, 6, tzinfo=UTC).timestamp())  # the 7th is a Sunday
    books.attempt("p1", at=at, method="emandate", network="HDFC", instrument="m")
    assert books.occasions == found
