"""The queries of deploy/bi/grafana_dashboard.json, with Grafana's macros and variables filled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[2] / "deploy" / "bi" / "grafana_dashboard.json"
_DATE_FILTER = re.compile(r"\$__dateFilter\((\w+)\)")


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    return json.loads(FILE.read_text())


def filled(sql: str, organisation: str, currency: str, start: date, end: date) -> str:
    """`sql` as Grafana's ClickHouse data source would send it. Raises ValueError for a macro or a
    variable that is not known here."""
    sql = _DATE_FILTER.sub(rf"\1 >= toDate('{start}') and \1 <= toDate('{end}')", sql)
    sql = sql.replace("$__toTime", f"toDateTime('{end} 00:00:00')")
    sql = sql.replace("${organisation}", organisation).replace("${currency}", currency)
    if "$" in sql:
        raise ValueError(f"what is this: {sql}")
    return sql


def queries(organisation: str, currency: str, start: date, end: date) -> Iterator[tuple[str, str]]:
    """(name, SQL) of every variable and panel."""
    shown = dashboard()
    for variable in shown["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], filled(variable["query"], organisation, currency, start, end)
    for panel in shown["panels"]:
        for target in panel["targets"]:
            yield panel["title"], filled(target["rawSql"], organisation, currency, start, end)
