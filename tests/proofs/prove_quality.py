"""Bad rows of every kind, planted one of each among many good ones: each is caught by the check
that owns it and by no other, and of the good ones none is."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.proofs.harness import Finding, register
from tests.proofs.plantings import BEFORE_THE_LOAD, Planting
from tests.proofs.quality_stage import Store, clickhouse, folder, postgres
from tests.proofs.quality_world import FAILED, World
from tests.proofs.store_plantings import IN_THE_STORE
from tinko_pipelines.core.analytics import sink, watermark
from tinko_pipelines.core.analytics.compare import mart_vs_ledger
from tinko_pipelines.core.analytics.errors import DbtFailed
from tinko_pipelines.core.analytics.targets import ClickHouse
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.db.tables.ledger import obligations
from tinko_pipelines.core.inbox.process import process_inbox
from tinko_pipelines.core.quality import batch, stores
from tinko_pipelines.core.quality.quarantine import held

Found = dict[str, tuple[str, ...]]  # the checks that refused each key


def plant(
    world: World, plantings: Sequence[Planting], first: int, seed: int
) -> dict[str, Planting]:
    """Spoil one row for each, of failed debts from `first` on, drawn by `seed`; by key."""
    draw = random.Random(f"quality {seed}")
    failed = draw.sample([one for one in sorted(world.opened) if one >= first], len(plantings))
    keys = {}
    for one, number in zip(plantings, failed, strict=True):
        keys[one.plant(world, number)] = one
    return keys


def checked(world: World) -> tuple[Found, list[batch.Checked]]:
    """Work off the inbox and check every frame; what is in quarantine then."""
    process_inbox(world.engine, world.desk(), world.clock)
    done, _ = batch.check(world.engine, world.clock)
    with unit_of_work(world.engine) as connection:
        rows = held(connection, limit=10_000)
    return {row["key"]: tuple(row["reasons"]) for row in rows}, done


def differences(keys: dict[str, Planting], found: Found) -> Iterator[str]:
    """Each planting that its owner did not catch, or another did; each good row that was caught."""
    for key, one in keys.items():
        caught = found.get(key, ())
        if caught != (one.owner,):
            yield f"{one.name} ({one.frame}) is {one.owner}'s: caught by {caught or 'nobody'}"
    for key in sorted(set(found) - set(keys)):
        yield f"a good row was refused: {key} by {', '.join(found[key])}"


def before_the_load(world: World, plantings: Sequence[Planting], rows: int, seed: int) -> list[str]:
    """One round: a clean world is let through whole, then each planting is caught by its owner."""
    first = len(world.debts)
    world.fill(max(rows, FAILED * (len(plantings) + 1)))
    clean, done = checked(world)
    known = frozenset(world.planted)
    wrong = [
        f"a good row was refused: {key} by {', '.join(why)}"
        for key, why in clean.items()
        if key not in known
    ]
    wrong += [
        f"a clean world fails {answer.ask.name}"
        for one in done
        for answer in one.answers()
        if not answer.passed
    ]
    keys = plant(world, plantings, first, seed)
    found, done = checked(world)
    found = {key: why for key, why in found.items() if key not in known}
    world.planted |= set(keys)
    wrong += [f"{one.frame} was stopped" for one in done if one.stopped]
    wrong += differences(keys, found)
    owners = Counter(one.owner for one in plantings if one.layer == "suite")
    for one in done:
        for answer in one.answers():
            if len(answer.refused) != owners[answer.ask.name]:
                wrong.append(f"{answer.ask.name} refused {len(answer.refused)} rows")
    return wrong


class Rounds:
    """Carries and builds, and remembers which tests of dbt failed, with how many rows."""

    def __init__(self, world: World, store: Store) -> None:
        self.world, self.store = world, store

    def carry(self) -> None:
        """Everything since the last time, as runs of the analytics job do: one stops below the
        oldest transaction that is open, as Postgres's own ANALYZE may be."""
        while watermark.waiting(self.world.engine):
            sink.run(self.world.engine, ClickHouse(self.store.client), self.world.clock)

    def build(self) -> dict[str, int]:
        """The tests that did not pass, by name, with the rows each found."""
        try:
            nodes = self.store.project.build()
        except DbtFailed as error:
            nodes = error.nodes
        wanting = [
            one
            for one in nodes
            if one.kind in ("model", "test") and one.status not in ("pass", "success", "skipped")
        ]
        return {one.name: _rows(one.message) for one in wanting}

    def stores(self) -> dict[str, int]:
        """What the native checks of both stores say, as the definitions of Dagster ask them."""
        engine, client = self.world.engine, self.store.client
        gaps = stores.rows_of_both(engine, client, self.world.clock.now())
        found = {
            "no_row_is_lost": sum(one.least - one.found for one in gaps if one.lost),
            "no_row_is_doubled": sum(one.found - one.most for one in gaps if not one.lost),
            # whether it differs: one spoiled column shows on every day of the mart
            "mart_matches_ledger": int(bool(mart_vs_ledger(engine, client))),
        }
        return {name: rows for name, rows in found.items() if rows}


