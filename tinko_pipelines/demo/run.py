"""`tinko demo`: set the stage, play the world, count, judge, and say so."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tinko_pipelines.core.money import Money
from tinko_pipelines.local.layout import ROOT

# a fixed instant: the same seed gives the same world on any day. A Monday, a month before payday
START = datetime(2026, 9, 7, tzinfo=UTC)
DATA = ROOT / ".tinko" / "demo"


def run(seed: int, obligations: int, days: int, data: Path = DATA) -> int:
    """Play one world and judge it; 0 when every promise held. The last line printed is JSON."""
    console = Console(stderr=True)
    began = time.monotonic()
    # Dagster, dbt and the drivers take seconds to import: `tinko --help` must not wait for them
    from tinko_pipelines.demo.stage import stage  # noqa: PLC0415

    with stage(data) as stack:
        ours, baselines = _play(stack.environment, seed, obligations, days, console)
    from tinko_pipelines.demo.chart import draw  # noqa: PLC0415
    from tinko_pipelines.demo.report import judge  # noqa: PLC0415

    verdict = judge(ours, baselines)
    chart = draw(data.parent / "demo.svg", ours.pop("over_time"), baselines)
    ours |= {
        "baselines": {name: baselines[name] for name in ("ladder_8_8_8", "oracle")},
        "wrong": list(verdict.wrong),
        "seed": seed,
        "days": days,
        "seconds": round(time.monotonic() - began, 1),
    }
    _summary(console, ours, baselines)
    console.print(f"chart: {chart.relative_to(ROOT) if chart.is_relative_to(ROOT) else chart}")
    for line in verdict.wrong:
        console.print(f"[red]wrong:[/red] {line}", highlight=False)
    sys.stdout.write(json.dumps(ours, sort_keys=True) + "\n")
    return 0 if verdict.passed else 1


def _play(
    environment: Mapping[str, str], seed: int, obligations: int, days: int, console: Console
) -> tuple[dict[str, Any], dict[str, Any]]:
    from tinko_pipelines.core.analytics import dbt  # noqa: PLC0415
    from tinko_pipelines.core.analytics.clickhouse import ClickHouseAddress  # noqa: PLC0415
    from tinko_pipelines.core.db.engine import worker_engine  # noqa: PLC0415
    from tinko_pipelines.demo import books, counts, leaving  # noqa: PLC0415
    from tinko_pipelines.demo.carrier import carrier  # noqa: PLC0415
    from tinko_pipelines.demo.driver import Driver  # noqa: PLC0415
    from tinko_pipelines.demo.runner import Runner  # noqa: PLC0415
    from tinko_pipelines.demo.world import play  # noqa: PLC0415
    from tinko_pipelines.local.bootstrap import Sandbox, set_up  # noqa: PLC0415

    sandbox = Sandbox(environment["SANDBOX_URL"])
    sandbox.call("POST", "advance", to=START.isoformat())
    set_up(sandbox, START, environment["PUBLIC_URL"])
    sandbox.call(
        "PUT", "world", seed=seed, start=START.isoformat(), obligations=obligations, days=days
    )
    dbt.prepare()
    with carrier() as beside:
        # while the carrier's process loads them too
        from tinko_pipelines.definitions import defs  # noqa: PLC0415

        driver = Driver(sandbox, Runner(defs()), beside)
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("the world is about to start", total=1.0)
            play(
                driver,
                START,
                days,
                lambda done, what: bar.update(task, completed=done, description=what),
            )
    baselines = sandbox.call("GET", "baselines")
    truth = sandbox.call("GET", "truth")
    engine, client = worker_engine(), ClickHouseAddress.from_settings().client()
    # counted before the closed month, which is none of the world's
    ours = counts.ledger_counts(engine)
    ours |= counts.event_counts(environment["PUBLIC_URL"])
    ours |= books.book_counts(engine, driver.now)
    ours |= driver.check()
    ours |= leaving.let_a_month_go(driver, client)
    ours |= counts.mart_counts(engine, client)
    ours["truth"] = truth
    # acknowledged and not stored, or stored and never worked off
    ours["lost_events"] = truth["events_acknowledged"] - ours["events_stored"] + ours["unprocessed"]
    ours["sandbox_errors"] = driver.step_errors
    ours["runs"] = dict(driver.runner.runs)
    ours["over_time"] = driver.recovered
    return ours, baselines


def _summary(console: Console, ours: Mapping[str, Any], baselines: Mapping[str, Any]) -> None:
    table = Table(title="Recovered", title_justify="left")
    for name in ("currency", "Tinko", "8/8/8 ladder", "oracle"):
        table.add_column(name, justify="right" if name != "currency" else "left")
    for currency in sorted({*ours["recovered_minor"], *baselines["ladder_8_8_8"]}):
        row = [
            Money(kind.get(currency, 0), currency).format()
            for kind in (ours["recovered_minor"], baselines["ladder_8_8_8"], baselines["oracle"])
        ]
        table.add_row(currency, *row)
    console.print(table)
    console.print(
        f"{ours['obligations']} obligations, {ours['failures']} failed attempts,"
        f" {ours['recovered']} recovered ({ours['recovered_by']}),"
        f" {ours['exhausted']} exhausted, {ours['awaiting_payer']} awaiting their payer;"
        f" {ours['double_charges']} double charges, {ours['lost_events']} lost events"
        f" in {ours['seconds']} s",
        highlight=False,
    )
    console.print(
        f"{ours['settled']} recoveries settled, {sum(ours['explained'].values())} explained"
        f" ({ours['explained']}); open findings: {ours['open_findings'] or 'none'};"
        f" a closed month of {sum(ours['archived'].values())} rows lies in S3",
        highlight=False,
    )
