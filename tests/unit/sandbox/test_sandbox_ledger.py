"""The ledger of truth: counts by hand, and each limit broken on purpose."""

import pytest

from tinko_pipelines.sandbox.ledger import FAILED, PENDING, SUCCEEDED, Ledger
from tinko_pipelines.sandbox.store import Store
from tinko_pipelines.sandbox.truth import truth
from tinko_pipelines.sandbox.violations import violations

NOON_IST = 1_780_295_400  # 2026-06-01 12:00 in India
DAY = 86400


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "s.db")


@pytest.fixture
def ledger(store):
    return Ledger(store)


def owe(ledger, id_="d1", amount=1000, currency="USD", payer="p1"):
    ledger.add_debt(
        {"id": id_, "account": "stripe:a", "payer": payer, "kind": "invoice", "amount": amount,
         "currency": currency, "due": 0, "instrument": "i"}
    )  # fmt: skip
    return id_


def attempt(ledger, id_, debt="d1", **of):
    row = {"account": "stripe:a", "actor": "merchant", "at": 0, "amount": 1000, "currency": "usd",
           "instrument": "card", "network": "visa", "state": FAILED, "code": "x"}  # fmt: skip
    ledger.attempt(id_, debt=debt, **{**row, **of})


def test_a_debt_without_an_attempt_is_no_obligation_yet(store, ledger):
    owe(ledger)
    assert truth(store, ledger)["obligations"] == 0
    attempt(ledger, "c1")
    assert truth(store, ledger)["obligations"] == 1


def test_recovered_is_a_failure_and_then_its_due_by_whoever_paid_last(store, ledger):
    owe(ledger, "paid-at-once")
    attempt(ledger, "a1", "paid-at-once", state=SUCCEEDED, code=None)
    owe(ledger, "by-us")
    attempt(ledger, "b1", "by-us")
    attempt(ledger, "b2", "by-us", state=SUCCEEDED, actor="tinko", at=5)
    owe(ledger, "by-payer", currency="EUR", amount=700)
    attempt(ledger, "c1", "by-payer", made_up=True)
    attempt(ledger, "c2", "by-payer", state=SUCCEEDED, actor="payer", at=5, amount=700,
            currency="eur")  # fmt: skip
    owe(ledger, "partly")
    attempt(ledger, "d1", "partly")
    attempt(ledger, "d2", "partly", state=SUCCEEDED, actor="psp", captured=400, at=5)
    found = truth(store, ledger)
    assert found["recovered"] == 2
    assert found["recovered_by"] == {"retry": 1, "payer": 1, "psp": 0}
    assert found["recovered_minor"] == {"EUR": 700, "USD": 1000}
    assert found["paid_minor"] == {"EUR": 700, "USD": 2400}
    assert (found["attempts"], found["failures"], found["unknown"]) == (7, 3, 1)
    assert found["attempts_by_actor"] == {"merchant": 4, "psp": 1, "tinko": 1, "payer": 1}
    assert found["double_charges"] == 0


def test_what_is_pending_is_no_failure_until_it_ends(store, ledger):
    owe(ledger)
    attempt(ledger, "c1", state=PENDING, code=None)
    assert truth(store, ledger)["failures"] == 0
    ledger.end("c1", FAILED, at=9, code="late")
    assert truth(store, ledger)["failures"] == 1
    # a late success after a failure wins, and is then no failure at all
    ledger.end("c1", SUCCEEDED, at=10)
    found = truth(store, ledger)
    assert (found["failures"], found["recovered"], found["paid_minor"]) == (0, 0, {"USD": 1000})


def test_a_double_charge_is_money_above_the_due_and_a_refund_heals_it(store, ledger):
    owe(ledger)
    attempt(ledger, "c1", state=SUCCEEDED, code=None)
    attempt(ledger, "c2", state=SUCCEEDED, code=None, at=5)
    assert truth(store, ledger)["double_charges"] == 1
    ledger.refund("c2", 1000)
    assert truth(store, ledger)["double_charges"] == 0
    assert ledger.net("d1") == 1000
    assert ledger.is_paid("d1")


def test_the_ledger_is_the_same_after_a_restart(tmp_path, store, ledger):
    owe(ledger)
    attempt(ledger, "c1")
    attempt(ledger, "c2", state=SUCCEEDED, actor="tinko", at=5)
    before = truth(store, ledger)
    store.commit()
    again = Store(tmp_path / "s.db")
    assert truth(again, Ledger(again)) == before
    assert Ledger(again).match("stripe:a", "p1", 1000, "usd") == "d1"


def test_a_door_is_known_by_payer_amount_and_currency(ledger):
    owe(ledger, "d1", amount=1000)
    owe(ledger, "d2", amount=1100)
    assert ledger.match("stripe:a", "p1", 1100, "USD") == "d2"
    assert ledger.match("stripe:a", "p1", 1200, "USD") is None
    assert ledger.match("stripe:b", "p1", 1100, "USD") is None
    made = ledger.adhoc("pi_1", "stripe:a", "", 50, "usd")
    assert ledger.adhoc("pi_1", "stripe:a", "", 50, "usd") == made
    assert ledger.debt(made)["currency"] == "USD"


def test_what_does_not_exist_is_an_error(ledger):
    for call in (
        lambda: ledger.debt("none"),
        lambda: ledger.end("none", FAILED, at=1),
        lambda: ledger.refund("none", 1),
    ):
        with pytest.raises(KeyError):
            call()


