"""Which debt is meant: one obligation, however many PSP objects speak of it (rule 1)."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import NotFound
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.keys import our_keys
from tinko_pipelines.core.ledger.merging import merge
from tinko_pipelines.core.ledger.states import ObligationState
from tinko_pipelines.core.psp.types import Observation, Ref, RefKind

if TYPE_CHECKING:
    from tinko_pipelines.core.ledger.apply import Account


@dataclass(frozen=True, slots=True)
class Resolved:
    """The debt that is meant. `ties`: the attempts of those of its objects that are one, by object
    id; `is_new`: made just now; `merged`: out of several."""

    obligation_id: uuid.UUID
    ties: Mapping[str, uuid.UUID | None]
    is_new: bool = False
    merged: bool = False


# invoice > session or link > PaymentIntent or order > charge
_STRENGTH = {kind: rank for rank, kind in enumerate(RefKind)}


def resolve_obligation(
    connection: Connection, account: Account, seen: Observation, now: datetime
) -> Resolved | None:
    """The obligation `seen` speaks of: found, created, or merged out of several.

    None where nothing is known of it and too little is said to create it (no amount).
    """
    if not seen.refs:
        return None
    known = connection.execute(
        query("ledger", "known_refs"),
        {
            "connection_id": account.connection_id,
            "object_ids": [one.object_id for one in seen.refs],
        },
    ).all()
    # weaker than any object: the debt that a call of ours was made for
    strength = dict.fromkeys(_by_our_keys(connection, account, seen), len(_STRENGTH))
    for row in known:
        rank = _STRENGTH[RefKind(row.kind)]
        strength[row.obligation_id] = min(rank, strength.get(row.obligation_id, rank))
    # the strongest ref keeps the name; of equals the older, which its UUIDv7 tells
    by_strength = sorted(strength, key=lambda one: (strength[one], one))
    if len(by_strength) > 1:
        by_strength = _guests_first(connection, account, by_strength)
    keeper = by_strength[0] if by_strength else _create(connection, account, seen, now)
    if keeper is None:
        return None
    for folded in by_strength[1:]:
        merge(connection, keeper, folded, now)
    if len(known) < len(seen.refs):
        tie(connection, account, keeper, seen.refs)
    ties = {row.object_id: row.attempt_id for row in known}
    return Resolved(keeper, ties, is_new=not by_strength, merged=len(by_strength) > 1)


def tie(
    connection: Connection, account: Account, obligation_id: uuid.UUID, refs: Iterable[Ref]
) -> None:
    """Say that these objects at `account` stand for the debt; one that is tied stays where it is.

    Of a door at another PSP than the debt's nobody says so but us: call it before anything of
    that door is written.
    """
    named = list(refs)
    connection.execute(
        query("ledger", "add_refs"),
        {
            "connection_id": account.connection_id,
            "org_id": account.org_id,
            "obligation_id": obligation_id,
            "object_ids": [one.object_id for one in named],
            "kinds": [one.kind.value for one in named],
        },
    )


def refs_by_connection(
    connection: Connection, obligation_id: uuid.UUID
) -> dict[uuid.UUID, tuple[Ref, ...]]:
    """Every PSP object of a debt, by the connection it is at."""
    found: dict[uuid.UUID, list[Ref]] = defaultdict(list)
    for row in connection.execute(query("ledger", "refs_of"), {"obligation_id": obligation_id}):
        found[row.connection_id].append(Ref(RefKind(row.kind), row.object_id))
    return {one: tuple(refs) for one, refs in found.items()}


def refs_at(
    connection: Connection, obligation_id: uuid.UUID, connection_id: uuid.UUID
) -> tuple[Ref, ...]:
    """The PSP objects of a debt at one connection."""
    return refs_by_connection(connection, obligation_id).get(connection_id, ())


def debt_of(connection: Connection, connection_id: uuid.UUID, object_id: str) -> uuid.UUID:
    """The debt that an object at a connection stands for. Raises NotFound."""
    named = {"connection_id": connection_id, "object_ids": [object_id]}
    found = connection.execute(query("ledger", "known_refs"), named).one_or_none()
    if found is None:
        raise NotFound(f"nothing is known of {object_id} at the connection {connection_id}")
    debt: uuid.UUID = found.obligation_id
    return debt


def lock_surviving(connection: Connection, obligation_id: uuid.UUID) -> Row[Any]:
    """The debt, locked, or the one it was merged into, however often. Raises NoResultFound."""
    while True:
        debt = connection.execute(query("ledger", "lock_obligation"), {"id": obligation_id}).one()
        if debt.state != ObligationState.SUPERSEDED:
            return debt
        obligation_id = connection.scalar(query("ledger", "successor"), {"id": obligation_id})


def _guests_first(
    connection: Connection, account: Account, debts: list[uuid.UUID]
) -> list[uuid.UUID]:
    """Those that are at home at another PSP first: a door here was opened for them, and what was
    taken for a debt of this account's own is that door's."""
    rows = connection.execute(query("ledger", "homes_of"), {"ids": debts})
    homes = {row.id: row.connection_id for row in rows}
    return sorted(debts, key=lambda one: homes[one] == account.connection_id)


def _by_our_keys(connection: Connection, account: Account, seen: Observation) -> list[uuid.UUID]:
    """The debts our own payments in `seen` were made for: what such a payment speaks of is the
    same debt, though no object has said so yet."""
    keys = sorted({key for one in seen.payments for key in our_keys(one)})
    if not keys:
        return []
    rows = connection.scalars(
        query("ledger", "debts_by_key"), {"connection_id": account.connection_id, "keys": keys}
    )
    return list(rows)


def due_rank(seen: Observation) -> int:
    """How strong the object is that names `seen.due`; weakest where it does not say."""
    return _STRENGTH[seen.due_from] if seen.due_from is not None else len(_STRENGTH)


def _create(
    connection: Connection, account: Account, seen: Observation, now: datetime
) -> uuid.UUID | None:
    first = min(seen.payments, key=lambda one: one.occurred_at, default=None)
    due = seen.due if seen.due is not None else first and first.amount
    currency = seen.currency or (first and first.currency)
    if due is None or currency is None:
        return None
    obligation_id = new_id(now)
    connection.execute(
        query("ledger", "create_obligation"),
        {
            "id": obligation_id,
            "org_id": account.org_id,
            "connection_id": account.connection_id,
            "psp": account.psp,
            "due": due,
            "due_rank": due_rank(seen),
            "currency": currency,
            "created_at": seen.created_at or (first.occurred_at if first else now),
            "now": now,
        },
    )
    return obligation_id
