"""A paused mandate is not charged; resumed, it is the debt's again."""

from sqlalchemy import text

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.ledger.apply import apply_observation
from tinko_pipelines.core.psp.types import Observation


def stands(shop):
    return shop.rows("select has_mandate, mandate_ref from obligations")


def say(shop, **what):
    with unit_of_work(shop.engine) as connection:
        apply_observation(connection, shop.seat.account, Observation(**what), shop.clock.now())


def test_a_resumed_mandate_is_given_back_and_its_case_looked_at_again(shop):
    shop.failed_debt()
    ((held, mandate),) = stands(shop)
    assert held is True
    say(shop, mandate_lost=mandate)
    assert stands(shop) == [(False, mandate)]
    with unit_of_work(shop.engine) as connection:
        connection.execute(text("update cases set decide_at = null"))
    say(shop, mandate_restored=mandate)
    assert stands(shop) == [(True, mandate)]
    assert shop.rows("select decide_at from cases") == [(shop.clock.now(),)]


def test_another_tokens_news_changes_nothing(shop):
    shop.failed_debt()
    ((_, mandate),) = stands(shop)
    say(shop, mandate_lost=mandate)
    say(shop, mandate_restored="token_of_somebody_else")
    assert stands(shop) == [(False, mandate)]


def test_a_debt_that_never_lost_it_is_left_alone(shop):
    shop.failed_debt()
    before = shop.rows("select updated_at from obligations")
    shop.advance(hours=1)
    say(shop, mandate_restored=stands(shop)[0][1])
    assert shop.rows("select updated_at from obligations") == before


def test_news_of_a_token_that_was_cancelled_after_all_charges_nobody(razored):
    """The fresh read before a charge sees how the token stands."""
    debt = razored.failed_debt()
    ((_, mandate),) = stands(razored)
    razored.stage.sdk.token.cancel(debt.customer, mandate)
    say(razored, mandate_lost=mandate)
    say(razored, mandate_restored=mandate)  # late, and no longer so
    assert stands(razored) == [(True, mandate)]
    attempt = razored.plan(debt)
    razored.charge()
    assert razored.state(attempt) != "succeeded"
    assert len(razored.stage.payments_made()) == 1
