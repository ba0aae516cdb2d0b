"""What the app says of a row that is in the archive: where it is, and how to bring it back."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import Connection

from tinko_pipelines.core.archival.model import Archived, ArchiveState
from tinko_pipelines.core.db.queries import query

# PARTITION_RETENTION_DAYS is no less than this: what is younger is in the ledger, and not asked for
MAY_BE_ARCHIVED = timedelta(days=31)


def raise_if_archived(connection: Connection, relation: str, row_id: uuid.UUID) -> None:
    """Raises Archived where the month of this id left the ledger; call it where a row is missing.

    It does not say that such a row was there: ids name their month, and another tenant's is as
    unknown as one that never was.
    """
    found = connection.execute(
        query("archival", "gone_month"), {"relation": relation, "id": row_id}
    ).one_or_none()
    if found is not None:
        raise Archived(
            _said(f"{row_id} is not in the ledger any more, if it ever was",
                  relation, found.month, found.state),
            month=found.month,
        )  # fmt: skip


def refuse_archived_debt(connection: Connection, obligation_id: uuid.UUID) -> None:
    """Raises Archived where attempts of a debt are in the archive.

    What a PSP says of such a debt must not be counted without them: its money would come out
    wrong. The event is set aside with this reason; once the month is back, it is worked off.
    """
    found = connection.execute(
        query("archival", "gone_attempts"), {"obligation_id": obligation_id}
    ).all()
    if found:
        months = ", ".join(one.month for one in found)
        raise Archived(
            _said(f"attempts of the debt {obligation_id} are not in the ledger",
                  "attempts", found[0].month, found[0].state),
            month=months,
        )  # fmt: skip


def _said(what: str, relation: str, month: str, state: str) -> str:
    if state == ArchiveState.DISCARDED:
        return f"{what}: {relation} of {month} were dropped when their retention ended"
    return (
        f"{what}: {relation} of {month} are in the archive. `tinko archive restore {relation}"
        f" {month}` brings them back"
    )
