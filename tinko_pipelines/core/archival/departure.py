"""One month's way out: export, upload, read back, verify, manifest, detach, drop.

Up to `verified` the partition is untouched. The drop is one transaction that locks the detached
table, counts and sums it up again, and holds that against the manifest.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from tinko_pipelines.core.archival import checksums, export, manifest, records, verify
from tinko_pipelines.core.archival.archivist import Archivist
from tinko_pipelines.core.archival.columns import Column, read_columns
from tinko_pipelines.core.archival.exclusive import Exclusive
from tinko_pipelines.core.archival.manifest import Manifest
from tinko_pipelines.core.archival.model import ArchiveNotVerified, ArchiveState, Record, Target
from tinko_pipelines.core.archival.plan import Step
from tinko_pipelines.core.archival.store import ArchiveStore
from tinko_pipelines.core.archival.survey import look
from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import Conflict


class StillRead(Conflict):
    """A transaction that is older than the detach still looks at the table. It is pending, and the
    next run ends it."""

    code, title = "archive_still_read", "The table is still being read"


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one month: its state, or why it was left."""

    step: Step
    state: ArchiveState | None = None
    error: str | None = None
    rows: int = 0
    archive_bytes: int = 0


@dataclass
class Departure:
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
            with locked(archivist.owner, target) as connection:
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
def locked(owner: Engine, target: Target) -> Iterator[Connection]:
    """A transaction in which nobody else touches the table."""
    with unit_of_work(owner) as connection:
        connection.execute(text("set local lock_timeout = '10s'"))
        connection.execute(text(f"lock table {target.partition} in access exclusive mode"))
        yield connection
