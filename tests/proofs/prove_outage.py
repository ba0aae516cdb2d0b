"""Six hours without the PSP and a hundred thousand attempts due: nothing is burnt, nobody floods.

Two clocks that only the proof moves, claims and charges on a real Postgres, and a PSP of this
process: a hundred thousand attempts over HTTP would take hours and prove the same.
"""

from collections import Counter, defaultdict
from datetime import timedelta

from sqlalchemy import text

from tests.integration.recovery.money_stage import MovableWall
from tests.proofs.due_world import (
    AMOUNT,
    BEFORE,
    CURRENCY,
    NOW,
    desk_of,
    make_due,
    number_of,
    postgres_of,
)
from tests.proofs.guard_checker import DAY, Instrument, Tried, violations
from tests.proofs.harness import Finding, register
from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import make_engine, unit_of_work
from tinko_pipelines.core.recovery.executing import execute_due
from tinko_pipelines.core.recovery.unknown import resolve_unresolved
from tinko_pipelines.core.settings import Settings

OUTAGE = timedelta(hours=6)
MINUTE = timedelta(minutes=1)
SLACK = 1.2  # of the budget, in any minute
# until the first ten on a Mastercard are a day old, and the eleventh is the month's last
UNTIL = NOW + OUTAGE + timedelta(days=2)
A_DAY, A_MONTH = 10, 35  # tries that Mastercard allows on one card in 24 hours and in 30 days
# the sensor looks so often; without the PSP a run does next to nothing
TICK = timedelta(seconds=15)
OPEN = "state in ('claimed', 'submitted', 'unknown')"


@register("outage")
def outage(due: int = 100_000, per_minute: int = 3000, connections: int = 4) -> Finding:
    """All due at once, the PSP away for six hours, then back; for two days, in which what a limit
    put off by a day comes due again."""
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

    def go_on(span):
        clock.advance(span)
        wall.instant += span

    def tick(span):
        resolve_unresolved(engine, desk, clock, wall)
        made.update(execute_due(engine, desk, clock, settings, limit=due, wall=wall))
        go_on(span)

    # the sensor rings every quarter of a minute; a minute is as good while nothing goes through
    while clock.now() < NOW + OUTAGE:
        tick(MINUTE)
    burnt = _burnt(engine)
    while clock.now() < UNTIL:
        if not _count(engine, f"attempts where {OPEN}"):
            first = _first_due(engine)
            if first is None or first >= UNTIL:
                break
            go_on(max(first - clock.now(), timedelta()))
        tick(TICK)
    return _finding(desk, made, burnt, per_minute, due, engine, clock.now())


def _finding(desk, made, burnt, per_minute, due, engine, now):
    adapters = [seat.adapter for seat in desk.seats.values()]
    calls = [one for adapter in adapters for one in adapter.calls]
    asked_in_vain = sum(not answered for _, _, answered in calls)
    charges = [one for adapter in adapters for mine in adapter.charges.values() for one in mine]
    begun = sorted(at for _, at in charges)
    # what a limit put off by a day is no part of the rush
    rush = [at for at in begun if at < NOW + OUTAGE + timedelta(days=1)]
    busiest = _busiest(begun)
    keys = [key for key, _ in charges]
    twice = sum(
        len(tries) > 1 and adapter.cards.pays(number_of(invoice))
        for adapter in adapters
        for invoice, tries in adapter.charges.items()
    )
    cards = _cards(adapters, due)
    broken = Counter(name for what, tries in cards for name, _ in violations(what, tries))
    reached = _reached(cards)
    overdue = f"state = 'scheduled' and scheduled_at <= '{now}'"
    left = _count(engine, f"attempts where {OPEN} or {overdue}")
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
    wrong += [f"{name}: broken by {count} attempts" for name, count in sorted(broken.items())]
    if twice or len(keys) != len(set(keys)):
        wrong.append(f"{twice} debts charged twice, {len(keys) - len(set(keys))} keys used twice")
    if left or len(begun) + waiting != due:
        wrong.append(f"{len(begun)} made, {waiting} wait, {left} are stuck, of {due}")
    if not begun or not waiting:
        wrong.append("nothing was charged, or no guard had to refuse: the proof proves nothing")
    wrong += [f"no card came to the limit: {name}" for name, count in reached.items() if not count]
    return Finding(
        wrong,
        {
            "due": due,
            "charged": len(begun),
            "waiting_for_a_guard": waiting,
            "budget_per_minute": per_minute,
            "busiest_minute": busiest,
            "minutes": round((rush[-1] - rush[0]) / MINUTE, 1) if rush else 0,
            "calls_while_away": asked_in_vain,
            "guard_violations": broken.total(),
            "cards_at_a_limit": reached,
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


def _cards(adapters, due):
    """Each card with everyone's tries on it, in order, as the independent checker reads them."""
    found = defaultdict(list)
    for number in range(due):
        adapter = adapters[number % len(adapters)]
        tries = found[number % len(adapters), adapter.cards.instrument(number)]
        tries.append(_tried(number, BEFORE, "merchant", False))
        paid = adapter.cards.pays(number)
        made = adapter.charges.get(f"in_{number}", ())
        tries += [_tried(number, at, "tinko", paid) for _, at in made]
    networks = {True: "mastercard", False: "visa"}
    return [
        (
            Instrument("stripe", "card", networks[card.startswith("shared")], "US", CURRENCY,
                       "US", None, False),
            sorted(tries, key=lambda one: one.at),
        )
        for (_, card), tries in found.items()
    ]  # fmt: skip


def _tried(debt, at, actor, paid):
    second = int(at.timestamp())
    state = "succeeded" if paid else "failed"
    return Tried(second, actor, debt, AMOUNT, CURRENCY, second, state)


def _reached(cards):
    """How many Mastercards were tried as often as they may be: a limit that nothing comes near
    holds nothing up."""
    spans = {f"{A_DAY} in 24 hours": (A_DAY, DAY), f"{A_MONTH} in 30 days": (A_MONTH, 30 * DAY)}
    return {
        name: sum(
            any(
                sum(one.at - span < other.at <= one.at for other in tries) == most
                for one in tries
                if one.actor == "tinko"
            )
            for what, tries in cards
            if what.network == "mastercard"
        )
        for name, (most, span) in spans.items()
    }


def _first_due(engine):
    with unit_of_work(engine) as connection:
        return connection.scalar(
            text("select min(scheduled_at) from attempts where state = 'scheduled'")
        )


def _burnt(engine):
    return {
        "keys": _count(engine, "idempotency_keys"),
        "counts": _count(engine, "guard_counters where state <> 'failed'"),
        "attempts": _count(engine, "attempts where actor = 'tinko' and state <> 'scheduled'"),
    }


def _count(engine, what):
    with unit_of_work(engine) as connection:
        return connection.scalar(text(f"select count(*) from {what}"))
