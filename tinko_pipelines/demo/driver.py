"""The driver: moves business time hour by hour and materialises what has work to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from tinko_pipelines.core.analytics import watermark
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.partitions import Month
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.defs.archival.assets import ASSETS as ARCHIVES
from tinko_pipelines.defs.ingestion.jobs import LISTINGS, SETTLEMENTS
from tinko_pipelines.defs.platform import Platform
from tinko_pipelines.defs.quality.jobs import ALWAYS
from tinko_pipelines.defs.reconciliation.jobs import RECONCILIATIONS
from tinko_pipelines.demo.carrier import Carrier
from tinko_pipelines.demo.runner import Runner
from tinko_pipelines.local.bootstrap import Sandbox

HOUR = timedelta(hours=1)
CHECKED = {
    "failed_checks": dg.AssetCheckSeverity.ERROR,
    "warned_checks": dg.AssetCheckSeverity.WARN,
}


@dataclass
class Driver:
    """Runs the same jobs as the daemon, only where the sensors would ring: in this process, but for
    the daily carry, which is the `carrier`'s."""

    sandbox: Sandbox
    runner: Runner
    carrier: Carrier
    platform: Platform = field(default_factory=Platform)
    step_errors: int = 0
    recovered: list[tuple[datetime, dict[str, int]]] = field(default_factory=list)

    def hour(self, to: datetime, *, charging: bool = True) -> None:
        """One step: the world moves to `to`, its webhooks arrive, and we do what has work.

        What a step finds, the ones after it have to do with, so they are in the same run.
        """
        self.step_errors += self.sandbox.call("POST", "advance", to=to.isoformat())["errors"]
        work = self._count("demo", "work", now=to)
        names: list[str] = []
        for name in ("events", "failures", "cases", "decisions")[: 4 if charging else 3]:
            if names or getattr(work, name):
                names.append(name)
        if charging and work.attempts:
            names.append("attempts")
        if charging and (work.payer_messages or "decisions" in names):
            names.append("payer_messages")
        self.runner.steps(*names)

    def day(self, to: datetime, *, lookback_days: int) -> None:
        """Once a virtual day: list what webhooks missed and what was settled, and have it carried
        and built."""
        config = {"config": {"lookback_days": lookback_days}}
        listings = dict.fromkeys([*LISTINGS, *SETTLEMENTS], config)
        self.runner.job("heal", listings, partition_key=_before(to))
        self.runner.steps("events", "failures", "cases", "attempt_outcomes")
        self.carrier.carry()
        self.recovered.append((to, self._recovered()))

    def reconcile(self, to: datetime, *, lookback_days: int) -> None:
        """Hold the books of the day before `to`, and of those ahead of it, against each other."""
        config = {"config": {"lookback_days": lookback_days}}
        ops = dict.fromkeys(RECONCILIATIONS, config)
        self.runner.job("reconcile", ops, partition_key=_before(to))

    def carry(self) -> None:
        """The whole ledger to ClickHouse, and every mart.

        A watermark stops below the oldest open transaction: nothing may be left behind it.
        """
        self.runner.job("analytics")
        while watermark.waiting(self.platform.engine):
            self.runner.job("analytics")

    def check(self) -> dict[str, list[str]]:
        """All rows against their suites: the checks that refused rows, and those that only warn."""
        failed = [one for one in self.runner.job("quality", ALWAYS["ops"]) if not one.passed]
        return {
            name: sorted(one.check_name for one in failed if one.severity is severity)
            for name, severity in CHECKED.items()
        }

    def archive(self, month: Month) -> None:
        """Let a closed month go: this is no dry run."""
        config = {"config": {"dry_run": False}}
        self.runner.job("archive", dict.fromkeys(ARCHIVES, config), partition_key=f"{month}-01")

    @property
    def now(self) -> datetime:
        return self.platform.clock.now()

    def _recovered(self) -> dict[str, int]:
        with unit_of_work(self.platform.engine) as connection:
            rows = connection.execute(query("demo", "recovered"))
            return {row.currency: int(row.minor) for row in rows}

    def _count(self, feature: str, name: str, **values: Any) -> Any:
        with unit_of_work(self.platform.engine) as connection:
            return connection.execute(query(feature, name), values).one()


def _before(to: datetime) -> str:
    """The partition of the day that ended at `to`."""
    return (to - timedelta(days=1)).date().isoformat()
