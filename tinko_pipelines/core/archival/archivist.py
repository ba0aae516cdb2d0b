"""What archival works with: engines by role, the bucket, the clocks, and who runs it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import Engine

from tinko_pipelines.core.analytics.targets import wanted
from tinko_pipelines.core.archival.model import Target
from tinko_pipelines.core.archival.plan import Policy, Step, plan
from tinko_pipelines.core.archival.records import Hand
from tinko_pipelines.core.archival.store import ArchiveStore
from tinko_pipelines.core.archival.survey import survey
from tinko_pipelines.core.clock import Clock, DatabaseClock, WallClock
from tinko_pipelines.core.db.engine import libpq_url, unit_of_work
from tinko_pipelines.core.recovery.points import Point, no_point
from tinko_pipelines.core.settings import Settings


@dataclass(frozen=True)
class Archivist:
    """What archival works with. `owner` detaches and drops, `worker` sees every tenant; `store` is
    None where no bucket is set. `carrying`: the analytics targets that are to have rows before
    they leave."""

    owner: Engine
    worker: Engine
    store: ArchiveStore | None
    clock: Clock
    hand: Hand
    retention_days: int
    may_discard: bool = False
    carrying: tuple[str, ...] = ()
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
            carrying=wanted(settings),
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
