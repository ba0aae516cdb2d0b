"""Carry out the plan: export, upload, read back, verify, manifest, detach, drop.

Where a month is, stands in `archives`; every step may be cut off by a kill, and the next run goes
on from there. Up to `verified` the partition is untouched. A drop happens in one transaction that
locks the detached table, counts and sums it up again, and holds that against the manifest.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from tinko_pipelines.core.archival import checksums, export, manifest, records, verify
from tinko_pipelines.core.archival.columns import Column, read_columns
from tinko_pipelines.core.archival.exclusive import Exclusive, exclusive
from tinko_pipelines.core.archival.manifest import Manifest
from tinko_pipelines.core.archival.model import (
    ON_ITS_WAY,
    ArchiveNotVerified,
    ArchiveState,
    Record,
    Target,
)
from tinko_pipelines.core.archival.plan import Action, Policy, Step, plan
from tinko_pipelines.core.archival.records import Hand
from tinko_pipelines.core.archival.store import ArchiveStore
from tinko_pipelines.core.archival.survey import look, survey
from tinko_pipelines.core.clock import Clock, DatabaseClock, WallClock
from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.engine import libpq_url, unit_of_work
from tinko_pipelines.core.db.tables import PARTITIONED
from tinko_pipelines.core.errors import Conflict
from tinko_pipelines.core.recovery.points import Point, no_point
from tinko_pipelines.core.settings import Settings

log = logging.getLogger(__name__)


class StillRead(Conflict):
    """A transaction that is older than the detach still looks at the table. It is pending, and the
    next run ends it."""

    code, title = "archive_still_read", "The table is still being read"


@dataclass(frozen=True)
class Archivist:
    """What archival works with. `owner` detaches and drops, `worker` sees every tenant; `store` is
    None where no bucket is set. `carrying`: analytics is to carry rows before they leave."""

    owner: Engine
    worker: Engine
    store: ArchiveStore | None
    clock: Clock
    hand: Hand
    retention_days: int
    may_discard: bool = False
    carrying: bool = False
    wall: WallClock = WallClock()  # noqa: RUF009 (it has no state)
    point: Point = no_point
    lock_timeout: str = "60s"

    @classmethod
    def from_settings(
        cls, settings: Settings, owner: Engine, worker: Engine, actor: str
    ) -> Archivist:
        """Archival as the settings say."""
        return cls(
            owner=owner,
            worker=worker,
            store=ArchiveStore.from_settings(settings),
            clock=DatabaseClock(libpq_url(settings.database_worker_url)),
            hand=Hand.of(actor),
            retention_days=settings.partition_retention_days,
            may_discard=settings.archive_drop_without_store,
            carrying=settings.analytics_sink_type in ("clickhouse", "both"),
        )

    def with_store(self, store: ArchiveStore | None) -> Archivist:
        """The same over another bucket."""
        return replace(self, store=store)

    @property
    def dsn(self) -> str:
        return libpq_url(self.owner.url.render_as_string(hide_password=False))

    def policy(self) -> Policy:
        return Policy(
            now=self.clock.now(),
            wall=self.wall.now(),
            retention=timedelta(days=self.retention_days),
            has_store=self.store is not None,
            may_discard=self.may_discard,
        )

    def plan(self, only: Collection[Target] | None = None) -> list[Step]:
        """What a run would do now, with every month or those of `only`. Writes nothing."""
        policy = self.policy()
        with unit_of_work(self.worker) as connection:
            found = survey(connection, policy, carrying=self.carrying, only=only)
            return plan(found, policy)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one month: its state, or why it was left."""

    step: Step
    state: ArchiveState | None = None
    error: str | None = None
    rows: int = 0
    archive_bytes: int = 0


