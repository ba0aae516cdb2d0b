"""Claims in batches: budgets, breakers, and what is left where it is."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.integration.recovery.money_stage import MovableWall, side_by_side
from tests.proofs.due_world import NOW, desk_of, make_due
from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.recovery import breaker
from tinko_pipelines.core.recovery.budget import BURST_SECONDS, Bucket, Budgets
from tinko_pipelines.core.recovery.charge import Charger
from tinko_pipelines.core.recovery.claim import claim_due
from tinko_pipelines.core.recovery.executing import execute_due
from tinko_pipelines.core.settings import Settings

FULL = 60 / BURST_SECONDS  # attempts per minute that make a bucket of one


class House:
    """Due attempts at PSPs of this process, and the two clocks."""

    def __init__(self, engine, count, connections=1, outage=(NOW, NOW)):
        self.engine, self.wall, self.clock = engine, MovableWall(), FixedClock(NOW)
        self.org, self.connections = make_due(engine, count, connections)
        self.desk = desk_of(self.org, self.connections, self.clock, outage)
        self.budgets = Budgets()

    def claim(self, limit=100):
        return claim_due(self.engine, self.clock, self.wall, limit=limit, lease_seconds=60,
                         budgets=self.budgets)  # fmt: skip

    def make(self, claim):
        return Charger(self.engine, self.desk, self.clock, self.wall, 5.0).make(claim)

    def execute(self, **settings):
        return dict(execute_due(self.engine, self.desk, self.clock, Settings(**settings),
                                wall=self.wall))  # fmt: skip

    def count(self, what):
        with unit_of_work(self.engine) as connection:
            return connection.scalar(text(f"select count(*) from {what}"))


@pytest.fixture
def house(database):
    return lambda *args, **more: House(database.worker, *args, **more)


def test_a_batch_is_claimed_locked_and_leased_at_once(house):
    made = house(7, connections=2)
    claims = made.claim(limit=5)
    assert len({one.attempt_id for one in claims}) == 5
    assert len({one.token for one in claims}) == 5
    assert made.count("charge_locks where purpose = 'charge'") == 5
    assert made.count(
        "attempts as a inner join charge_locks as k on k.attempt_id = a.id"
        " and k.token = a.lease_token and k.obligation_id = a.obligation_id"
        " where a.state = 'claimed'"
    ) == 5  # fmt: skip
    assert len(made.claim()) == 2
    assert made.claim() == []


def test_claims_side_by_side_share_nothing(house):
    made = house(40)
    claims = [one for batch in side_by_side(*[lambda: made.claim(limit=10)] * 4) for one in batch]
    assert len(claims) == len({one.attempt_id for one in claims}) == 40


def test_two_attempts_on_one_debt_are_never_both_claimed(house):
    made = house(2)
    with unit_of_work(made.engine) as connection:
        connection.execute(
            text(
                "update attempts set obligation_id = (select min(id::text)::uuid from obligations)"
                " where state = 'scheduled'"
            )
        )
    assert len(made.claim()) == 1
    assert made.count(f"attempts where scheduled_at = '{NOW + timedelta(minutes=30)}'") == 1


# --- budgets ------------------------------------------------------------------------------------


def test_the_house_begins_no_more_than_its_bucket_holds(house):
    made = house(30, connections=3)
    made.budgets = Budgets(house=Bucket(12 * FULL))
    assert len(made.claim()) == 12
    assert made.claim() == []
    made.clock.advance(timedelta(seconds=BURST_SECONDS / 4))
    assert len(made.claim()) == 3
    # a bucket never holds more than it is large, however long nothing was taken
    made.clock.advance(timedelta(hours=6))
    assert len(made.claim()) == 12


def test_a_connection_that_spent_its_budget_does_not_stop_the_others(house):
    made = house(30, connections=3)
    made.budgets = Budgets(connection=Bucket(2 * FULL))
    claims = made.claim()
    by = [sum(one.connection_id == each for one in claims) for each in made.connections]
    assert by == [2, 2, 2]
    assert made.claim() == []
    made.clock.advance(timedelta(seconds=BURST_SECONDS / 2))
    assert len(made.claim()) == 3


def test_processes_share_one_budget(house):
    made = house(40)
    made.budgets = Budgets(house=Bucket(9 * FULL))
    batches = side_by_side(*[lambda: made.claim(limit=5)] * 6)
    assert sum(len(one) for one in batches) == 9


# --- breakers -----------------------------------------------------------------------------------


def test_an_outage_opens_the_breaker_and_burns_nothing(house):
    made = house(60, outage=(NOW, NOW + timedelta(hours=6)))
    assert sum(made.execute().values()) < 60
    assert made.claim() == []
    assert made.count("attempts where state = 'scheduled'") == 60
    assert made.count("idempotency_keys") == 0
    assert made.count("guard_counters where state <> 'failed'") == 0
    assert made.count("charge_locks") == 0


def test_after_its_span_one_probe_goes_through_and_only_its_success_lets_the_others(house):
    made = house(60, outage=(NOW, NOW + timedelta(hours=6)))
    made.execute()
    made.wall.advance(minutes=1)
    (probe,) = made.claim()
    assert probe.probe
    # while it is under way nothing else goes
    assert made.claim() == []
    assert made.make(probe) == "psp_unreachable"
    assert made.claim() == []
    made.wall.advance(minutes=2)
    made.clock.advance(timedelta(hours=7))
    (probe,) = made.claim()
    assert made.make(probe) in ("succeeded", "failed")
    assert len(made.claim(limit=10)) == 10


def test_a_probe_that_died_is_followed_by_another_after_its_lease(house):
    made = house(60, outage=(NOW, NOW + timedelta(hours=6)))
    made.execute()
    made.wall.advance(minutes=1)
    assert len(made.claim()) == 1
    made.wall.advance(seconds=61)
    assert len(made.claim()) == 1


def test_an_open_breaker_is_of_one_connection(house):
    made = house(40, connections=2, outage=(NOW, NOW + timedelta(hours=6)))
    well = made.connections[0]
    made.desk.seats[well].adapter.outage = (NOW, NOW)
    made.execute()
    left = made.count(f"attempts where state = 'scheduled' and connection_id = '{well}'")
    assert left == 0


# --- a case that was closed -----------------------------------------------------------------------


@pytest.mark.parametrize("state", ["cancelled", "exhausted"])
def test_a_case_closed_after_the_claim_stops_the_charge(house, state):
    made = house(1)
    (claim,) = made.claim()
    with unit_of_work(made.engine) as connection:
        connection.execute(text("update cases set state = :state"), {"state": state})
    assert made.make(claim) == f"case.{state}"
    assert made.count("attempts where state = 'cancelled'") == 1
    assert made.count("charge_locks") == 0
    (adapter,) = [seat.adapter for seat in made.desk.seats.values()]
    assert not adapter.charges


def test_what_is_given_back_to_a_cancelled_case_is_cancelled(house):
    made = house(1, outage=(NOW, NOW + timedelta(hours=6)))
    (claim,) = made.claim()
    with unit_of_work(made.engine) as connection:
        connection.execute(text("update cases set state = 'cancelled'"))
    assert made.make(claim) == "psp_unreachable"
    assert made.count("attempts where state = 'cancelled'") == 1


def test_the_span_grows_and_stays_within_its_jitter():
    assert breaker.span(breaker.THRESHOLD - 1, 0.0) == timedelta()
    spans = [breaker.span(breaker.THRESHOLD + n, 0.0) for n in range(40)]
    assert spans[0] == breaker.FIRST
    assert spans == sorted(spans)
    assert spans[-1] == breaker.MOST
    assert breaker.span(breaker.THRESHOLD, 1.0) == breaker.FIRST * 1.25
    assert breaker.span(breaker.THRESHOLD, -1.0) == breaker.FIRST * 0.75
