"""Runs of the daemon's jobs and of chosen assets, to their end, in whatever process this is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import dagster as dg

from tinko_pipelines.demo.forgetful import forgetful

# hundreds of runs: their events stay off the terminal
QUIET = {"console": {"config": {"log_level": "ERROR"}}}

Checks = Sequence[dg.AssetCheckEvaluation]


@dataclass
class Runner:
    """Runs `definitions` on a Dagster instance of its own; `runs` counts them by job."""

    definitions: dg.Definitions
    runs: Counter[str] = field(default_factory=Counter)
    subsets: dict[tuple[str, ...], dg.JobDefinition] = field(default_factory=dict)

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
