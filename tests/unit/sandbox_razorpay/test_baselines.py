"""Baselines: the world lived through again without Tinko, and what better knowledge would bring."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tinko_pipelines.sandbox.app import make_app
from tinko_pipelines.sandbox.baselines import baselines
from tinko_pipelines.sandbox.payers import DAY
from tinko_pipelines.sandbox.truth import truth
from tinko_pipelines.sandbox.world import World

START = 1_780_272_000


@asynccontextmanager
async def world(tmp_path, seed, obligations=150):
    """A sandbox in this process with both PSPs, whose webhooks nobody takes."""
    app = make_app(tmp_path, secret="s", base_url="http://sandbox.test")
    engine = app.state.engine
    async with app.router.lifespan_context(app):
        engine.open_account("stripe", "acct_shop")
        engine.open_account("razorpay", "acc_shop")
        engine.set_world(
            World(seed=seed, start=START, obligations=obligations, days=21, late=0, twice=0,
                  never=1.0)
        )  # fmt: skip
        yield app


def asked(engine):
    return asyncio.to_thread(baselines, engine)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_arms_are_ordered_in_every_currency(tmp_path, seed):
    async def run():
        async with world(tmp_path, seed) as app:
            return await asked(app.state.engine)

    found = asyncio.run(run())
    assert set(found["oracle"]) == set(found["ladder_8_8_8"]) == set(found["failed_minor"])
    assert "INR" in found["oracle"]
    arms = ("alone", "ladder_8_8_8_allowed", "ladder_8_8_8", "oracle", "failed_minor")
    for currency in found["oracle"]:
        sums = [found[arm][currency] for arm in arms]
        assert sums == sorted(sums)
    counts = found["counts"]
    assert 0 < counts["alone"] < counts["ladder_8_8_8"] < counts["oracle"] < counts["failed"]


def test_nobody_helping_is_what_happens_when_nobody_helps(tmp_path):
    """The second life of the world is the first one's, attempt for attempt; asking changes none."""

    async def run():
        async with world(tmp_path, 9) as app:
            engine, clockwork = app.state.engine, app.state.clockwork
            early = await asked(engine)
            assert engine.ledger.net("debt_000000") == 0
            await clockwork.advance(START + 9 * DAY)
            middle = await asked(engine)
            await clockwork.advance(START + 21 * DAY)
            before = truth(engine.store, engine.ledger)
            late = await asked(engine)
            assert truth(engine.store, engine.ledger) == before
            return early, middle, late, before

    early, middle, late, lived = asyncio.run(run())
    assert early == middle == late
    recovered = {k: v for k, v in late["alone"].items() if v}
    assert recovered == lived["recovered_minor"]
    assert late["counts"]["alone"] == lived["recovered"]
    assert late["paid_minor_alone"] == lived["paid_minor"]


def test_debts_of_a_finished_world_do_not_count(tmp_path):
    async def run():
        async with world(tmp_path, 5) as app:
            whole = await asked(app.state.engine)
            await app.state.clockwork.advance(START + 4 * DAY)
            app.state.engine.finish()
            return whole, await asked(app.state.engine)

    whole, short = asyncio.run(run())
    assert 0 < short["counts"]["failed"] < whole["counts"]["failed"]
