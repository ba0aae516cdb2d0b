"""One question, one answer: the marts, the marts put right by the ledger, and the ledger alone."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from tests.integration.analytics.conftest import START, Ledger
from tests.integration.analytics.insights_world import World
from tinko_pipelines.core.analytics import sink
from tinko_pipelines.core.analytics.dbt import DbtProject
from tinko_pipelines.core.analytics.reading import marts
from tinko_pipelines.core.analytics.reading.insights import Insights, Source
from tinko_pipelines.core.analytics.reading.measures import FUNNEL, SUMMARY
from tinko_pipelines.core.analytics.reading.question import Question, Span
from tinko_pipelines.core.analytics.reading.store import Store
from tinko_pipelines.core.analytics.targets import ClickHouse
from tinko_pipelines.core.db.engine import make_engine

SPAN = Span(START.date(), (START + timedelta(days=60)).date())


@pytest.fixture(scope="module")
def project(clickhouse_server, tmp_path_factory) -> DbtProject:
    made = DbtProject(clickhouse_server.address, target=tmp_path_factory.mktemp("target"))
    made.prepare()
    return made


@pytest.fixture
def refresh(engine, client, clock, project):
    def refreshed() -> None:
        sink.run(engine, ClickHouse(client), clock)
        project.build(tests=False)

    return refreshed


@pytest.fixture(scope="module")
def app(postgres, database):
    made = make_engine(postgres.url("tinko_app", database))
    yield made
    made.dispose()


@pytest.fixture
def insights(app, client, clickhouse_server, clock):
    # the machine may be busy: no test asks how long it takes
    made = Insights(app, clock, Store(clickhouse_server.address, 300), 300)
    yield made
    made.close()


@pytest.fixture
def alone(app, clock):
    return Insights(app, clock, None, 300)


def agree(insights, alone, world, questions: int) -> set[Source]:
    """The sources of the answers that were compared, each to the ledger's own."""
    seen = set()
    for _ in range(questions):
        question = world.question()
        answer = insights.ask(world.ledger.org, question)
        told = alone.ask(world.ledger.org, question)
        assert answer.totals == told.totals, (question, answer.source)
        seen.add(answer.source)
    return seen


@pytest.mark.parametrize("seed", range(2))
def test_every_way_gives_the_ledgers_answer(seed, engine, ledger, insights, alone, refresh):
    world, other = World(ledger, seed), World(Ledger(engine, uuid.uuid4()), seed + 100)
    ledger.organisation("Asia/Kolkata")
    for one in (world, other):
        one.add(60)
    assert agree(insights, alone, world, 5) == {Source.POSTGRES}  # nothing is built yet
    refresh()
    assert agree(insights, alone, world, 40) == {Source.CLICKHOUSE}
    world.change(25)
    assert agree(insights, alone, world, 40) == {Source.BOTH}
    assert agree(insights, alone, other, 10) == {Source.CLICKHOUSE}
    refresh()
    assert agree(insights, alone, world, 40) == {Source.CLICKHOUSE}
