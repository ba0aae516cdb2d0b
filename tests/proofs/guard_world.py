"""A year of one instrument: everyone's attempts on it, and ours wherever the guards allow them.

Each wish of a policy is planned by next_allowed() and asked of evaluate() again, on fresh facts, at
the instant itself: what charge.py does. Only what is allowed is made.
"""

import heapq
import itertools
from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

from tests.proofs.guard_checker import (
    DAY,
    HOUR,
    IST,
    MASTERCARD_NEVER,
    VISA_NEVER,
    Instrument,
    Tried,
)
from tinko_pipelines.core.guards.cycles import Frequency
from tinko_pipelines.core.guards.evaluate import evaluate, next_allowed
from tinko_pipelines.core.guards.model import Counted, Facts, LastFailure

CLOCKS = tuple(map(ZoneInfo, ("UTC", "Asia/Kolkata", "America/New_York", "Europe/Berlin")))
COUNTED = 31 * DAY  # as core/recovery/views.py reads them
NORMAL = (None,) * 12
# what failures say, by network: mostly nothing that a limit speaks of
DECLINES = {"visa": ("51", "05", "61", *NORMAL * 6, "14", "R1", "04")}
ADVICE = {"mastercard": (*NORMAL * 4, "02", "24", "25", "26", "27", "28", "29", "30", "03", "01")}
INR = (49_900, 49_900, 99_900, 1_500_000, 1_500_001, 9_900_000, 10_000_001)
USD = (999, 999, 1999, 4999)
FREQUENCIES = (
    *(None, None, None, "as_presented", "daily", "weekly", "fortnightly", "monthly", "monthly"),
    *("bimonthly", "quarterly", "half_yearly", "yearly"),
)
PROFILES = {
    "visa": ("stripe", "card", "visa", "US", "USD"),
    "mastercard": ("stripe", "card", "mastercard", "US", "USD"),
    "amex": ("stripe", "card", "amex", "GB", "USD"),
    "india_visa": ("stripe", "card", "visa", "IN", "INR"),
    "india_mastercard": ("razorpay", "card", "mastercard", "IN", "INR"),
    "rupay": ("razorpay", "card", "rupay", "IN", "INR"),
    "upi": ("razorpay", "upi", None, "IN", "INR"),
    "emandate": ("razorpay", "emandate", None, "IN", "INR"),
}


def instrument(draw: Random, profile: str) -> Instrument:
    psp, method, network, country, currency = PROFILES[profile]
    indian = psp == "razorpay" or draw.random() < 0.3
    category = draw.choice((None, None, "software", "insurance")) if currency == "INR" else None
    own_notice = country == "IN" and draw.random() < 0.3
    merchant = "IN" if indian else "US"
    often = draw.choice(FREQUENCIES) if method != "card" else None
    return Instrument(
        psp, method, network, country, currency, merchant, category, own_notice, often
    )


class Debt:
    """What is owed once. `until`: no policy goes on for longer."""

    __slots__ = ("amount", "cycle_end", "id", "notice_at", "open", "tries", "until")

    def __init__(self, number: int, amount: int, cycle_end: int | None, until: int) -> None:
        self.id, self.amount, self.cycle_end, self.until = number, amount, cycle_end, until
        self.tries: list[Tried] = []
        self.notice_at: int | None = None
        self.open = True


