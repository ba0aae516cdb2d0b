"""Bad rows in the analytics store itself: what the tests of dbt and the counts of both stores own.

Each is planted in ClickHouse behind the sink's back, among rows that passed every check before.
`found` is how many rows its owner then refuses.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from clickhouse_connect.driver.client import Client

from tests.proofs.quality_world import World

# mutations are waited for
NOW = "settings mutations_sync = 2"


@dataclass(frozen=True)
class StorePlanting:
    """`plant(client, world, number)` spoils a row of debt `number`; `when` is before the marts are
    built, or after."""

    name: str
    owner: str
    layer: str
    frame: str
    plant: Callable[[Client, World, int], None]
    when: str = "before"
    failed: bool = False  # needs a debt that failed; else one that never did


def _change(relation: str, key: str, ids: Callable[[World, int], uuid.UUID], to: str) -> Callable:
    def plant(client: Client, world: World, number: int) -> None:
        row = ids(world, number)
        client.command(f"alter table tinko.{relation} update {to} where {key} = '{row}' {NOW}")

    return plant


def _lost(client: Client, world: World, number: int) -> None:
    client.command(f"alter table tinko.attempts delete where id = '{world.tries[number]}' {NOW}")


def _extra(client: Client, world: World, number: int) -> None:
    client.command(
        # the inner query by its own id: the outer's is the new one already
        "insert into tinko.obligations select * replace(generateUUIDv7() as id) from"
        f" (select * from tinko.obligations final where id = '{world.debts[number]}')"
    )


def _mart(client: Client, world: World, number: int) -> None:
    client.command(f"alter table tinko.recovery_daily update failed = failed + 1 where 1 {NOW}")


NOBODY = uuid.UUID(int=404)


def _first(world: World, number: int) -> uuid.UUID:
    return world.tries[number]


IN_THE_STORE: tuple[StorePlanting, ...] = (
    StorePlanting(
        "an attempt of no debt", "attempts_find_their_debt", "dbt", "attempts",
        _change("attempts", "id", _first, f"obligation_id = '{NOBODY}'"),
    ),
    StorePlanting(
        "an attempt in other money than its debt", "attempts_share_their_debts_currency", "dbt",
        "attempts", _change("attempts", "id", _first, "currency = 'USD'"),
    ),
    StorePlanting(
        "a failure of no debt", "failures_find_their_debt", "dbt", "failures",
        _change("failures", "attempt_id", _first, f"obligation_id = '{NOBODY}'"), failed=True,
    ),
    StorePlanting(
        "a category on the way lost", "recovery_daily_is_classified", "dbt", "failures",
        _change("failures", "attempt_id", _first, "category = 'misc'"), failed=True,
    ),
    StorePlanting("a row that is lost", "no_row_is_lost", "stores", "attempts", _lost, "after"),
    StorePlanting(
        "a row that is nobody's", "no_row_is_doubled", "stores", "obligations", _extra, "after"
    ),
    StorePlanting(
        "a mart that counts one more", "mart_matches_ledger", "stores", "recovery_daily", _mart,
        "after",
    ),
)  # fmt: skip
