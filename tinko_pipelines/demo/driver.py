"""The driver: moves business time hour by hour and materialises what has work to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import dagster as dg

from tinko_pipelines.core.analytics import watermark
from tinko_pipelines.core.analytics.relations import RELATIONS
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.partitions import Month
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.defs.archival.assets import ASSETS as ARCHIVES
from tinko_pipelines.defs.ingestion.jobs import LISTINGS, SETTLEMENTS
from tinko_pipelines.defs.platform import Platform
from tinko_pipelines.defs.quality.jobs import ALWAYS
from tinko_pipelines.defs.reconciliation.jobs import RECONCILIATIONS
from tinko_pipelines.demo.forgetful import forgetful
from tinko_pipelines.local.bootstrap import Sandbox

HOUR = timedelta(hours=1)
# the mart that is compared, and the facts, of which none may fall behind the others; the other
# marts are built once, at the end
DAILY = (
    *(f"clickhouse/{relation.name}" for relation in RELATIONS),
    "clickhouse/sink_positions",
    "stg_organisations",
    "int_changed_debts",
    "int_changed_rows",
    "int_attempts",
    "int_failed_obligations",
    "int_messages",
    "recovery_daily",
)
CHECKED = {
    "failed_checks": dg.AssetCheckSeverity.ERROR,
    "warned_checks": dg.AssetCheckSeverity.WARN,
}
# hundreds of runs: their events stay off the terminal
QUIET = {"console": {"config": {"log_level": "ERROR"}}}

Checks = Sequence[dg.AssetCheckEvaluation]


@dataclass
class Driver:
    """Runs the same jobs as the daemon, in this process, only where the sensors would ring."""

    sandbox: Sandbox
    definitions: dg.Definitions
    platform: Platform = field(default_factory=Platform)
    runs: Counter[str] = field(default_factory=Counter)
    subsets: dict[tuple[str, ...], dg.JobDefinition] = field(default_factory=dict)
    step_errors: int = 0
    recovered: list[tuple[datetime, dict[str, int]]] = field(default_factory=list)

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        return forgetful()

    def job(self, name: str, ops: dict[str, Any] | None = None, **options: Any) -> Checks:
        """Run one of the daemon's jobs to its end; `ops` is its assets' config. Returns what its
        asset checks said.

        Raises whatever they raise, and where a blocking check fails.
        """
        return self._run(self.definitions.get_repository_def().get_job(name), ops, **options)

    def steps(self, *names: str) -> None:
        """Run just these assets, in one run."""
        if names:
            self._run(self._subset(names))

    def _run(
        self, job: dg.JobDefinition, ops: dict[str, Any] | None = None, **options: Any
    ) -> Checks:
        result = job.execute_in_process(
            instance=self.instance,
            raise_on_error=True,
            run_config={"loggers": QUIET, "ops": ops or {}},
            **options,
        )
        assert result.success
        self.runs[job.name] += 1
        return result.get_asset_check_evaluations()

    def _subset(self, names: tuple[str, ...]) -> dg.JobDefinition:
        """A job of these assets, cut out once: cutting costs more than running."""
        if names not in self.subsets:
            self.subsets[names] = (
                self.definitions.resolve_implicit_global_asset_job_def().get_subset(
                    asset_selection={dg.AssetKey.from_user_string(name) for name in names}
                )
            )
        return self.subsets[names]

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
        self.steps(*names)

    def day(self, to: datetime, *, lookback_days: int) -> None:
        """Once a virtual day: list what webhooks missed and what was settled, carry, and build
        recovery_daily."""
        config = {"config": {"lookback_days": lookback_days}}
        listings = dict.fromkeys([*LISTINGS, *SETTLEMENTS], config)
        self.job("heal", listings, partition_key=_before(to))
        self.steps("events", "failures", "cases", "attempt_outcomes")
        self.steps(*DAILY)
        self.recovered.append((to, self._recovered()))

    def reconcile(self, to: datetime, *, lookback_days: int) -> None:
        """Hold the books of the day before `to`, and of those ahead of it, against each other."""
        config = {"config": {"lookback_days": lookback_days}}
        ops = dict.fromkeys(RECONCILIATIONS, config)
        self.job("reconcile", ops, partition_key=_before(to))

    def carry(self) -> None:
        """The whole ledger to ClickHouse, and every mart.

        A watermark stops below the oldest open transaction: nothing may be left behind it.
        """
        self.job("analytics")
        while watermark.waiting(self.platform.engine):
            self.job("analytics")

    def check(self) -> dict[str, list[str]]:
        """All rows against their suites: the checks that refused rows, and those that only warn."""
        failed = [one for one in self.job("quality", ALWAYS["ops"]) if not one.passed]
        return {
            name: sorted(one.check_name for one in failed if one.severity is severity)
            for name, severity in CHECKED.items()
        }

    def archive(self, month: Month) -> None:
        """Let a closed month go: this is no dry run."""
        config = {"config": {"dry_run": False}}
        self.job("archive", dict.fromkeys(ARCHIVES, config), partition_key=f"{month}-01")

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
