"""What failures looked like before: the baseline that drift is measured against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.failures.taxonomy import Category
from tinko_pipelines.core.ids import id_floor

TRAILING = timedelta(days=28)
# fewer failures say nothing of how they usually fall
LEAST = 200
# counted into every category, so that one that never came is rare and not impossible
HALF = 0.5


def mix(
    counts: Mapping[str, int], categories: Iterable[str] = tuple(Category), least: int = LEAST
) -> dict[str, Any] | None:
    """The share of each category as Great Expectations takes it; None below `least` failures. Pure.

    A category that is not one of ours is left out: another check refuses it.
    """
    values = [str(one) for one in categories]
    if sum(counts.get(one, 0) for one in values) < least:
        return None
    weights = [counts.get(one, 0) + HALF for one in values]
    total = sum(weights)
    return {"values": values, "weights": [one / total for one in weights]}


def failure_mix(engine: Engine, low: int, now: datetime) -> dict[str, Any] | None:
    """The mix of the failures of the last 28 days that lie before version `low`."""
    values = {"since": id_floor(now - TRAILING), "low": low}
    with unit_of_work(engine) as connection:
        rows = connection.execute(query("quality", "mix_before"), values)
        return mix({row.category: row.failures for row in rows})