def run(archivist: Archivist, only: Collection[Target] | None = None) -> list[Done]:
    """Archive every month that the plan lets go, or those of `only` that it does.

    A month that fails is left for the next run and named in its `Done`; the others go on.
    Raises ArchiveBusy where another run is under way.
    """
    with exclusive(archivist.owner) as lock:
        archivist.point("locked")
        end_pending(archivist)
        return [_carry_out(archivist, one, lock) for one in archivist.plan(only)]


def end_pending(archivist: Archivist) -> list[str]:
    """End what a kill left half detached, and bring back every month that stands apart without a
    verified manifest; returns the names of what came back."""
    owner = archivist.owner
    for name in partitions.finalize_pending(owner, lock_timeout=archivist.lock_timeout):
        log.warning("the detach of %s was pending and is ended", name)
    with unit_of_work(owner) as connection:
        known = records.read(connection)
        apart = [
            Target(relation, month)
            for relation in PARTITIONED
            for month in partitions.apart(connection, relation)
        ]
    strays = [one for one in apart if one not in known or known[one].state not in ON_ITS_WAY]
    for one in strays:
        log.warning("%s stood apart and was not verified: it is attached again", one)
        with unit_of_work(owner) as connection:
            partitions.attach(connection, one.relation, one.month)
    return [one.partition for one in strays]


def _carry_out(archivist: Archivist, step: Step, lock: Exclusive) -> Done:
    if step.action is Action.HOLD:
        return Done(step)
    lock.require()
    try:
        if step.action is Action.DISCARD:
            return _discard(archivist, step, lock)
        return _Month(archivist, step, lock).archive()
    except Exception as error:  # named, logged and left as it stands: the next month goes on
        log.exception("%s is left for the next run", step.target)
        return Done(step, error=f"{type(error).__name__}: {error}")


