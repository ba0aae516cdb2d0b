"""The kinds of bad rows, each with how one row is spoiled and the check that owns it.

`plant` spoils one row and returns the key by which the quarantine will know it; a planting in the
analytics store spoils a row there, behind the checks before the load, and has no key.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from sqlalchemy import Table, null

from tests.proofs.quality_world import HOUR, NOW, World
from tinko_pipelines.core.db.tables.ledger import attempts, failures, obligations
from tinko_pipelines.core.db.tables.recovery import cases
from tinko_pipelines.core.db.tables.settlement import payouts, psp_records, settlement_lines
from tinko_pipelines.core.ingestion.frames import SCHEMAS
from tinko_pipelines.core.quality.screen import KEYS, screen

TABLES: Mapping[str, Table] = {
    "obligations": obligations,
    "attempts": attempts,
    "failures": failures,
    "cases": cases,
    "psp_records": psp_records,
    "settlement_lines": settlement_lines,
    "payouts": payouts,
}
YEARS = timedelta(days=4000)


@dataclass(frozen=True)
class Planting:
    """`layer`: edge (pydantic), load (native), suite (Great Expectations), dbt or stores (native).
    `plant(world, number)` spoils a row of debt `number`, whose failed debts are multiples of 5."""

    name: str
    owner: str
    layer: str
    frame: str
    plant: Callable[[World, int], str]


def _payment(world: World, number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"pay_planted_{number}",
        "entity": "payment",
        "order_id": world.known_order(number),
        "amount": 1000 + number,
        "currency": "INR",
        "status": "failed",
        "method": "card",
        "amount_refunded": 0,
        "created_at": int((NOW - HOUR).timestamp()),
        "error_code": "BAD_REQUEST_ERROR",
        "error_reason": "insufficient_funds",
    } | changes


def _event(name: str, check: str, **changes: Any) -> Planting:
    """An event of a failed payment with one member spoiled."""

    def plant(world: World, number: int) -> str:
        entity = _payment(world, number, **changes)
        body = {
            "event": "payment.failed",
            "created_at": int(NOW.timestamp()),
            "payload": {"payment": {"entity": entity}},
        }
        return world.hear(f"evt_{name}_{number}", body)

    return Planting(name, check, "edge", "events", plant)


def _order_in_other_money(world: World, number: int) -> str:
    payment = _payment(world, number, currency="USD", status="captured")
    order = {
        "id": payment["order_id"],
        "amount": 1000 + number,
        "amount_paid": 1000 + number,
        "currency": "INR",
        "status": "paid",
        "created_at": payment["created_at"],
    }
    payload = {"payment": {"entity": payment}, "order": {"entity": order}}
    body = {"event": "order.paid", "created_at": payment["created_at"], "payload": payload}
    return world.hear(f"evt_mixed_{number}", body)


def _dispute_over_nothing(world: World, number: int) -> str:
    payment = _payment(world, number, status="captured")
    dispute = {
        "id": f"disp_{number}",
        "payment_id": payment["id"],
        "amount": -5,
        "currency": "INR",
        "status": "open",
    }
    payload = {"payment": {"entity": payment}, "dispute": {"entity": dispute}}
    at = payment["created_at"]
    body = {"event": "payment.dispute.created", "created_at": at, "payload": payload}
    return world.hear(f"evt_dispute_{number}", body)


def _unreadable(world: World, number: int) -> str:
    body = {"event": "payment.failed", "created_at": 0, "payload": {"payment": {"entity": {
        "id": f"pay_planted_{number}", "created_at": 10**17}}}}  # fmt: skip
    return world.hear(f"evt_unreadable_{number}", body)


EDGE = (
    _event("an unheard-of currency", "event_currency", currency="XXQ"),
    _event("a negative amount", "event_amount", amount=-500),
    _event("an amount beyond all money", "event_amount", amount=10**16),
    _event("more refunded than paid", "event_refund", amount_refunded=10**6),
    _event("an id that is a text", "event_object_id", id="pay_ " + "x" * 300),
    _event("a payment of 1970", "event_time", created_at=86_400),
    Planting(
        "money of two currencies", "event_currencies_mixed", "edge", "events", _order_in_other_money
    ),
    Planting("a dispute over nothing", "event_dispute", "edge", "events", _dispute_over_nothing),
    Planting("a body of no sense", "event_unreadable", "edge", "events", _unreadable),
)


def _listed(name: str, check: str, table: str, **changes: Any) -> Planting:
    """A row of a listing, spoiled before it is loaded."""

    def plant(world: World, number: int) -> str:
        row = world.listed(table, number, **{KEYS[table]: f"planted_{number}"}) | changes
        frame = pl.from_dicts([row], schema=SCHEMAS[table])
        good = screen(world.engine, world.clock)(table, frame)
        assert good.is_empty(), f"{name}: the row was let through"
        return f"{row['connection_id']} {row[KEYS[table]]}"

    return Planting(name, check, "load", table, plant)


OLD = datetime(1999, 1, 1, tzinfo=UTC)
LOAD = (
    _listed("a record in no currency", "record_currency", "psp_records", currency="???"),
    _listed("a record of less than nothing", "record_amount", "psp_records", amount_minor=-1),
    _listed("a record refunded twice over", "record_refund", "psp_records", refunded_minor=10**9),
    _listed("a record of 1999", "record_time", "psp_records", created_at=OLD),
    _listed("a line in no currency", "line_currency", "settlement_lines", currency="inr"),
    _listed("a line that does not add up", "line_sum", "settlement_lines", net_minor=1),
    _listed("more tax than fee", "line_tax", "settlement_lines", tax_minor=21),
    _listed("a rate below nothing", "line_rate", "settlement_lines", exchange_rate="-83.1"),
    _listed("a line of 1999", "line_time", "settlement_lines", created_at=OLD),
    _listed("a payout in no currency", "payout_currency", "payouts", currency="USDT"),
    _listed("a payout of 1999", "payout_time", "payouts", created_at=OLD),
)

Which = Callable[[World, int], uuid.UUID]


def _row(name: str, check: str, frame: str, which: Which | None = None, **changes: Any) -> Planting:
    """A row of the database with some of its columns spoiled."""
    if which is None:
        key = KEYS[frame]
        return Planting(name, check, "suite", frame, _spoil_listed(frame, key, changes))

    def plant(world: World, number: int) -> str:
        found = which(world, number)
        world.spoil(TABLES[frame], found, **changes)
        return str(found)

    return Planting(name, check, "suite", frame, plant)


def _spoil_listed(frame: str, key: str, changes: Mapping[str, Any]) -> Callable[[World, int], str]:
    def plant(world: World, number: int) -> str:
        object_id = str(world.listed(frame, number)[key])
        table = TABLES[frame]
        with world.engine.begin() as connection:
            done = connection.execute(
                table.update().where(table.c[key] == object_id).values(**changes)
            )
            assert done.rowcount == 1
        return f"{world.merchant.razorpay} {object_id}"

    return plant


def _debt(world: World, number: int) -> uuid.UUID:
    return world.debts[number]


def _first(world: World, number: int) -> uuid.UUID:
    return world.tries[number]


def _ours(world: World, number: int) -> uuid.UUID:
    return world.retries[number]


def _case(world: World, number: int) -> uuid.UUID:
    return world.opened[number]


SUITES = (
    _row("a state of no debt", "obligation_state", "obligations", _debt, state="paid_up"),
    _row("a debt as large as a state's", "obligation_size", "obligations", _debt,
         due_minor=10**14, paid_minor=10**14),
    _row("three decimals that no card takes", "obligation_exponent", "obligations", _debt,
         currency="KWD", due_minor=1001, paid_minor=1001),
    _row("given back and never paid", "obligation_refund", "obligations", _debt,
         refunded_minor=10**6),
    _row("a debt older than PSPs", "obligation_time", "obligations", _debt,
         created_at=NOW - YEARS),
    _row("a state of no attempt", "attempt_state", "attempts", _first, state="success"),
    _row("an attempt of nobody", "attempt_actor", "attempts", _first, actor="system"),
    _row("a method in capitals", "attempt_method", "attempts", _first, method="Card Visa"),
    _row("an attempt as large as a state's budget", "attempt_size", "attempts", _first,
         amount_minor=10**15),
    _row("a success without a name", "attempt_is_named", "attempts", _ours,
         psp_payment_id=None),
    _row("a charge nobody allowed", "attempt_was_allowed", "attempts", _ours, evidence=null()),
    _row("a charge without its key", "attempt_has_key", "attempts", _ours,
         idempotency_key=None),
    _row("ended before it was sent", "attempt_order", "attempts", _ours,
         finished_at=NOW - timedelta(days=30)),
    _row("an attempt of tomorrow", "attempt_time", "attempts", _first,
         created_at=NOW + timedelta(days=9)),
    _row("a category of nobody", "failure_category", "failures", _first,
         category="insufficient funds"),
    _row("an advice of nobody", "failure_advice", "failures", _first, retry_advice="retry"),
    _row("nobody we know acts", "failure_actor", "failures", _first, who_acts="tinko"),
    _row("surer than sure", "failure_confidence", "failures", _first, confidence=1.5),
    _row("decided by nothing", "failure_decided_by", "failures", _first, decided_by=""),
    _row("failed next month", "failure_time", "failures", _first,
         failed_at=NOW + timedelta(days=30)),
    _row("a state of no case", "case_state", "cases", _case, state="won"),
    _row("settled by nobody", "case_winner", "cases", _case, state="settled",
         recovered_by=None),
    _row("brought back by a word", "case_winner_word", "cases", _case, recovered_by="tinko"),
    _row("recovered less than nothing", "case_size", "cases", _case, recovered_minor=-1),
    _row("lost less than nothing", "case_reversal", "cases", _case, reversed_minor=-1),
    _row("closed before it was opened", "case_order", "cases", _case,
         closed_at=NOW - timedelta(days=99)),
    _row("a record of a kind unknown", "record_kind", "psp_records", kind="topup"),
    _row("a record's status unknown", "record_status", "psp_records", status="captured"),
    _row("captured before it was made", "record_capture", "psp_records",
         captured_at=NOW - timedelta(days=60)),
    _row("a line of a kind unknown", "line_kind", "settlement_lines", kind="charge"),
    _row("a payout's status unknown", "line_payout_status", "settlement_lines",
         payout_status="processed"),
    _row("a line of nothing", "line_source", "settlement_lines", source_id=None),
    _row("settled before it was made", "line_order", "settlement_lines",
         settled_at=NOW - timedelta(days=60)),
    _row("a payout's state unknown", "payout_state", "payouts", status="processed"),
    _row("a payout as large as a bank", "payout_size", "payouts", amount_minor=10**15),
)  # fmt: skip


BEFORE_THE_LOAD: tuple[Planting, ...] = (*EDGE, *LOAD, *SUITES)