class Year:
    """One instrument from `start` on for a year. `rows` None: the limits as they are."""

    def __init__(self, seed: str, what: Instrument, start: int, rows=None) -> None:
        self.draw, self.what, self.start, self.end = Random(seed), what, start, start + 365 * DAY
        self.rows, self.zone = rows, self.draw.choice(CLOCKS)
        self.policy = self.draw.choice((_ladder, _back_off, _eager, _eager, _edges))
        self.tries: list[Tried] = []
        self.window = 0  # where the last 31 days begin in `tries`
        # half of the cards live through the year; others hear that they are never to be tried again
        self.lives = self.draw.random() < 0.5
        self.last_words: list[Tried] = []
        self.taken: list[Tried] = []  # what succeeded, on a mandate
        self.made = self.asked = 0
        self._queue: list[tuple[int, int, str, Debt]] = []
        self._order = itertools.count()

    def run(self) -> list[Tried]:
        """Play it; returns everyone's attempts in the order they were made."""
        self._open_debts()
        while self._queue:
            at, _, what, debt = heapq.heappop(self._queue)
            if at >= self.end:
                break
            if what == "other":
                self._other(debt, at)
            elif what == "notice":
                debt.notice_at = at
            elif debt.open:
                self._wish(debt, at)
        return self.tries

    def _open_debts(self) -> None:
        draw, at, numbers = self.draw, self.start, itertools.count()
        amounts = draw.sample(INR if self.what.currency == "INR" else USD, 2)
        while at < self.end:
            cycle = draw.choice((3, 7, 30, 30, 31)) * DAY
            ends = at + cycle + draw.randrange(DAY) if self.what.method != "card" else None
            debt = Debt(next(numbers), draw.choice(amounts), ends, at + draw.choice((18, 40)) * DAY)
            self._at(at, "other", debt)
            for _ in range(draw.choice((0, 0, 0, 1, 3))):
                self._at(at + draw.randrange(cycle), "other", debt)
            # a batch: several processes wish for the same instant
            for _ in range(draw.choice((1, 1, 3))):
                self._at(at + draw.randrange(2 * HOUR), "wish", debt)
            at += cycle // draw.choice((1, 2)) + draw.randrange(HOUR)

    def _at(self, at: int, what: str, debt: Debt) -> None:
        heapq.heappush(self._queue, (at, next(self._order), what, debt))

    # --- attempts ----------------------------------------------------------------------------

    def _other(self, debt: Debt, at: int) -> None:
        actor = self.draw.choice(("merchant", "psp", "psp", "payer"))
        amount = debt.amount if self.draw.random() < 0.9 else debt.amount + 100
        self._try(debt, at, actor, amount)
        if self.what.own_notice:
            self._at(at + self.draw.randrange(20 * HOUR), "notice", debt)

    def _wish(self, debt: Debt, at: int) -> None:
        facts, now = self._facts(debt, at), datetime.fromtimestamp(at, self.zone)
        self.asked += 1
        if evaluate(facts, now, self.rows).allowed:
            self._try(debt, at, "tinko", debt.amount)
            self.made += 1
            if self.what.own_notice:
                self._at(at + self.draw.choice((0, 1, 600, 9 * HOUR)), "notice", debt)
            self._at(self.policy(self, debt, at), "wish", debt)
            return
        until = datetime.fromtimestamp(debt.until, UTC)
        planned, _ = next_allowed(facts, now, until, self.rows)
        if planned is None:
            debt.open = False  # the payer's turn
            return
        self._at(max(at + 1, -int(-planned.timestamp() // 1)), "wish", debt)

    def _try(self, debt: Debt, at: int, actor: str, amount: int) -> None:
        draw, what = self.draw, self.what
        one = Tried(at, actor, debt.id, amount, what.currency, at,
                    notice_at=debt.notice_at, cycle_end=debt.cycle_end)  # fmt: skip
        if what.method != "card":
            one.known_at = at + draw.choice((60, 26 * HOUR, 50 * HOUR))
        if draw.random() < 0.03:
            one.state, debt.open = "succeeded", False
            if what.method != "card":
                self.taken.append(one)
        else:
            one.decline = draw.choice(DECLINES.get(what.network, NORMAL))
            one.advice = draw.choice(ADVICE.get(what.network, NORMAL))
            if one.decline in VISA_NEVER or one.advice in MASTERCARD_NEVER:
                if self.lives:
                    one.decline = one.advice = None
                else:
                    self.last_words.append(one)
            one.timed_out = what.psp == "razorpay" and draw.random() < 0.03
        self.tries.append(one)
        debt.tries.append(one)

    # --- what is known -----------------------------------------------------------------------

    def _facts(self, debt: Debt, at: int) -> Facts:
        tries = self.tries
        while self.window < len(tries) and tries[self.window].at <= at - COUNTED:
            self.window += 1
        own = [one for one in debt.tries if one.at <= at - COUNTED]
        old = own + [
            one
            for one in self.last_words + self.taken
            if one.at <= at - COUNTED and one.debt != debt.id
        ]
        counted = tuple(
            [_counted(one, debt, at) for one in old]
            + [_counted(tries[n], debt, at) for n in range(self.window, len(tries))]
        )
        failed = [one for one in debt.tries if one.known_at <= at and one.state == "failed"]
        last = next((one for one in reversed(failed) if one.actor != "payer"), None)
        late = max((one.at for one in failed if one.timed_out), default=None)
        what = self.what
        return Facts(
            psp=what.psp, method=what.method, network=what.network, country=what.country,
            instrument_key="key", amount=debt.amount, currency=what.currency, counted=counted,
            last_failure=last and LastFailure(_instant(last.at), last.decline, last.advice),
            timed_out_at=late and _instant(late),
            cycle_end=debt.cycle_end and _instant(debt.cycle_end),
            merchant_country=what.merchant_country, merchant_category=what.category,
            notice_required=what.own_notice,
            frequency=what.frequency and Frequency(what.frequency),
            notice_delivered_at=debt.notice_at and _instant(debt.notice_at),
        )  # fmt: skip


def _instant(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _counted(one: Tried, debt: Debt, at: int) -> Counted:
    """The attempt as a counter holds it: pending until its result is known."""
    key = (one.debt == debt.id, one.known_at <= at)
    found = one.seen.get(key)
    if found is None:
        mine, known = key
        by = "customer" if one.actor == "payer" else "merchant"
        found = one.seen[key] = Counted(
            _instant(one.at), one.amount, one.currency, by, mine,
            one.state if known else "pending",
            one.decline if known else None, one.advice if known else None,
        )  # fmt: skip
    return found


# --- policies: when the next try is wished for ------------------------------------------------


def _ladder(year: Year, debt: Debt, at: int) -> int:
    return at + 8 * DAY


def _back_off(year: Year, debt: Debt, at: int) -> int:
    return at + year.draw.randrange(HOUR, 36 * HOUR * 2 ** min(len(debt.tries), 3))


def _eager(year: Year, debt: Debt, at: int) -> int:
    return at + year.draw.choice((1, 60, 300, HOUR))


def _edges(year: Year, debt: Debt, at: int) -> int:
    """The very second before, at and after an edge: of a window that rolls, or of the clock."""
    one = year.draw.choice(year.tries[-40:])
    span = year.draw.choice((DAY, 26 * HOUR, 72 * HOUR, 5 * DAY, 30 * DAY))
    midnight = (at + IST) // DAY * DAY - IST
    clock = midnight + year.draw.choice((0, 10, 13, 17, 21.5, 24)) * HOUR - HOUR
    edge = int(year.draw.choice((one.at + span, clock))) + year.draw.choice((-1, 0, 1))
    return edge if edge > at else at + 600
