"""What can be wrong with a question, or with answering it."""

from __future__ import annotations

from tinko_pipelines.core.errors import InvalidInput, TinkoError


class RangeInvalid(InvalidInput):
    code, title = "range_invalid", "The range of days is not one"


class RangeTooLong(InvalidInput):
    """`most_days` is in `extra`."""

    code, title = "range_too_long", "The range of days is too long"


class TooSlow(TinkoError):
    """Postgres had to answer and could not in time; a shorter range or more filters may do."""

    code, status, title = "analytics_too_slow", 503, "The figures could not be counted in time"


class MartsUnusable(TinkoError):
    """ClickHouse is there and cannot answer: not built yet, too far behind, or of another database.
    The ledger answers instead."""

    code, status, title = "marts_unusable", 503, "The marts cannot be used now"
