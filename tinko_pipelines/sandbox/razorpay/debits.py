"""When a recurring debit reaches the bank, and when its result is known. Pure.

Sources: Razorpay's recurring payments docs (25 h after the notice for UPI, 36 h 05 min for cards,
e-mandates on business days with the result a day later), NPCI's windows for UPI Autopay.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinko_pipelines.sandbox.draws import Draws
from tinko_pipelines.sandbox.payers import DAY, HOUR

IST = 5 * HOUR + 1800
# seconds of the day in India between which no UPI mandate is debited
_UPI_CLOSED = ((10 * HOUR, 13 * HOUR), (17 * HOUR, 21 * HOUR + 1800))
_AFTER_NOTICE = {"upi": 25 * HOUR, "card": 36 * HOUR + 300}
_NOTICE_FAILS = 0.012
UPI_RETRIES = 3  # NPCI: one attempt and three retries
LATE_WITHIN = 5 * DAY


@dataclass(frozen=True, slots=True)
class Plan:
    """The instants of one debit, epoch seconds. `notice_at` None: nobody was told ahead.

    `told` False: the notice did not reach the payer, so nothing is debited.
    """

    debit_at: int
    result_at: int
    notice_at: int | None = None
    told: bool = True


def next_upi_window(at: int) -> int:
    """`at`, or the end of the closed hours it lies in (Asia/Kolkata)."""
    second = (at + IST) % DAY
    for begin, end in _UPI_CLOSED:
        if begin <= second < end:
            return at + end - second
    return at


def business_day(at: int, ahead: int = 0) -> int:
    """Midnight in India of the day of `at`, moved on by `ahead` days, then past a weekend.

    `ahead` counts business days.
    """
    day = (at + IST) // DAY
    while True:
        weekday = (day + 3) % 7  # day 0 was a Thursday; Monday is 0
        if weekday < 5:
            if ahead == 0:
                return day * DAY - IST
            ahead -= 1
        day += 1


def notice(draws: Draws, order_id: str, sent_at: int, *, sure: bool = False) -> tuple[int, bool]:
    """When the pre-debit notice of an order is answered for, and whether it reached the payer.

    `sure`: it does, as the notices of test tokens do.
    """
    told = sure or not draws.chance(_NOTICE_FAILS, order_id, "notice fails")
    return sent_at + draws.between(60, 5400, order_id, "notice takes"), told


def after_default(method: str) -> int:
    """Seconds from the delivered notice to the debit, where the order names no instant."""
    return _AFTER_NOTICE.get(method, DAY)


def after_notice(
    draws: Draws, method: str, payment_id: str, noticed: tuple[int, bool], *, now: int,
    after: int | None = None,
) -> Plan:  # fmt: skip
    """The debit that a notice announced, for a payment made at `now`.

    `after` is the order's own `payment_after`.
    """
    notice_at, told = noticed
    if not told:
        return Plan(max(notice_at, now), max(notice_at, now), None, told=False)
    at = notice_at + after_default(method) if after is None else max(after, notice_at)
    at = max(at, now)
    plan = at_once(draws, method, payment_id, at)
    return Plan(plan.debit_at, plan.result_at, notice_at)


def at_once(draws: Draws, method: str, payment_id: str, at: int) -> Plan:
    """The first debit possible from `at` on, with its notice long given."""
    if method == "upi":
        debit = next_upi_window(at)
        if debit > at:  # not everybody in the first second of the window
            debit += draws.between(0, 1800, payment_id, "queue")
        return Plan(debit, debit + draws.between(20, 240, payment_id, "answer"))
    if method == "emandate":
        opens = business_day(at) + 9 * HOUR
        if opens < at:
            opens = business_day(at + DAY) + 9 * HOUR
        debit = opens + draws.between(0, 7200, payment_id, "queue")
        result = business_day(debit + DAY) + 11 * HOUR
        return Plan(debit, result + draws.between(0, 7200, payment_id, "answer"))
    return Plan(at, at + draws.between(5, 40, payment_id, "answer"))


def late_at(draws: Draws, instrument_id: str, at: int, certain: bool = False) -> int | None:
    """When a debit that timed out at `at` is authorised after all, if it is (within 5 days)."""
    if certain or draws.chance(0.4, instrument_id, "late", at // 900):
        wait = draws.between(3 * HOUR, LATE_WITHIN - 2 * HOUR, instrument_id, "late by", at // 900)
        return at + wait
    return None
