"""The `tinko` command."""

# imports are inside the commands, so that `--help` answers at once
# ruff: noqa: PLC0415

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
import typer.core

from tinko_pipelines import (
    archive_cli,
    backfill_cli,
    capture_cli,
    connect_cli,
    explain_cli,
    quarantine_cli,
    sink_cli,
)

if TYPE_CHECKING:
    from rich.console import Console


class Commands(typer.core.TyperGroup):
    """Turns an expected error of any command into one line and exit code 1."""

    def invoke(self, ctx: typer.Context) -> Any:
        from tinko_pipelines.core.errors import TinkoError

        try:
            return super().invoke(ctx)
        except TinkoError as error:
            fail(error.detail)


app = typer.Typer(
    cls=Commands,
    help="Tinko Recovery: recover failed subscription payments.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
db = typer.Typer(help="The databases' schemas.", no_args_is_help=True)
keys = typer.Typer(help="API keys of organisations.", no_args_is_help=True)
app.add_typer(db, name="db")
app.add_typer(keys, name="keys")
app.add_typer(explain_cli.app, name="explain")
app.add_typer(connect_cli.app, name="connect")
app.add_typer(archive_cli.app, name="archive")
app.add_typer(quarantine_cli.app, name="quarantine")
app.add_typer(sink_cli.app, name="sink")
app.command("backfill")(backfill_cli.backfill)
app.command("capture")(capture_cli.capture)


def fail(text: str) -> NoReturn:
    """Say what went wrong and end with exit code 1."""
    typer.secho(f"tinko: {text}", fg=typer.colors.RED, err=True)
    sys.exit(1)


def _console() -> Console:
    from rich.console import Console

    return Console()


@app.command()
def up(
    only: Annotated[
        list[str] | None, typer.Option(help="Start just this part (repeat for more).")
    ] = None,
) -> None:
    """Start the embedded stack, set up the demo, and keep it running until Ctrl-C."""
    from tinko_pipelines.local.stack import open_stack
    from tinko_pipelines.local.up import up as run

    try:
        run(open_stack(), only or [], _console())
    except (RuntimeError, KeyError) as error:
        fail(str(error.args[0] if error.args else error))


@app.command()
def down() -> None:
    """Stop the stack, or what a killed one left running."""
    from tinko_pipelines.local.stack import open_stack
    from tinko_pipelines.local.up import down as run

    run(open_stack(), _console())


@app.command()
def doctor() -> None:
    """Check each part and say what to fix; exit code 1 when something is wrong."""
    from rich.table import Table

    from tinko_pipelines.local.doctor import examine
    from tinko_pipelines.local.stack import open_stack

    findings = list(examine(open_stack()))
    table = Table("", "what", "found", "to do")
    for one in findings:
        mark = "[green]ok[/green]" if one.ok else "[red]no[/red]"
        table.add_row(mark, one.what, one.detail, "" if one.ok else one.fix)
    _console().print(table)
    if not all(one.ok for one in findings):
        raise typer.Exit(1)


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="The world; the same seed gives the same one.")] = 1,
    obligations: Annotated[int, typer.Option(min=1, help="How many debts.")] = 2000,
    days: Annotated[int, typer.Option(min=1, help="How many virtual days.")] = 21,
) -> None:
    """Prove the whole on a made-up world: no double charge, nothing lost, more money back."""
    from tinko_pipelines.demo import run

    raise typer.Exit(run(seed=seed, obligations=obligations, days=days))


@app.command()
def chaos(
    kills: Annotated[int, typer.Option(min=1, help="How many workers are killed.")] = 500,
    seed: Annotated[int, typer.Option(help="The world, its faults and where workers die.")] = 1,
) -> None:
    """Prove that kill -9 of the executor, anywhere, loses no attempt and charges nobody twice."""
    from tinko_pipelines.chaos.campaign import run

    raise typer.Exit(run(kills=kills, seed=seed))


@db.command("upgrade")
def db_upgrade(
    only: Annotated[
        str | None, typer.Option(help="postgres or clickhouse; both by default.")
    ] = None,
) -> None:
    """Bring the databases to the newest schema: those the environment names, else `.tinko`'s."""
    if only not in {None, "postgres", "clickhouse"}:
        fail(f"--only is postgres or clickhouse, not {only}")
    embedded_by_default()
    if only in {None, "postgres"}:
        from tinko_pipelines.local import migrate

        migrate.upgrade_postgres()
        typer.echo("postgres is at the newest schema")
    if only in {None, "clickhouse"}:
        from tinko_pipelines.core.analytics import schema
        from tinko_pipelines.core.analytics.clickhouse import ClickHouseAddress

        applied = schema.apply(ClickHouseAddress.from_settings().client())
        typer.echo(f"clickhouse: {', '.join(applied) if applied else 'nothing new to apply'}")


@db.command("check")
def db_check() -> None:
    """Compare the migrations with the models, on a throwaway database."""
    from alembic.util import CommandError

    from tinko_pipelines.local import migrate

    try:
        migrate.check_postgres()
    except CommandError as error:
        fail(f"the migrations and the models differ: {error}")
    typer.echo("the migrations and the models agree")


@keys.command("create")
def keys_create(
    organisation: Annotated[
        str | None, typer.Option("--org", help="Slug or id; the demo's by default.")
    ] = None,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "cli",
) -> None:
    """Make an API key; it is shown this once, only its hash is kept."""
    embedded_by_default()
    from tinko_pipelines.local.bootstrap import create_key

    typer.echo(create_key(organisation=organisation, name=name))


def embedded_by_default() -> None:
    """Point this process at the stack in `.tinko/`, unless its environment names a database."""
    from tinko_pipelines.local.stack import open_stack

    if "DATABASE_OWNER_URL" not in os.environ:
        os.environ.update(open_stack().environment)


if __name__ == "__main__":
    app()
