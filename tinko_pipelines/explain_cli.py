"""`tinko explain …`: why something was done, made again from what was stored."""

# imports are inside the commands, so that `--help` answers at once
# ruff: noqa: PLC0415

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from tinko_pipelines.core.recovery.explain import Explanation

# whose limits a decision is made again by, where they are not known to be its own
NOT_ITS_OWN = {"submission": "those that the attempt was sent on", "today": "today's"}

app = typer.Typer(help="Why something was done.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `attempt` a command of its own."""


@app.command("attempt")
def attempt(
    attempt_id: Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The attempt's id.")],
    as_json: Annotated[bool, typer.Option("--json", help="All of it, as JSON.")] = False,
) -> None:
    """What was known, what was decided and what allowed it; exit code 1 where the same inputs no
    longer give the same answer."""
    from tinko_pipelines.cli import embedded_by_default

    embedded_by_default()
    from tinko_pipelines.core.db.engine import unit_of_work, worker_engine
    from tinko_pipelines.core.recovery.explain import as_document, explain_attempt

    with unit_of_work(worker_engine()) as connection:
        found = explain_attempt(connection, attempt_id)
    if as_json:
        typer.echo(json.dumps(as_document(found), ensure_ascii=False, indent=2))
    else:
        from rich.console import Console

        show(found, Console())
    if not found.same:
        raise typer.Exit(1)


def show(found: Explanation, console: Console) -> None:
    """Print an explanation for a person."""
    from tinko_pipelines.core.money import Money

    row = found.attempt
    money = Money(row.amount_minor, row.currency).format()
    console.print(f"[bold]attempt {row.id}[/bold]  {money}  {row.method}  {row.state}")
    if found.decision is None:
        console.print(f"made by {row.actor}: nothing of ours to explain")
        return
    _decision(found, console)
    _verdict(found, console)
    for name, one in (("decision", found.decision), ("verdict", found.verdict)):
        if one is None:
            continue
        if one.same:
            console.print(f"[green]same[/green]  the {name}, made again, is byte for byte the same")
        else:
            console.print(f"[red]not the same[/red]  the {name} was {one.stored}")
            console.print(f"and comes out as {one.again}")


def _decision(found: Explanation, console: Console) -> None:
    row = found.attempt
    view = found.view
    assert found.decision is not None
    said: dict[str, Any] = json.loads(found.decision.stored)
    console.print(f"\n[bold]decided[/bold] {row.decided_at:%Y-%m-%d %H:%M:%S %Z}")
    console.print(f"  {said['action']} at {said['at']}: {', '.join(said['reasons'])}")
    console.print(f"  policy version {row.policy_version}")
    if said.get("rule"):
        console.print(f"  rule {said['rule']}")
    if found.limits in NOT_ITS_OWN:
        console.print(
            "  decided before decisions kept their limits and calendars: made again by"
            f" {NOT_ITS_OWN[found.limits]}, which may differ"
        )
    if view is None:
        return
    console.print(f"  tries known: {len(view.attempts)}")
    for one in view.attempts:
        codes = (one.network_decline_code, one.network_advice_code)
        more = " ".join(filter(None, (one.advice, *codes)))
        console.print(f"    {one.at:%Y-%m-%d %H:%M} {one.actor} {one.state} {more}")


def _verdict(found: Explanation, console: Console) -> None:
    from rich.table import Table

    from tinko_pipelines.core.money import Money

    if found.verdict is None:
        console.print("\nnot sent: no limit was asked yet")
        return
    if found.evidence is None:
        return
    evidence = found.evidence
    allowed = "allowed" if evidence.verdict.allowed else "refused"
    console.print(f"\n[bold]{allowed}[/bold] {evidence.at:%Y-%m-%d %H:%M:%S %Z}, on")
    facts = evidence.facts
    console.print(
        f"  {facts.psp} {facts.method} {facts.network or ''} {facts.country or ''}"
        f" {facts.instrument_key}"
    )
    console.print(f"  counted on the instrument: {len(facts.counted)}")
    for made in facts.counted:
        which = "this debt" if made.same_obligation else "another debt"
        paid = Money(made.amount, made.currency).format()
        console.print(f"    {made.at:%Y-%m-%d %H:%M} {paid} {made.initiator} {made.state}, {which}")
    table = Table("limit", "in force", "held", "source", "read", "note")
    for one in evidence.rows:
        force = f"{one.row.since} – {one.row.until or ''}"
        held = "yes" if one.id in evidence.verdict.rows else "–"
        table.add_row(
            one.id, force, held, one.source, str(one.row.checked), one.row.note or one.row.certainty
        )
    console.print(table)
