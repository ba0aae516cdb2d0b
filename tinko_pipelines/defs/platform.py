"""The one resource of the recovery assets: engines, clock and connections of this process."""

from __future__ import annotations

from functools import cached_property

import dagster as dg
from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock, DatabaseClock
from tinko_pipelines.core.db.engine import libpq_url, owner_engine, worker_engine
from tinko_pipelines.core.settings import Settings, get_settings
from tinko_pipelines.core.tenants.desk import Desk

OWNERS = ["team:data-ops"]


class Platform(dg.ConfigurableResource):
    """What assets and sensors work with; all of it comes from the environment's settings."""

    @property
    def settings(self) -> Settings:
        return get_settings()

    @property
    def engine(self) -> Engine:
        """As tinko_worker: sees every tenant."""
        return worker_engine()

    @property
    def owner(self) -> Engine:
        """As tinko_owner: partitions only."""
        return owner_engine()

    @cached_property
    def clock(self) -> Clock:
        """Business time; the wall where no `business_clock` row says otherwise."""
        return DatabaseClock(libpq_url(self.settings.database_worker_url))

    def desk(self) -> Desk:
        """The connections as they stand now."""
        return Desk(self.engine, self.settings)
