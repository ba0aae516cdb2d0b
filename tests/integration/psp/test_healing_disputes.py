"""Disputes of which no event ever told are found by listing, and their ends too."""

import pytest

from tests.integration.recovery.conftest import START
from tests.integration.recovery.money_stage import Shop
from tinko_pipelines.core.psp.types import Psp


@pytest.fixture(params=list(Psp))
def disputed(request, sandbox, receiver, database, settings):
    """A shop whose every capture is disputed days later, and that hears of none of it."""
    sandbox.ask("POST", "reset")
    receiver.got.clear()
    shop = Shop(sandbox, receiver, database, request.param.value, "unheard")
    sandbox.ask("PUT", "world", seed=3, start=START, obligations=40, days=3, never=0.0, late=0.0,
                twice=0.0, disputes=1.0, shares={request.param.value: 1.0})  # fmt: skip
    yield shop
    sandbox.ask("PUT", "faults")
    account = shop.stage.account["account_id"]
    sandbox.ask("PUT", "endpoints", psp=request.param.value, account_id=account, url=None)


def at_the_psp(shop):
    if shop.stage.psp is Psp.STRIPE:
        found = shop.stage.sdk.v1.disputes.list({"limit": 100}).data
    else:
        found = [dict(one) for one in shop.stage.sdk.dispute.all({"count": 100})["items"]]
    ends = ("won", "lost")
    return {one["id"]: one["status"] if one["status"] in ends else "open" for one in found}


def in_the_ledger(shop):
    return dict(shop.rows(
        "select evidence ->> 'dispute', evidence ->> 'status' from findings where kind = 'dispute'"
    ))  # fmt: skip


def heal(shop, days):
    done = shop.heal(days)
    while shop.work().done:
        pass
    return done["healed"]


def test_disputes_and_their_ends_are_healed_once(disputed):
    shop = disputed
    shop.hear(days=4)
    shop.faults(drop_webhooks={"rate": 1.0})
    shop.hear(days=6)
    assert in_the_ledger(shop) == {}
    assert heal(shop, days=10) > 0
    opened = at_the_psp(shop)
    assert "open" in opened.values()
    assert in_the_ledger(shop) == opened
    assert heal(shop, days=10) == 0
    shop.hear(days=20)
    # only the last day is listed: what ended now was made weeks before
    heal(shop, days=1)
    ended = at_the_psp(shop)
    assert set(ended.values()) == {"won", "lost"}
    told = in_the_ledger(shop)
    assert {one: told[one] for one in opened} == {one: ended[one] for one in opened}
