"""Six hours without the PSP and a hundred thousand attempts due: nothing is burnt, nobody floods.

Two clocks that only the proof moves, claims and charges on a real Postgres, and a PSP of this
process: a hundred thousand attempts over HTTP would take hours and prove the same.
"""

from collections import Counter
from datetime import timedelta

from sqlalchemy import text

from tests.integration.recovery.money_stage import MovableWall
from tests.proofs.due_world import NOW, desk_of, make_due, number_of, postgres_of
from tests.proofs.harness import Finding, register
from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import make_engine, unit_of_work
from tinko_pipelines.core.recovery.executing import execute_due
from tinko_pipelines.core.recovery.unknown import resolve_unresolved
from tinko_pipelines.core.settings import Settings

OUTAGE = timedelta(hours=6)
MINUTE = timedelta(minutes=1)
SLACK = 1.2  # of the budget, in any minute
A_DAY = 10  # Mastercard's declines on one card in 24 hours, counted plainly
# the sensor looks so often; without the PSP a run does next to nothing
TICK = timedelta(seconds=15)
OPEN = "state in ('claimed', 'submitted', 'unknown')"


@register("outage")
def outage(due: int = 100_000, per_minute: int = 3000, connections: int = 4) -> Finding:
    """All due at once, the PSP away for six hours, then back; until nothing due is left."""
    with postgres_of(days=(-31, 0, 31)) as server:
        worker = make_engine(server.url("tinko_worker"), pool_size=8)
        owner = make_engine(server.url("tinko_owner"), pooled=False)
        try:
            return sit_out(worker, owner, due, per_minute, connections)
        finally:
            worker.dispose()


def sit_out(engine, owner, due, per_minute, connections=1):
    """The same on a database of the caller's."""
    clock, wall = FixedClock(NOW), MovableWall()
    org, ids = make_due(engine, due, connections)
    # autovacuum would come to it, some time
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("analyze attempts, obligations"))
    desk = desk_of(org, ids, clock, (NOW, NOW + OUTAGE))
    settings = Settings(
        retry_budget_per_minute=per_minute, connection_retry_budget_per_minute=per_minute
    )
    made = Counter()

    def tick(span):
        resolve_unresolved(engine, desk, clock, wall)
        made.update(execute_due(engine, desk, clock, settings, limit=due, wall=wall))
        clock.advance(span)
        wall.instant += span

    # the sensor rings every quarter of a minute; a minute is as good while nothing goes through
    while clock.now() < NOW + OUTAGE:
        tick(MINUTE)
    burnt = _burnt(engine)
    # what was given back waits an hour; what a guard put off waits longer, and legally
    soon = NOW + OUTAGE + timedelta(hours=2)
    under_way = f"state = 'scheduled' and scheduled_at <= '{soon}'"
    while (
        _count(engine, f"attempts where {under_way} or {OPEN}") and clock.now() < NOW + 5 * OUTAGE
    ):
        tick(TICK)
    return _finding(desk, made, burnt, per_minute, due, engine)


def _finding(desk, made, burnt, per_minute, due, engine):
    adapters = [seat.adapter for seat in desk.seats.values()]
    calls = [one for adapter in adapters for one in adapter.calls]
    asked_in_vain = sum(not answered for _, _, answered in calls)
    begun = sorted(at for adapter in adapters for tries in adapter.charges.values()
                   for at, _ in tries)  # fmt: skip
    busiest = _busiest(begun)
    keys = [key for adapter in adapters for tries in adapter.by_debt.values() for key, _ in tries]
    twice = sum(
        len(tries) > 1 and adapter.cards.pays(number_of(invoice))
        for adapter in adapters
        for invoice, tries in adapter.by_debt.items()
    )
    broken = sum(_over(tries) for adapter in adapters for tries in adapter.charges.values())
    left = _count(engine, f"attempts where {OPEN}")
    waiting = _count(engine, "attempts where state = 'scheduled'")
    wrong = []
    if busiest > SLACK * per_minute:
        wrong.append(f"{busiest} attempts in one minute, the budget is {per_minute}")
    if any(burnt.values()):
        wrong.append(f"the outage burnt {burnt}")
    # half a probe a minute and connection, and those that found the outage
    bound = len(adapters) * (OUTAGE / MINUTE / 2 + 60)
    if asked_in_vain > bound:
        wrong.append(f"{asked_in_vain} calls to a PSP that was away; {bound:.0f} are plenty")
    if broken:
        wrong.append(f"{broken} attempts over ten a day on one Mastercard")
    if twice or len(keys) != len(set(keys)):
        wrong.append(f"{twice} debts charged twice, {len(keys) - len(set(keys))} keys used twice")
    if left or len(begun) + waiting != due:
        wrong.append(f"{len(begun)} made, {waiting} wait, {left} are stuck, of {due}")
    if not begun or not waiting:
        wrong.append("nothing was charged, or no guard had to refuse: the proof proves nothing")
    return Finding(
        wrong,
        {
            "due": due,
            "charged": len(begun),
            "waiting_for_a_guard": waiting,
            "budget_per_minute": per_minute,
            "busiest_minute": busiest,
            "minutes": round((begun[-1] - begun[0]) / MINUTE, 1) if begun else 0,
            "calls_while_away": asked_in_vain,
            "guard_violations": broken,
            "double_charges": twice,
            "outcomes": dict(made),
        },
    )


def _busiest(instants):
    """The most instants in any window of a minute, by two hands over the sorted list."""
    most = start = 0
    for end, at in enumerate(instants):
        while at - instants[start] >= MINUTE:
            start += 1
        most = max(most, end - start + 1)
    return most


def _over(tries):
    """Attempts made although ten on the same card had failed within the day before them."""
    return sum(
        sum(not paid and at - timedelta(days=1) < earlier <= at
            for earlier, paid in tries[:index]) >= A_DAY
        for index, (at, _) in enumerate(tries)
    )  # fmt: skip


def _burnt(engine):
    return {
        "keys": _count(engine, "idempotency_keys"),
        "counts": _count(engine, "guard_counters where state <> 'failed'"),
        "attempts": _count(engine, "attempts where actor = 'tinko' and state <> 'scheduled'"),
    }


def _count(engine, what):
    with unit_of_work(engine) as connection:
        return connection.scalar(text(f"select count(*) from {what}"))