def _rows(message: str) -> int:
    told = re.search(r"Got (\d+) result", message)
    return int(told.group(1)) if told else -1


def in_the_store(world: World, store: Store, seed: int) -> list[str]:
    """What the checks before the load let through is carried and built without a complaint; then a
    row of each kind is spoiled in the store itself, and each is its owner's alone."""
    rounds = Rounds(world, store)
    rounds.carry()
    clean = rounds.build() | rounds.stores()
    wrong = [f"{name} fails on what was let through: {rows} rows" for name, rows in clean.items()]
    draw = random.Random(f"store {seed}")
    healthy = _untouched(world)
    chosen = {
        True: draw.sample([number for number in healthy if number in world.opened], 10),
        False: draw.sample([number for number in healthy if number not in world.opened], 10),
    }
    # a build reads the debts that changed, and holds the rows of the build before to account
    before = [(one, chosen[one.failed].pop()) for one in IN_THE_STORE if one.when == "before"]
    for _, number in before:
        world.spoil(obligations, world.debts[number], description="touched")
    rounds.carry()
    for one, number in before:
        one.plant(store.client, world, number)
    caught = Counter(rounds.build())
    for one in (one for one in IN_THE_STORE if one.when == "after"):
        told = Counter(rounds.stores())
        one.plant(store.client, world, chosen[one.failed].pop())
        caught += Counter(rounds.stores()) - told
    wanted = Counter(one.owner for one in IN_THE_STORE)
    for name in sorted({*wanted, *caught}):
        if caught[name] != wanted[name]:
            wrong.append(f"in the store, {name} refused {caught[name]} rows and not {wanted[name]}")
    return wrong


def _untouched(world: World) -> list[int]:
    """Debts of which nothing is in quarantine."""
    with unit_of_work(world.engine) as connection:
        hidden = set(connection.scalars(query("quality", "hidden_debts")))
    return [number for number, debt in enumerate(world.debts) if debt not in hidden]


@register("quality")
def quality(rows: int = 20_000, rounds: int = 3, seed: int = 1) -> Finding:
    """In each round a row of every kind is spoiled among `rows` debts more, and their listings."""
    wrong: list[str] = []
    with folder() as place, postgres() as engine, clickhouse(place) as store:
        world = World.open(engine)
        for number in range(rounds):
            found = before_the_load(world, BEFORE_THE_LOAD, rows, seed + number)
            wrong += [f"round {number + 1}: {one}" for one in found]
        wrong += in_the_store(world, store, seed)
    kinds = len(BEFORE_THE_LOAD) + len(IN_THE_STORE)
    by_layer = Counter(one.layer for one in (*BEFORE_THE_LOAD, *IN_THE_STORE))
    return Finding(wrong, {"kinds": kinds, "by_layer": dict(by_layer)})