@dataclass
class _Month:
    """One month's way out, from wherever it stands."""

    archivist: Archivist
    step: Step
    lock: Exclusive

    @property
    def target(self) -> Target:
        return self.step.target

    @property
    def store(self) -> ArchiveStore:
        assert self.archivist.store is not None
        return self.archivist.store

    def archive(self) -> Done:
        record = self._record()
        if record is None or record.state in (ArchiveState.EXPORTING, ArchiveState.RESTORED):
            found = self._export_and_verify()
        else:
            # what was verified by another process, perhaps long ago, is read back again
            found = verify.load_manifest(self.store, record)
            again = verify.read_back(self.store, self.target, found.parts, found.columns)
            verify.require_equal(self.target, found.checksums, again)
        self._detach()
        self._drop(found)
        return Done(self.step, ArchiveState.DROPPED, None, found.rows, found.size)

    def _record(self) -> Record | None:
        with unit_of_work(self.archivist.owner) as connection:
            return records.read(connection).get(self.target)

    def _export_and_verify(self) -> Manifest:
        archivist, target, point = self.archivist, self.target, self.archivist.point
        with unit_of_work(archivist.owner) as connection:
            records.begin(connection, target, archivist.hand, archivist.wall.now())
            columns = read_columns(connection, target.partition)
        point("recorded")
        self.store.clear(manifest.prefix(target))
        with tempfile.TemporaryDirectory(prefix="tinko-archive-") as folder:
            parts = export.export(archivist.dsn, target, columns, self.store, Path(folder), point)
        found = self._verified_manifest(columns, parts)
        body = found.dumps()
        key = manifest.manifest_key(target)
        self.store.put(key, body)
        point("manifest")
        if self.store.get(key) != body:
            raise ArchiveNotVerified(f"{key} is not what was stored")
        with unit_of_work(archivist.owner) as connection:
            records.verified(connection, target, found, manifest.sha256(body), archivist.wall.now())
            point("verifying")
        point("verified")
        return found

    def _verified_manifest(
        self, columns: list[Column], parts: list[manifest.StoredPart]
    ) -> Manifest:
        archivist, target = self.archivist, self.target
        archive = verify.read_back(self.store, target, parts, columns, archivist.point)
        with unit_of_work(archivist.owner) as connection:
            postgres = checksums.in_postgres(connection, target.partition, columns)
        verify.require_equal(target, postgres, archive)
        return Manifest(
            relation=target.relation,
            month=str(target.month),
            low=str(target.low),
            high=str(target.high),
            columns=tuple(columns),
            parts=tuple(parts),
            checksums=postgres,
            actor=archivist.hand.actor,
            tool_version=archivist.hand.tool_version,
            verified_wall=archivist.wall.now().isoformat(),
        )

    def _detach(self) -> None:
        archivist, target = self.archivist, self.target
        with unit_of_work(archivist.worker) as connection:
            attached = target.partition in partitions.standing(connection, target.relation)
            if attached:
                # hours may have gone by: a case may be open again
                policy = archivist.policy()
                _, holds = look(connection, target, policy, carrying=archivist.carrying)
                if holds:
                    raise Conflict(f"{target} stays: {', '.join(sorted(holds))}")
        if attached:
            self.lock.require()
            archivist.point("detaching")
            self._detach_concurrently()
        with unit_of_work(archivist.owner) as connection:
            records.move(connection, target, "detached", archivist.wall.now())
        archivist.point("detached")

    def _detach_concurrently(self) -> None:
        archivist, target = self.archivist, self.target
        try:
            partitions.detach(
                archivist.owner,
                target.relation,
                target.month,
                lock_timeout=archivist.lock_timeout,
            )
        except OperationalError as error:
            archivist.point("detach_pending")
            raise StillRead(
                f"{target.relation} is read by an older transaction: {target} is detached when"
                " the next run begins"
            ) from error

    def _drop(self, found: Manifest) -> None:
        archivist, target = self.archivist, self.target
        record = self._record()
        assert record is not None
        # over the network, so before the transaction
        if verify.load_manifest(self.store, record) != found:
            raise ArchiveNotVerified(f"{target}: the manifest is another one than was verified")
        self.lock.require()
        try:
            with _locked(archivist.owner, target) as connection:
                now = checksums.in_postgres(connection, target.partition, list(found.columns))
                verify.require_equal(target, now, found.checksums)
                columns = read_columns(connection, target.partition)
                if tuple(columns) != found.columns:
                    raise ArchiveNotVerified(f"{target}: its columns have changed")
                connection.execute(text(f"drop table {target.partition}"))
                records.move(connection, target, "dropped", archivist.wall.now())
                archivist.point("dropping")
        except ArchiveNotVerified:
            self._take_back()
            raise
        archivist.point("dropped")

    def _take_back(self) -> None:
        """Rows were written between the export and the detach: the month goes back, to be exported
        anew."""
        with unit_of_work(self.archivist.owner) as connection:
            partitions.attach(connection, self.target.relation, self.target.month)
            records.move(connection, self.target, "reopened", self.archivist.wall.now())


@contextmanager
def _locked(owner: Engine, target: Target) -> Iterator[Connection]:
    """A transaction in which nobody else touches the table."""
    with unit_of_work(owner) as connection:
        connection.execute(text("set local lock_timeout = '10s'"))
        connection.execute(text(f"lock table {target.partition} in access exclusive mode"))
        yield connection


def _discard(archivist: Archivist, step: Step, lock: Exclusive) -> Done:
    """Drop without an archive, where no bucket is set and the setting says so. A kill in between
    leaves the month apart, and the next run attaches it again."""
    target = step.target
    lock.require()
    partitions.detach(
        archivist.owner, target.relation, target.month, lock_timeout=archivist.lock_timeout
    )
    with _locked(archivist.owner, target) as connection:
        rows = connection.scalar(text(f"select count(*) from {target.partition}")) or 0
        connection.execute(text(f"drop table {target.partition}"))
        wall = archivist.wall.now()
        records.discarded(connection, target, rows, archivist.hand, wall)
    return Done(step, ArchiveState.DISCARDED, None, rows, 0)
