"""The rows of `archives`: where each month is on its way out. Written as tinko_owner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from sqlalchemy import Connection

from tinko_pipelines.core.archival.manifest import Manifest, manifest_key
from tinko_pipelines.core.archival.model import ArchiveState, Record, Target, read_month
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import Conflict

STEPS = frozenset({"begin", "verified", "detached", "dropped", "reopened", "discarded", "restored"})


@dataclass(frozen=True, slots=True)
class Hand:
    """Who runs archival, for the record: a person's name, or `dagster`."""

    actor: str
    tool_version: str

    @classmethod
    def of(cls, actor: str) -> Hand:
        try:
            return cls(actor, version("tinko-recovery"))
        except PackageNotFoundError:
            return cls(actor, "source")


def read(connection: Connection) -> dict[Target, Record]:
    """All records, by month."""
    found = {}
    for row in connection.execute(query("archival", "records")):
        target = Target(row.relation, read_month(row.month))
        found[target] = Record(
            target,
            ArchiveState(row.state),
            row.rows,
            row.bytes,
            row.manifest_key,
            row.manifest_sha256,
            row.restored_wall,
        )
    return found


def begin(connection: Connection, target: Target, hand: Hand, wall: datetime) -> None:
    """The month is being exported. Raises Conflict where it is verified or gone already."""
    _write(
        connection,
        "begin",
        target,
        low=target.low,
        high=target.high,
        actor=hand.actor,
        version=hand.tool_version,
        wall=wall,
    )


def verified(
    connection: Connection, target: Target, manifest: Manifest, sha256: str, wall: datetime
) -> None:
    _write(
        connection,
        "verified",
        target,
        rows=manifest.rows,
        bytes=manifest.size,
        manifest_key=manifest_key(target),
        manifest_sha256=sha256,
        wall=wall,
    )


def discarded(
    connection: Connection, target: Target, rows: int, hand: Hand, wall: datetime
) -> None:
    _write(
        connection,
        "discarded",
        target,
        low=target.low,
        high=target.high,
        rows=rows,
        actor=hand.actor,
        version=hand.tool_version,
        wall=wall,
    )


def move(connection: Connection, target: Target, step: str, wall: datetime) -> None:
    """`detached`, `dropped`, `reopened` or `restored`. Raises Conflict where the month's state does
    not lead there."""
    _write(connection, step, target, **({} if step == "reopened" else {"wall": wall}))


def _write(connection: Connection, step: str, target: Target, **values: Any) -> None:
    if step not in STEPS:
        raise ValueError(step)
    named = {"relation": target.relation, "month": str(target.month), **values}
    if connection.execute(query("archival", step), named).one_or_none() is None:
        raise Conflict(f"{target}: its state in the archive does not allow `{step}`")
