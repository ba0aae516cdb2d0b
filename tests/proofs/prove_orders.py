"""However the events of a debt arrive, the ledger ends the same; and paid is never charged again.

Thousands of lifecycles (lifecycles.py) are told in order, then shuffled after their end, then
delayed with reads in between, some twice and some never, what is missing being healed by a
listing; then hypothesis tells them as it likes (order_machine.py). The books of the lifecycles
themselves are held against every one of them.
"""

from __future__ import annotations

import contextlib
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text

from tests.postgres import migrated_postgres
from tests.proofs.harness import Finding, register
from tests.proofs.ledger_view import refused, standing
from tests.proofs.lifecycles import DUE, START, Life, Ours, S
from tests.proofs.order_machine import END, Ledgers, Told, tell
from tests.proofs.replay import Delivery, Replay, Slots
from tinko_pipelines.core.db.engine import make_engine
from tinko_pipelines.local.postgres import EmbeddedPostgres

SLOT = 6 * 3600  # seconds of business time whose deliveries are one pass
SHOWN = 5


@register("orders")
def orders(
    lives: int = 3000, shuffles: int = 1, delays: int = 2, examples: int = 100, seed: int = 1
) -> Finding:
    """`lives` lifecycles in order, then `shuffles` and `delays` times otherwise, then `examples` of
    the state machine, each of 30 lives."""
    with _server() as ledgers:
        found = orders_on(ledgers, lives, shuffles, delays, seed)
        drawn = machine_on(ledgers, lives, examples, at_once=30, steps=40, seed=seed)
    return Finding([*found.wrong, *drawn.wrong], {**found.numbers, "drawn": drawn.numbers})


def machine_on(
    ledgers: Ledgers,
    lives: int,
    examples: int,
    at_once: int,
    steps: int,
    seed: int,
    shrink: bool = True,
) -> Finding:
    """`examples` of hypothesis's, each of `at_once` of the `lives` and up to `steps` steps."""
    life_of = {number: Life(number, seed) for number in range(lives)}
    with ledgers() as engine:
        Replay(engine, life_of, START).run(_in_order(life_of, random.Random(0))[0], lambda: False)
        in_order = standing(engine)

    def differences(life: Life, found: Mapping[int, Any]) -> list[str]:
        return list(_compare(f"life {life.number}", life, found, in_order))

    told = Told(ledgers, life_of, differences, at_once)
    wrong = []
    try:
        tell(told, examples, steps, shrink=shrink)
    except AssertionError as error:
        wrong.append(f"the state machine: {error}")
    return Finding(wrong, told.counts)


def orders_on(ledgers: Ledgers, lives: int, shuffles: int, delays: int, seed: int) -> Finding:
    """The same on ledgers that are given; each call of `ledgers` opens an empty one."""
    told = {number: Life(number, seed) for number in range(lives)}
    wrong: list[str] = []
    events = tries = 0
    in_order: dict[int, Any] = {}
    modes = ["in order", *["shuffled"] * shuffles, *["delayed"] * delays]
    for turn, mode in enumerate(modes):
        draw = random.Random(f"{seed}:{turn}")
        with ledgers() as engine:
            slots, healed = _SLOTS[mode](told, draw)
            replay = Replay(engine, told, START)
            replay.run(slots, lambda draw=draw: draw.random() < 0.5)  # type: ignore[misc]
            for number in healed:
                replay.find(told[number])
            replay.think()
            found = standing(engine)
            tried, accepted = refused(engine, END)
        events += sum(len(deliveries) for _, deliveries, _ in slots)
        tries += tried
        if accepted:
            wrong.append(f"{mode} {turn}: SQL took {accepted} tries on debts not to be charged")
        in_order = in_order or found
        for number, life in told.items():
            wrong += _compare(f"{mode} {turn}, life {number}", life, found, in_order)
    return Finding(
        wrong[:SHOWN], {"events": events, "refused": tries, "orders": len(modes),
                        "differences": len(wrong)},
    )  # fmt: skip


def _compare(
    where: str, life: Life, found: Mapping[int, Any], in_order: Mapping[int, Any]
) -> Iterator[str]:
    debts, expected = found.get(life.number, []), in_order.get(life.number, [])
    if len(debts) != 1:
        yield f"{where}: stands in {len(debts)} debts"
        return
    debt = debts[0]
    for name, value in _truth(life).items():
        if debt[name] != value:
            yield f"{where}: {name} is {debt[name]}, in the PSP's books {value}"
    if len(expected) != 1:
        return
    for name, value in expected[0].items():
        if name == "case" and not (_failed(life) or (debt[name] and value)):
            # a failure that was over before anybody heard of it opens no case
            continue
        if debt[name] != value:
            yield f"{where}: {name} is {debt[name]}, in order {value}"
    if debt["state"] == "paid":
        planned = [one for one in debt["attempts"] if one[2] in ("scheduled", "claimed")]
        if planned:
            yield f"{where}: paid, and {planned} is planned"


