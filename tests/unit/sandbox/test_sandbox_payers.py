"""Payers: the same for a seed, pure to ask, human over a month."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinko_pipelines.sandbox.draws import Draws
from tinko_pipelines.sandbox.payers import (
    AUTH_REQUIRED,
    DAY,
    HARD,
    HOUR,
    MADE_UP,
    SOFT,
    Payers,
    issuer_down,
    pay_cycle,
)
from tinko_pipelines.sandbox.stripe.codes import DECLINES, decline_of
from tinko_pipelines.sandbox.world import World, make_debts

START = 1_780_272_000  # 2026-06-01, a Monday
RULES = ("1", "5", "7", "10", "15", "last", "fridays")


def base(seed=1):
    return Payers(Draws(seed), START, 21)


def plain(payers, **changes):
    """A payer with one healthy card that nothing random touches."""
    payer = payers.make("stripe", 0)
    card = replace(
        payer.instruments[0], grumpy=0.0, wants_auth=False, broken_at=None, exp_year=2040,
        method="card", funding="debit", issuer="none", quirk=None, **changes,
    )  # fmt: skip
    return payers.register(replace(payer, instruments=(card,), thrift=0.5, payday="1"))


def chosen(payers, card, amount, at, present=False):
    """The outcome at the first moment of the hour without a glitch or an issuer's outage."""
    for minute in range(0, 60 * 24, 15):
        outcome = payers.would_succeed(card, amount, at + minute * 60, present)
        if outcome.code not in ("processing_error", "issuer_unavailable", "auth_failed"):
            return outcome
    raise AssertionError("a whole day of glitches")


def test_a_payer_is_the_same_whoever_was_asked_for_before():
    one, other = base(), base()
    for number in range(20):
        other.make("stripe", number)
    assert one.make("stripe", 7) == other.make("stripe", 7)
    assert one.make("stripe", 7) != base(2).make("stripe", 7)
    assert other.by_email(one.make("stripe", 7).email.upper()) == one.make("stripe", 7)


def test_payers_are_of_their_country():
    payers = base()
    people = [payers.make(psp, n) for psp in ("stripe", "razorpay") for n in range(300)]
    assert len({payer.email for payer in people}) == 600
    for payer in people:
        assert payer.currency == {"US": "USD", "DE": "EUR", "FR": "EUR", "IN": "INR"}[payer.country]
        assert payer.psp == "stripe" or payer.country == "IN"
        assert payer.language == "en" or payer.country == "IN"
        if payer.psp == "stripe":
            assert {card.method for card in payer.instruments} == {"card"}
    assert {payer.language for payer in people} == {"en", "hi", "ta"}
    methods = Counter(payer.instruments[0].method for payer in people if payer.psp == "razorpay")
    assert set(methods) == {"card", "upi", "emandate"}


