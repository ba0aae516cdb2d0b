"""Everybody's tries at some debts, each failure with its class.

A failure counts from the moment the ledger has it: one that no run has classified yet is given
here the class that it will get, so that nothing is decided or sent past it.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from tinko_pipelines.core.db.arrays import uuids
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.failures.classifier import ErrorInfo, Finder, classify
from tinko_pipelines.core.failures.overrides import overrides_of
from tinko_pipelines.core.settings import get_settings


class Try(NamedTuple):
    """A row of `attempt_views`, its columns in their order. `said`: what its PSP told of a failure
    that has no class yet."""

    obligation_id: uuid.UUID
    id: uuid.UUID
    org_id: uuid.UUID
    psp: str
    actor: str
    state: str
    payer_present: bool
    method: str
    network: str | None
    country: str | None
    instrument_key: str | None
    payment_method_ref: str | None
    psp_payment_id: str | None
    door_id: str | None
    at: datetime
    retry_advice: str | None
    hard: bool | None
    late_authorisation: bool | None
    network_decline_code: str | None
    network_advice_code: str | None
    category: str | None
    code: str | None
    reason: str | None
    advice_code: str | None
    notice_asked: bool
    said: Mapping[str, Any] | None


def tries_at(
    connection: Connection, obligation_ids: Sequence[uuid.UUID]
) -> Mapping[uuid.UUID, tuple[Try, ...]]:
    """The tries at each of some debts, oldest first."""
    rows: Sequence[Sequence[Any]] = connection.execute(
        query("recovery", "attempt_views"), {"obligation_ids": uuids(obligation_ids)}
    ).all()
    found = [Try._make(row) for row in rows]
    fresh = {one.org_id for one in found if one.said is not None}
    if fresh:
        rules = overrides_of(connection, fresh, get_settings().payment_failure_rules)
        found = [one if one.said is None else _classed(one, rules.get(one.org_id)) for one in found]
    tries: dict[uuid.UUID, list[Try]] = defaultdict(list)
    for one in found:
        tries[one.obligation_id].append(one)
    return {debt: tuple(tries[debt]) for debt in obligation_ids}


def _classed(one: Try, rules: Finder | None) -> Try:
    """As `failures` will say it (failures/store.py)."""
    error = ErrorInfo.of_attempt(one.psp, one.network, one.said)
    answer = classify(error, overrides=rules)
    return one._replace(
        retry_advice=answer.retry_advice.value,
        hard=answer.hard,
        late_authorisation=answer.late_authorisation,
        network_decline_code=error.network_decline_code,
        network_advice_code=error.network_advice_code,
        category=answer.category.value,
        code=error.decline_code or error.code,
        reason=error.reason,
    )