def _truth(life: Life) -> dict[str, Any]:
    last = {name: kept[-1][1] for name, kept in life.versions.items()}
    won = [one for one in last.values() if one.status is S.SUCCEEDED]
    taken = sum(one.amount for one in won)
    paid = max(taken, DUE if life.told_paid else 0)
    given_up = life.given_up[1] if life.given_up else None
    return {
        "state": "paid" if paid >= DUE else given_up or "open",
        "money": (DUE, paid, sum(one.refunded or 0 for one in won)),
        "objects": sorted(ref.object_id for part in life.parts for ref in part.refs),
    }


def _failed(life: Life) -> bool:
    return any(kept[-1][1].status is S.FAILED for kept in life.versions.values())


# --- orders ---------------------------------------------------------------------------------------

Lives = Mapping[int, Life]


def _in_order(told: Lives, draw: random.Random) -> tuple[Slots, list[int]]:
    return _slots(told, {
        (number, place): event.at
        for number, life in told.items()
        for place, event in enumerate(life.events)
    }, []), []  # fmt: skip


def _shuffled(told: Lives, draw: random.Random) -> tuple[Slots, list[int]]:
    """All of it after the end; what we try to collect we know by its first event."""
    at: dict[tuple[int, int], datetime] = {}
    for number, life in told.items():
        for place, event in enumerate(life.events):
            known = place == 0 and life.ours
            at[number, place] = event.at if known else END + timedelta(hours=draw.randrange(14))
    return _slots(told, at, _again(at, draw, 0.1)), []


def _delayed(told: Lives, draw: random.Random) -> tuple[Slots, list[int]]:
    """Each up to weeks late, some twice, some never: those a listing at the end heals."""
    at: dict[tuple[int, int], datetime] = {}
    dropped: set[int] = set()
    for number, life in told.items():
        for place, event in enumerate(life.events):
            if place and not event.keeps and draw.random() < 0.12:
                dropped.add(number)
                continue
            late = 0.0 if place == 0 or draw.random() < 0.3 else draw.expovariate(1 / 120)
            at[number, place] = min(event.at + timedelta(hours=late), END - timedelta(hours=1))
    return _slots(told, at, _again(at, draw, 0.2), healed=sorted(dropped)), sorted(dropped)


_SLOTS = {"in order": _in_order, "shuffled": _shuffled, "delayed": _delayed}


def _again(
    at: Mapping[tuple[int, int], datetime], draw: random.Random, share: float
) -> list[tuple[tuple[int, int], datetime]]:
    return [
        (key, min(when + timedelta(hours=draw.randrange(1, 200)), END + timedelta(hours=14)))
        for key, when in at.items()
        if draw.random() < share
    ]


def _slots(
    told: Lives,
    at: Mapping[tuple[int, int], datetime],
    again: list[tuple[tuple[int, int], datetime]],
    *,
    healed: list[int] = [],  # noqa: B006 (never written)
) -> Slots:
    """Deliveries by the hours at whose end they are worked off, and our own tries."""
    found: dict[datetime, tuple[list[Delivery], list[tuple[int, Ours]]]] = defaultdict(
        lambda: ([], [])
    )
    for (number, place), when in [*at.items(), *again]:
        found[_slot(when)][0].append(Delivery(number, place, told[number].events[place].at))
    for number, life in told.items():
        for one in life.ours:
            # between two slots: what it knows is in the ledger, and what came of it is not
            found[one.at][1].append((number, one))
    if healed:
        found[END + timedelta(hours=20)][0].extend(Delivery(number, None, END) for number in healed)
    return [(when, *found[when]) for when in sorted(found)]


def _slot(when: datetime) -> datetime:
    if when >= END:
        return when
    return datetime.fromtimestamp((when.timestamp() // SLOT + 1) * SLOT, UTC)


@contextlib.contextmanager
def _server() -> Iterator[Ledgers]:
    """A Postgres of its own, with an empty migrated ledger for each order."""
    template = "orders_template"
    weeks = (START + timedelta(weeks=week) for week in range(20))
    with migrated_postgres(weeks, template) as server:
        yield lambda: _ledger(server, template)


@contextlib.contextmanager
def _ledger(server: EmbeddedPostgres, template: str) -> Iterator[Engine]:
    name = f"orders_{datetime.now(UTC).strftime('%H%M%S%f')}"
    server.create_database(name, template)
    owner = make_engine(server.url("tinko_owner", name), pooled=False)
    with owner.connect() as connection:
        # nothing here has to outlive a power cut
        connection.execute(text(f"alter database {name} set synchronous_commit = off"))
        connection.commit()
    owner.dispose()
    engine = make_engine(server.url("tinko_worker", name), pool_size=2)
    try:
        yield engine
    finally:
        engine.dispose()
        server.drop_database(name)
