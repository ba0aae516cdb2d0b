"""Our side of the comparison, counted from the ledger, the inbox, the API and the mart."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
from clickhouse_connect.driver.client import Client
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from tinko_pipelines.core.analytics.compare import mart_vs_ledger
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ledger.cases import RECOVERED_BY


def ledger_counts(engine: Engine) -> dict[str, Any]:
    """Counts in the words of the sandbox's truth; money in minor units per currency."""
    by: Counter[str] = Counter({"retry": 0, "payer": 0, "psp": 0})
    minor: Counter[str] = Counter()
    with unit_of_work(engine) as connection:
        totals = dict(connection.execute(query("demo", "totals")).one()._mapping)
        actors = {row.actor: row.attempts for row in connection.execute(query("demo", "by_actor"))}
        for row in connection.execute(query("demo", "settled_debts")):
            by[RECOVERED_BY[row.actor]] += 1
            minor[row.currency] += row.due_minor
        paid = {
            row.currency: int(row.minor) for row in connection.execute(query("demo", "paid_minor"))
        }
        doubles = connection.scalar(query("demo", "double_charges"))
    return {
        **totals,
        "attempts_by_actor": actors,
        "recovered": by.total(),
        "recovered_by": dict(by),
        "recovered_minor": dict(sorted(minor.items())),
        "paid_minor": paid,
        "double_charges": doubles,
    }


def event_counts(api_url: str) -> dict[str, int]:
    """What the API says it took: requests received, and duplicates among them."""
    text = httpx.get(f"{api_url}/metrics", timeout=10).raise_for_status().text
    sums: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] += int(sample.value) if sample.value == int(sample.value) else 0
    return {
        "events_received": sums["tinko_webhooks_received_total"],
        "duplicates": sums["tinko_webhooks_duplicates_total"],
    }


def mart_counts(engine: Engine, client: Client) -> dict[str, Any]:
    """Rows the sink has carried, and whether the mart's totals are the ledger's."""
    rows = client.query(
        "select sum(n) from (select count() as n from tinko.obligations final"
        " union all select count() from tinko.attempts final"
        " union all select count() from tinko.failures final"
        " union all select count() from tinko.cases final)"
    ).result_rows
    differences = mart_vs_ledger(engine, client, still=True)
    return {
        "clickhouse_rows": int(rows[0][0]),
        "mart_matches_ledger": not differences,
        "mart_differences": [str(one) for one in differences[:5]],
    }
