"""A connection's own rate limit, so that its PSP need not refuse: a token bucket and a back-off.

One bucket per connection and process. Several processes share no bucket: each keeps to its share of
what the PSP allows, so that all of them together stay below it. A 429 all the same empties the
bucket for a while that doubles with each in a row, with full jitter, so that processes do not come
back together.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

from tinko_pipelines.core.clock import WallClock
from tinko_pipelines.core.errors import PspRateLimited
from tinko_pipelines.core.psp.types import Credentials, Psp


@dataclass(frozen=True, slots=True)
class Limit:
    """Calls per second of wall time, and how many may go at once after a rest.

    `max_wait` seconds is what one call may wait for its turn; `backoff` the longest first pause
    after a 429, `backoff_most` that of all later ones.
    """

    rate: float
    burst: int
    max_wait: float = 5.0
    backoff: float = 1.0
    backoff_most: float = 30.0


# the processes that call a PSP all the time: as many runs as there are at once (dagster.yaml)
PROCESSES = 2
# of what the PSP allows; a fifth is left to the merchant, and to the API for payers who click
OURS = 0.8


def share_of(allowed: float) -> Limit:
    """One process's share of the `allowed` calls per second of an account: in no second do all
    processes together send more than `allowed`, also after a rest."""
    share = allowed / PROCESSES
    return Limit(rate=OURS * share, burst=max(1, int((1 - OURS) * share)))


# Stripe: docs.stripe.com/rate-limits (2026-11): 100/s live, 25/s in test mode. Razorpay publishes
# no figure: a modest one of our own.
ALLOWED: dict[tuple[Psp, bool], float] = {
    (Psp.STRIPE, True): 100,
    (Psp.STRIPE, False): 25,
    (Psp.RAZORPAY, True): 25,
    (Psp.RAZORPAY, False): 15,
}
LIMITS = {one: share_of(allowed) for one, allowed in ALLOWED.items()}
# an address of one's own (a proxy, the sandbox) has its own limits, or none
ELSEWHERE = Limit(rate=2000, burst=2000, backoff=0.05, backoff_most=0.5)
_LIVE = ("sk_live_", "rk_live_", "rzp_live_")


def longest_call(timeout: float) -> float:
    """Seconds of real time that one call may take: its turn, and `timeout` for the answer."""
    waits = (*(one.max_wait for one in LIMITS.values()), ELSEWHERE.max_wait)
    return timeout + max(waits)


def limit_of(psp: Psp, credentials: Credentials) -> Limit:
    """The limit that these credentials are under, by default."""
    if credentials.base_url is not None:
        return ELSEWHERE
    return LIMITS[psp, credentials.api_key.startswith(_LIVE)]


@dataclass(frozen=True, slots=True)
class Tally:
    """What a throttle did so far; times in seconds of wall time."""

    calls: int = 0
    waited: float = 0.0
    refused: int = 0  # calls that were never sent
    limited: int = 0  # answers 429
    in_a_row: int = 0
    last_pause: float = 0.0


class Throttle:
    """One connection's turn to call. Safe to use from several threads."""

    def __init__(
        self,
        limit: Limit,
        monotonic: Callable[[], float] = WallClock.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._limit, self._monotonic, self._sleep, self._jitter = limit, monotonic, sleep, jitter
        self._lock = Lock()
        self._tokens, self._at = float(limit.burst), monotonic()
        self._paused_until = float("-inf")
        self._tally = Tally()

    def turn(self) -> None:
        """Wait for a turn. Raises PspRateLimited, nothing being sent, where that would take longer
        than the limit's `max_wait`."""
        wait = self._reserve()
        if wait > 0:
            self._sleep(wait)

    def answered(self, status: int) -> None:
        """Note an answer's HTTP status: a 429 pauses the connection, any other ends the row."""
        with self._lock:
            if status != 429:
                if self._tally.in_a_row:
                    self._tally = replace(self._tally, in_a_row=0)
                return
            row = self._tally.in_a_row + 1
            most = min(self._limit.backoff * 2 ** min(row - 1, 30), self._limit.backoff_most)
            pause = most * self._jitter()
            self._paused_until = max(self._paused_until, self._monotonic() + pause)
            self._tally = replace(
                self._tally, limited=self._tally.limited + 1, in_a_row=row, last_pause=pause
            )

    @property
    def tally(self) -> Tally:
        """What it did so far, as one consistent copy."""
        with self._lock:
            return self._tally

    def _reserve(self) -> float:
        """Take a token, perhaps one of the future; seconds until it is there."""
        with self._lock:
            now = self._monotonic()
            refilled = self._tokens + (now - self._at) * self._limit.rate
            self._tokens, self._at = min(float(self._limit.burst), refilled), now
            wait = max((1 - self._tokens) / self._limit.rate, self._paused_until - now, 0.0)
            if wait > self._limit.max_wait:
                self._tally = replace(self._tally, refused=self._tally.refused + 1)
                raise PspRateLimited(
                    f"this connection is at its limit for {wait:.1f} s more: nothing was sent",
                    retry_after=round(wait, 3),
                )
            self._tokens -= 1
            self._tally = replace(
                self._tally, calls=self._tally.calls + 1, waited=self._tally.waited + wait
            )
            return wait
