"""The report of some days: a table for Dagster, HTML and CSV for people. Pure but for `read`.

Amounts are printed in the currency's own digits, each currency apart; they are never summed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import Connection, RowMapping

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.money import Money
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.reconciliation.vocabulary import KINDS, FindingKind

MOST_FINDINGS = 100_000
MOST_DAYS = 10_000
MOST_STORED = 400  # days of one run
IN_QUARANTINE = "in_quarantine"
HELD = (
    "In quarantine, and in none of these sums: listed by the PSP, and refused by a check of data"
    " quality."
)
SHOWN = 200  # findings that a page shows; the CSV has all
MONEY = ("ledger_minor", "matched_minor", "findings_minor", "psp_minor", "settled_minor",
         "fee_minor", "tax_minor")  # fmt: skip
FIELDS = ("day", "psp", "connection_id", "kind", "leg", "severity", "state", "owner", "subject_id",
          "payment_id", "obligation_id", "amount_minor", "currency", "note", "created_at",
          "id")  # fmt: skip
_templates = Environment(
    loader=PackageLoader("tinko_pipelines.core.reconciliation"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Report:
    """Days (rows of `days_page`), findings (`day_findings`) and what a check refused of what the
    PSP listed (`day_held`) of `first` to `last`: that is in neither."""

    first: date
    last: date
    days: Sequence[Any]
    findings: Sequence[Any]
    made_at: datetime
    held: Sequence[Any] = ()

    @property
    def name(self) -> str:
        same = self.first == self.last
        return self.first.isoformat() if same else f"{self.first}_{self.last}"


def read(
    connection: Connection, first: date, last: date, now: datetime, psp: Psp | None = None
) -> Report:
    """The report of the days `first` to `last` that the connection's tenant may see."""
    wanted = {"first": first, "last": last, "psp": psp.value if psp else None}
    days = connection.execute(
        query("reconciliation", "days_page"), wanted | {"currency": None, "limit": MOST_DAYS}
    )
    found = connection.execute(
        query("reconciliation", "day_findings"), wanted | {"limit": MOST_FINDINGS}
    )
    held = connection.execute(query("reconciliation", "day_held"), wanted)
    return Report(
        first, last, days.mappings().all(), found.mappings().all(), now, held.mappings().all()
    )


def days_to_report(connection: Connection, most: int = MOST_STORED) -> list[date]:
    """Days that were reconciled since their report was stored, oldest first, at most so many."""
    return list(connection.scalars(query("reconciliation", "unreported_days"), {"limit": most}))


def mark_stored(connection: Connection, day: date, until: datetime) -> None:
    """The stored reports of `day` tell all that was reconciled of it `until` then."""
    connection.execute(query("reconciliation", "mark_reported"), {"day": day, "until": until})


def label(kind: str) -> str:
    """What people call a kind of finding."""
    return KINDS[FindingKind(kind)].label


def markdown(report: Report) -> str:
    """The days' money per currency, and the findings by kind and state, as tables."""
    lines = [
        "| day | PSP | currency | ledger | matched | findings | PSP says | settled | adds up |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for one in report.days:
        amounts = [_money(one, name) for name in MONEY[:5]]
        ok = one["ledger_minor"] == one["matched_minor"] + one["findings_minor"]
        lines.append(
            f"| {one['day']} | {one['psp']} | {one['currency']} | {' | '.join(amounts)} |"
            f" {'yes' if ok else '**no**'} |"
        )
    counts: dict[tuple[str, str], int] = {}
    for one in report.findings:
        counts[one["kind"], one["state"]] = counts.get((one["kind"], one["state"]), 0) + 1
    if counts:
        lines += ["", "| finding | state | count |", "| --- | --- | ---: |"]
        lines += [
            f"| {label(kind)} | {state} | {n} |" for (kind, state), n in sorted(counts.items())
        ]
    if report.held:
        lines += ["", HELD, "", "| day | table | state | rows | money |"]
        lines += ["| --- | --- | --- | ---: | ---: |"]
        lines += [
            f"| {one['day']} | {one['frame']} | {one['state']} | {one['rows']} | {_held(one)} |"
            for one in report.held
        ]
    return "\n".join(lines)


def as_csv(report: Report) -> str:
    """Every finding, a line each; then what is in quarantine, a line per table and currency."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows([_plain(one[name]) for name in FIELDS] for one in report.findings)
    writer.writerows([_plain(_as_line(one).get(name)) for name in FIELDS] for one in report.held)
    return text.getvalue()


def _as_line(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "day": one["day"],
        "psp": one["psp"],
        "connection_id": one["connection_id"],
        "kind": IN_QUARANTINE,
        "state": one["state"],
        "subject_id": f"{one['rows']} of {one['frame']}",
        "amount_minor": one["minor"],
        "currency": one["currency"],
    }


def as_html(report: Report, chart: str) -> str:
    """The page; `chart` is an SVG of `charting.svg`."""
    return _templates.get_template("report.html").render(
        report=report,
        chart=chart,
        money=_money,
        held_says=HELD,
        held_money=_held,
        label=label,
        shown=report.findings[:SHOWN],
        age=lambda one: (report.made_at - one["created_at"]).days,
    )


def _money(row: Mapping[str, Any] | RowMapping, name: str) -> str:
    if row["currency"] is None or row[name] is None:
        return ""
    return Money(int(row[name]), row["currency"]).format()


def _held(one: Mapping[str, Any]) -> str:
    """What the refused rows say, in a currency that may be no currency at all."""
    if one["minor"] is None:
        return ""
    try:
        return Money(int(one["minor"]), one["currency"] or "").format()
    except ValueError:
        return f"{one['minor']} {one['currency'] or ''}".strip()


def _plain(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "@", "\t") else text