@given(st.sampled_from(RULES), st.integers(0, 400 * 24))
def test_there_is_always_a_payday_before_and_after(rule, hours):
    at = START + hours * HOUR
    since, until = pay_cycle(rule, at // HOUR)
    assert since <= at < until
    assert until - since <= 34 * DAY
    # the cycle is one: asking anywhere in it answers the same
    assert pay_cycle(rule, (until - 1) // HOUR) == (since, until)
    day = datetime.fromtimestamp(until, UTC)
    if rule == "last":
        assert day.weekday() < 5
    elif rule == "fridays":
        assert day.weekday() == 4
    else:
        assert day.day == int(rule)


def test_money_lasts_from_payday_on_and_comes_back():
    payers = base()
    payer = plain(payers)
    card = payer.instruments[0]
    after_payday = START + 6 * HOUR
    assert payers.funds(card, after_payday) > payers.funds(card, after_payday + 5 * DAY) > 0
    empty = START + 20 * DAY
    assert payers.funds(card, empty) == 0
    short = chosen(payers, card, 500, empty)
    assert short.code in ("insufficient_funds", "limit_exceeded")
    back = payers.next_payday(payer, empty)
    assert chosen(payers, card, 500, back).ok
    assert chosen(payers, card, payer.income, back).code is not None


@pytest.mark.parametrize("code", sorted(HARD - {"expired"}))
def test_a_broken_instrument_stays_broken(code):
    payers = base()
    card = plain(payers, broken_code=code).instruments[0]
    card = replace(card, broken_at=START + DAY)
    assert chosen(payers, card, 1, START + 6 * HOUR).ok
    for days in (1, 2, 30):
        assert payers.would_succeed(card, 1, START + days * DAY).code == code


def test_a_card_expires_at_the_end_of_its_month():
    payers = base()
    card = replace(plain(payers).instruments[0], exp_year=2026, exp_month=6)
    last = int(datetime(2026, 6, 30, 23, 59, tzinfo=UTC).timestamp())
    assert payers.would_succeed(card, 0, last).code != "expired"
    assert payers.would_succeed(card, 0, last + 60).code == "expired"


def test_who_must_be_there_can_be_there():
    payers = base()
    card = replace(plain(payers).instruments[0], wants_auth=True)
    assert chosen(payers, card, 1, START + DAY).code == AUTH_REQUIRED
    assert chosen(payers, card, 1, START + DAY, present=True).ok


def test_a_made_up_code_lasts_for_its_while():
    payers = base()
    card = plain(payers).instruments[0]
    payers.set_quirk(card.id, "sandbox_gremlin", START, START + HOUR)
    card = payers.instrument(card.id)
    assert payers.would_succeed(card, 1, START).code == f"{MADE_UP}sandbox_gremlin"
    assert not (payers.would_succeed(card, 1, START + HOUR).code or "").startswith(MADE_UP)
    assert payers.get(card.payer).instruments[0] == card


def test_asking_changes_nothing():
    payers = base()
    cards = [payers.make("stripe", n).instruments[0] for n in range(50)]
    moments = [START + n * 7 * HOUR for n in range(40)]
    forwards = [payers.would_succeed(c, 900, at) for c in cards for at in moments]
    fresh = base()
    for n in reversed(range(50)):
        fresh.make("stripe", n)
    backwards = [
        fresh.would_succeed(c, 900, at) for c in reversed(cards) for at in reversed(moments)
    ]
    assert forwards == backwards[::-1]


def test_an_issuer_is_down_for_hours_now_and_then():
    draws = Draws(1)
    hours = [issuer_down(draws, "HDFC", START + n * HOUR) for n in range(24 * 120)]
    share = sum(hours) / len(hours)
    assert 0.01 < share < 0.10
    runs = "".join("x" if down else " " for down in hours).split()
    assert max(map(len, runs)) <= 16  # a window, or two that touch


def test_about_a_third_of_first_attempts_fail_for_many_reasons():
    for seed in (1, 2, 3):
        draws = Draws(seed)
        payers = Payers(draws, START, 21)
        world = World(seed=seed, start=START, obligations=2000, days=21)
        debts = list(make_debts(world, draws, payers, {"stripe": ["s"]}, {"stripe": {"x": 1}}))
        codes = Counter(
            payers.would_succeed(payers.instrument(d["instrument"]), d["amount"], d["due"]).code
            for d in debts
        )
        failed = 1 - codes[None] / 2000
        assert 0.28 < failed < 0.42, (seed, codes)
        made_up = sum(n for code, n in codes.items() if (code or "").startswith(MADE_UP))
        assert made_up >= world.made_up_codes
        assert codes["insufficient_funds"] > 100
        known = HARD | SOFT | {AUTH_REQUIRED, None}
        assert all(code in known or code.startswith(MADE_UP) for code in codes)


def test_a_payers_debts_all_differ_and_fall_within_the_days():
    draws = Draws(4)
    payers = Payers(draws, START, 10)
    world = World(seed=4, start=START, obligations=1500, days=10)
    accounts = {"stripe": ["stripe:a", "stripe:b"], "razorpay": ["razorpay:c"]}
    kinds = {"stripe": {"x": 1}, "razorpay": {"y": 1}}
    debts = list(make_debts(world, draws, payers, accounts, kinds))
    assert len({(d["payer"], d["amount"]) for d in debts}) == len(debts) == 1500
    assert all(START <= d["due"] < START + 10 * DAY for d in debts)
    assert Counter(d["account"] for d in debts).keys() == {"stripe:a", "stripe:b", "razorpay:c"}
    assert debts == list(make_debts(world, Draws(4), Payers(Draws(4), START, 10), accounts, kinds))


def test_every_neutral_code_has_stripes_words():
    assert set(DECLINES) == HARD | SOFT | {AUTH_REQUIRED}
    for code in HARD | {AUTH_REQUIRED}:
        assert all(decline.never for decline in DECLINES[code])
    for code in SOFT:
        assert not any(decline.never for decline in DECLINES[code])


def test_luck_picks_among_stripes_words():
    payers = base()
    card = replace(plain(payers).instruments[0], fixed="do_not_honor")
    words = {
        decline_of(payers.would_succeed(card, 1, START + day * DAY)).decline_code
        for day in range(60)
    }
    assert words == {"do_not_honor", "generic_decline", "call_issuer", "no_action_taken"}
