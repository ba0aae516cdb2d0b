"""`tinko archive …`: closed months to S3 and back. `run` without `--really` only looks."""

# imports are inside the commands, so that `--help` answers at once
# ruff: noqa: PLC0415

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from tinko_pipelines.core.archival.archivist import Archivist
    from tinko_pipelines.core.archival.departure import Done
    from tinko_pipelines.core.archival.plan import Step

app = typer.Typer(help="Closed months to S3 and back.", no_args_is_help=True)
Table = Annotated[str, typer.Argument(metavar="TABLE", help="attempts, inbox_events, …")]
MonthText = Annotated[str, typer.Argument(metavar="MONTH", help="2025-01")]


def archivist(actor: str | None = None) -> Archivist:
    """Archival as the settings say: of the environment's databases, else those of `.tinko/`."""
    from tinko_pipelines.cli import embedded_by_default

    embedded_by_default()
    from tinko_pipelines.core.archival.archivist import Archivist
    from tinko_pipelines.core.db.engine import owner_engine, worker_engine
    from tinko_pipelines.core.settings import get_settings

    return Archivist.from_settings(
        get_settings(), owner_engine(), worker_engine(), actor or getpass.getuser()
    )


@app.command("plan")
def plan(
    everything: Annotated[
        bool, typer.Option("--all", help="Young months and those to come, too.")
    ] = False,
) -> None:
    """What a run would do now: months, rows, bytes, cost, and what is held back and why."""
    from rich.console import Console

    show(archivist().plan(), Console(), everything=everything)


@app.command("run")
def run(
    really: Annotated[
        bool, typer.Option("--really/--dry-run", help="Do it; without this, only look.")
    ] = False,
    table: Annotated[str | None, typer.Option(help="Only this table.")] = None,
    month: Annotated[str | None, typer.Option(help="Only this month, as 2025-01.")] = None,
) -> None:
    """Export, verify and drop every month that the plan lets go; exit code 1 where one failed."""
    from rich.console import Console

    from tinko_pipelines.core.archival.analysts import offer_quietly
    from tinko_pipelines.core.archival.model import read_month
    from tinko_pipelines.core.archival.run import run as carry_out

    work, console = archivist(), Console()
    wanted = None if month is None else read_month(month)
    only = {
        one.target
        for one in work.plan()
        if table in (None, one.target.relation) and wanted in (None, one.target.month)
    }
    if not really:
        show([one for one in work.plan() if one.target in only], console)
        console.print("Nothing was done: this was a dry run. `--really` does it.")
        return
    done = carry_out(work, only)
    _report(done, console)
    if any(one.state for one in done) and (why := offer_quietly(work)):
        console.print(f"[yellow]analysts do not see it yet:[/yellow] {why}")
    if any(one.error for one in done):
        raise typer.Exit(1)


@app.command("restore")
def restore(
    table: Table,
    month: MonthText,
    analysts: Annotated[
        bool,
        typer.Option(
            "--analysts", help="Leave it in S3 and let ClickHouse read it, instead of attaching."
        ),
    ] = False,
) -> None:
    """Bring a month back as an attached partition, verified by its checksums."""
    from tinko_pipelines.core.archival.analysts import offer, offer_quietly
    from tinko_pipelines.core.archival.model import Target
    from tinko_pipelines.core.archival.restore import restore as bring_back

    target, work = Target.parse(table, month), archivist()
    if analysts:
        for name, months in offer(work).items():
            typer.echo(f"archive.{name}: {', '.join(months) or 'no month yet'}")
        return
    found = bring_back(work, target)
    typer.echo(f"{target} is back: {found.rows} rows, equal to their checksums")
    if why := offer_quietly(work):
        typer.echo(f"analysts still see it in the archive as well: {why}")


@app.command("list")
def list_months() -> None:
    """Every month that went to the archive or is on its way."""
    from rich.console import Console
    from rich.table import Table as Grid

    from tinko_pipelines.core.archival import records
    from tinko_pipelines.core.archival.plan import cost
    from tinko_pipelines.core.db.engine import unit_of_work

    grid = Grid("month", "table", "state", "rows", "MB", "USD a month", "manifest")
    with unit_of_work(archivist().worker) as connection:
        for one in records.read(connection).values():
            stored = one.bytes or 0
            grid.add_row(
                str(one.target.month),
                one.target.relation,
                one.state,
                str(one.rows or 0),
                f"{stored / 1e6:.1f}",
                str(cost(stored)),
                one.manifest_key or "",
            )
    Console().print(grid)


def show(steps: Sequence[Step], console: Console, *, everything: bool = False) -> None:
    """Print a plan for a person."""
    from rich.table import Table as Grid

    from tinko_pipelines.core.archival.model import Hold
    from tinko_pipelines.core.archival.plan import Action, cost

    dull = {Hold.NEXT, Hold.YOUNG}
    grid = Grid("month", "table", "what", "rows", "MB here", "MB in S3", "USD a month", "held by")
    shown = [one for one in steps if everything or not dull & set(one.holds)]
    for one in shown:
        grid.add_row(
            str(one.target.month),
            one.target.relation,
            one.action,
            str(one.rows),
            f"{one.bytes / 1e6:.1f}",
            f"{one.archive_bytes / 1e6:.1f}",
            str(one.usd_per_month),
            "; ".join(one.reasons),
        )
    console.print(grid)
    leaving = [one for one in steps if one.action is not Action.HOLD]
    stored = sum(one.archive_bytes for one in leaving)
    console.print(
        f"{len(leaving)} of {len(steps)} months leave: {sum(one.rows for one in leaving)} rows,"
        f" {sum(one.bytes for one in leaving) / 1e6:.1f} MB here, about {stored / 1e6:.1f} MB in"
        f" S3 at about {cost(stored)} USD a month"
    )
    if len(shown) < len(steps):
        console.print(f"{len(steps) - len(shown)} younger months are not shown: `--all` does.")


def _report(done: Sequence[Done], console: Console) -> None:
    for one in done:
        if one.error:
            console.print(f"[red]{one.step.target}[/red] {one.error}")
        elif one.state:
            stored = f"{one.archive_bytes / 1e6:.1f} MB"
            console.print(
                f"[green]{one.step.target}[/green] {one.state}: {one.rows} rows, {stored}"
            )
    if not any(one.error or one.state for one in done):
        console.print("No month was to leave.")