def ours(ledger, id_, **of):
    attempt(ledger, id_, **{"actor": "tinko", **of})


def test_limits_that_are_kept_are_not_named(store, ledger):
    owe(ledger)
    attempt(ledger, "c0")
    for number in range(20):
        ours(ledger, f"c{number + 1}", at=(number + 1) * DAY)
    assert violations(store, ledger) == {}


def test_the_21st_reattempt_of_a_card_in_30_days(store, ledger):
    owe(ledger)
    for number in range(21):
        attempt(ledger, f"c{number}", at=number * 3600)
    ours(ledger, "ours", at=29 * DAY)
    assert violations(store, ledger) == {"card_20_reattempts_in_30d": 1}


def test_mastercards_two_limits(store, ledger):
    owe(ledger)
    for number in range(35):
        attempt(ledger, f"c{number}", at=number * 60, network="mastercard")
    ours(ledger, "ours", at=3600, network="mastercard")
    assert violations(store, ledger) == {"mastercard_10_in_24h": 1, "mastercard_35_in_30d": 1}
    assert violations(store, ledger)["mastercard_10_in_24h"] == 1


def test_a_retry_after_a_hard_decline_on_the_same_instrument_only(store, ledger):
    owe(ledger)
    attempt(ledger, "c1", facts={"never": "1"})
    ours(ledger, "other", at=5, instrument="another card")
    assert violations(store, ledger) == {}
    ours(ledger, "same", at=6)
    assert violations(store, ledger) == {"retry_after_hard_decline": 1}


def test_charging_what_is_paid_or_what_the_psp_retries(store, ledger):
    owe(ledger)
    attempt(ledger, "c1", state=SUCCEEDED, code=None, at=1)
    ours(ledger, "c2", at=2, owner="psp")
    assert violations(store, ledger) == {"charged_when_paid": 1, "charged_what_the_psp_retries": 1}


@pytest.mark.parametrize(
    ("hour", "kept"),
    [(9, True), (9.99, True), (10, False), (12, False), (13, True), (16.99, True), (17, False),
     (21.4, False), (21.5, True), (23, True)],
)  # fmt: skip
def test_the_windows_of_upi_autopay_in_indian_time(store, ledger, hour, kept):
    owe(ledger)
    at = int(NOON_IST + (hour - 12) * 3600)
    ours(ledger, "c1", method="upi", network="upi", at=at)
    assert ("upi_outside_window" in violations(store, ledger)) is not kept


@pytest.mark.parametrize(("notice_at", "found"), [("", {}), ("1", {"upi_outside_window": 1})])
def test_no_debit_follows_a_notice_that_reached_nobody(store, ledger, notice_at, found):
    owe(ledger)
    closed = int(NOON_IST)
    facts = {"executes_at": str(closed), "notice_at": notice_at and str(closed - 2 * DAY)}
    ours(ledger, "c1", method="upi", network="upi", at=closed - 7200, facts=facts)
    assert violations(store, ledger) == found


def test_the_fifth_debit_of_a_upi_mandate(store, ledger):
    owe(ledger)
    at = NOON_IST + 2 * 3600
    for number in range(4):
        attempt(ledger, f"c{number}", at=at + number * DAY, method="upi", network="upi")
    ours(ledger, "ours", at=at + 5 * DAY, method="upi", network="upi")
    assert violations(store, ledger) == {"upi_more_than_4_attempts": 1}


def on_token(frequency, at, token="token_1"):
    return {"token": token, "frequency": frequency, "executes_at": str(at)}


@pytest.mark.parametrize(
    ("frequency", "day", "kept"),
    # 1 June 2026 is a Monday, and 7 June the week's last day
    [("weekly", 6, True), ("weekly", 7, False), ("weekly", 8, True), ("monthly", 7, True),
     ("monthly", 29, True), ("monthly", 30, False), ("as_presented", 30, True)],
)  # fmt: skip
def test_the_last_day_of_a_mandates_cycle(store, ledger, frequency, day, kept):
    owe(ledger)
    at = NOON_IST + (day - 1) * DAY
    ours(ledger, "c1", method="emandate", at=at, facts=on_token(frequency, at))
    assert ("debit_on_cycles_last_day" in violations(store, ledger)) is not kept


def test_a_debit_that_was_asked_for_too_late_to_come_in_its_cycle(store, ledger):
    owe(ledger)
    at = NOON_IST + 28 * DAY
    ours(ledger, "c1", method="emandate", at=at, facts=on_token("monthly", at + 2 * DAY))
    assert violations(store, ledger) == {"debit_on_cycles_last_day": 1}


@pytest.mark.parametrize(
    ("token", "days", "found"),
    [("token_1", 10, {"second_success_in_cycle": 1}), ("token_2", 10, {}), ("token_1", 31, {})],
)
def test_what_is_asked_for_where_a_cycle_has_had_its_success(store, ledger, token, days, found):
    for id_ in ("d1", "d2"):
        owe(ledger, id_, payer=id_)
    attempt(ledger, "c0", debt="d2", method="emandate", state=SUCCEEDED, code=None, at=NOON_IST,
            facts=on_token("monthly", NOON_IST, token))  # fmt: skip
    at = NOON_IST + days * DAY
    ours(ledger, "c1", method="emandate", at=at, facts=on_token("monthly", at))
    assert violations(store, ledger) == found
