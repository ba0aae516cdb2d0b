"""Every month of every partitioned table as it stands, and what holds the old ones back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import Connection, text

from tinko_pipelines.core.archival import records
from tinko_pipelines.core.archival.model import (
    DISPUTE_WINDOW,
    ON_ITS_WAY,
    Hold,
    Record,
    Standing,
    Target,
)
from tinko_pipelines.core.archival.plan import Policy, is_old
from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.db.tables import PARTITIONED
from tinko_pipelines.core.ids import id_floor
from tinko_pipelines.core.ledger.states import (
    ACTIVE_CASES,
    COLLECTIBLE,
    OPEN_ATTEMPTS,
    AttemptState,
    CaseState,
)

SIZE = text(
    "select pg_total_relation_size(c.oid) as bytes, greatest(c.reltuples, 0)::bigint as rows"
    " from pg_class as c where c.oid = to_regclass(:name)"
)
# an attempt's row may be older than its capture: by a late authorisation, a debit that takes days
_CAPTURE_DELAY = timedelta(days=62)
# what the query of each relation's own rows takes beside its bounds
_ASKED = {
    "attempts": ("unfinished", "carrying"),
    "inbox_events": (),
    "notification_deliveries": ("carrying",),
}
_OPEN_CASES = sorted(one.value for one in {*ACTIVE_CASES, CaseState.DISPUTED})
_UNFINISHED = sorted(one.value for one in {*OPEN_ATTEMPTS, AttemptState.SCHEDULED})


def survey(
    connection: Connection,
    policy: Policy,
    *,
    carrying: Sequence[str],
    only: Collection[Target] | None = None,
) -> list[Standing]:
    """Months that are attached, and those a broken-off run has left apart. `connection` sees every
    tenant (tinko_worker); `carrying`: the analytics targets that are to have the ledger before it
    leaves; `only`: no other month is looked at.

    The rows of a month that is too young are the planner's estimate, of any other counted.
    """
    known = records.read(connection)
    found = list(_attached(connection, policy, known, carrying, only))
    there = {one.target for one in found}
    for target, record in known.items():
        apart = target not in there and record.state in ON_ITS_WAY
        apart = apart and (only is None or target in only)
        if apart and partitions.exists(connection, target.partition):
            size = connection.execute(SIZE, {"name": target.partition}).one()
            found.append(Standing(target, False, record.rows or 0, size.bytes, record))
    return found


def _attached(
    connection: Connection,
    policy: Policy,
    known: Mapping[Target, Record],
    carrying: Sequence[str],
    only: Collection[Target] | None,
) -> Iterator[Standing]:
    for relation in PARTITIONED:
        for name in partitions.standing(connection, relation):
            month = partitions.month_in(name, relation)
            if month is None:
                continue
            target = Target(relation, month)
            if only is not None and target not in only:
                continue
            size = connection.execute(SIZE, {"name": name}).one()
            if is_old(target, policy):
                rows, holds = look(connection, target, policy, carrying=carrying)
            else:
                rows, holds = size.rows, {}
            yield Standing(target, True, rows, size.bytes, known.get(target), holds)


def look(
    connection: Connection, target: Target, policy: Policy, *, carrying: Sequence[str]
) -> tuple[int, dict[Hold, int]]:
    """The rows of a month, and how many rows or debts each reason keeps here."""
    bounds = {"low": target.low, "high": target.high}
    extra = {"unfinished": _UNFINISHED, "carrying": list(carrying)}
    own = query("archival", f"rows_held_{target.relation}")
    wanted = {name: extra[name] for name in _ASKED[target.relation]}
    counted = dict(connection.execute(own, bounds | wanted).mappings().one())
    since = policy.now - DISPUTE_WINDOW
    debts = connection.execute(
        query("archival", "debts_held"),
        {
            **bounds,
            "relation": target.relation,
            "disputable_after": since,
            "disputable_low": id_floor(since - _CAPTURE_DELAY),
            "collectible": sorted(one.value for one in COLLECTIBLE),
            "open_cases": _OPEN_CASES,
        },
    )
    rows = counted.pop("rows")
    counts = counted | dict(debts.mappings().one())
    return rows, {Hold(name): count for name, count in counts.items() if count}
