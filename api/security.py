"""Who may ask, and how often: API keys and rate limits."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, parse_many
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from api.errors import RateLimited
from tinko_pipelines.core.errors import SettingsError


class RateLimits:
    """The rules of RATE_LIMIT_RULES (`300/minute;20/second`), in memory or shared over Redis."""

    def __init__(self, rules: str, redis_url: str | None) -> None:
        try:
            self._rules: list[RateLimitItem] = parse_many(rules)
        except ValueError:
            raise SettingsError(
                f"RATE_LIMIT_RULES must read like '300/minute;20/second', not {rules!r}"
            ) from None
        try:
            self._limiter = MovingWindowRateLimiter(storage_from_string(redis_url or "memory://"))
        except (ConfigurationError, ValueError) as error:
            raise SettingsError(f"REDIS_URL cannot be used: {error}") from None

    def hit(self, *who: str) -> None:
        """Count one request of `who`. Raises RateLimited, with the seconds to wait."""
        for rule in self._rules:
            if not self._limiter.hit(rule, *who):
                reset = self._limiter.get_window_stats(rule, *who).reset_time
                wait = max(1, math.ceil(reset - time.time()))
                raise RateLimited(f"more than {rule}", retry_after=wait)
