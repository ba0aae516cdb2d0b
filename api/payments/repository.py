"""Reads of cases and obligations, inside a tenant's transaction."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import NotFound


def cases_page(
    connection: Connection, limit: int, before: UUID | None = None, state: str | None = None
) -> list[RowMapping]:
    """Up to `limit` cases, newest first, each with its obligation's money and last failure."""
    values = {"limit": limit, "before": before, "state": state}
    return list(connection.execute(query("overview", "cases_page"), values).mappings())


def case(connection: Connection, case_id: UUID) -> dict[str, Any]:
    """The case with its obligation, attempts, failures and decisions. Raises NotFound."""
    found = _one(connection, "case_by_id", case_id)
    if found is None:
        raise NotFound(f"there is no case {case_id}")
    debt = found["obligation_id"]
    return {
        **found,
        "obligation": _one(connection, "obligation_by_id", debt),
        "attempts": _all(connection, "obligation_attempts", debt),
        "failures": _all(connection, "obligation_failures", debt),
        "decisions": _all(connection, "case_decisions", case_id),
    }


def obligation(connection: Connection, obligation_id: UUID) -> dict[str, Any]:
    """The obligation with its refs, doors, attempts, failures and case. Raises NotFound."""
    found = _one(connection, "obligation_by_id", obligation_id)
    if found is None:
        raise NotFound(f"there is no obligation {obligation_id}")
    return {
        **found,
        "refs": _all(connection, "obligation_refs", obligation_id),
        "doors": _all(connection, "obligation_doors", obligation_id),
        "attempts": _all(connection, "obligation_attempts", obligation_id),
        "failures": _all(connection, "obligation_failures", obligation_id),
        "case": _one(connection, "obligation_case", obligation_id),
    }


def _one(connection: Connection, name: str, wanted: UUID) -> RowMapping | None:
    return connection.execute(query("overview", name), {"id": wanted}).mappings().first()


def _all(connection: Connection, name: str, wanted: UUID) -> list[RowMapping]:
    return list(connection.execute(query("overview", name), {"id": wanted}).mappings())
