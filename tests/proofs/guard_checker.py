"""Every limit on an attempt, read a second time and counted the plainest way.

Written from the published limits alone and sharing nothing with core/guards: no row of limits.yaml,
no kind, no calendar. Instants are whole seconds since 1970, amounts minor units.
"""

from dataclasses import dataclass, field

HOUR, DAY = 3600, 86400
IST = 5 * HOUR + 1800
VISA_NEVER = {"04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3"}
MASTERCARD_NEVER = {"01", "03", "21"}
MASTERCARD_HOURS = {
    "02": 72,
    "24": 1,
    "25": 24,
    "26": 48,
    "27": 96,
    "28": 144,
    "29": 192,
    "30": 240,
}
VISA_TWENTY = 1746057600  # 2025-05-01
NPCI = 1754006400  # 2025-08-01
RBI = 1776729600  # 2026-04-21
ESSENTIALS = {"insurance", "mutual_funds", "card_bills"}
# (month, day): holidays of Mumbai's banks that fall on the same day every year
HOLIDAYS = {(1, 26), (2, 19), (4, 14), (5, 1), (8, 15), (10, 2), (12, 25)}


@dataclass(slots=True)
class Tried:
    """One attempt on an instrument. `known_at`: from when on its result is known; `codes` are what
    the network said then, `timed_out` that the bank may yet take the money."""

    at: int
    actor: str  # tinko, psp, merchant or payer
    debt: int
    amount: int
    currency: str
    known_at: int
    state: str = "failed"
    decline: str | None = None
    advice: str | None = None
    timed_out: bool = False
    # of the attempt when it was made: when the payer was told, and when the mandate's cycle ends
    notice_at: int | None = None
    cycle_end: int | None = None
    seen: dict = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class Instrument:
    """A card or mandate at one merchant's PSP account."""

    psp: str
    method: str
    network: str | None
    country: str
    currency: str
    merchant_country: str
    category: str | None
    own_notice: bool  # the pre-debit notice is ours to wait for
    frequency: str | None = None  # how often the mandate may be debited; None: nobody said


def violations(what: Instrument, tries: list[Tried]) -> list[tuple[str, int]]:
    """Limits that attempts of ours broke, each with the instant; `tries` in the order made."""
    found = []
    for place, one in enumerate(tries):
        if one.actor == "tinko":
            found += [(name, one.at) for name in _broken(what, one, tries, place)]
    return found


def _broken(what: Instrument, one: Tried, tries: list[Tried], place: int) -> list[str]:
    now = one.at
    month, debt = [], []
    for index in range(place - 1, -1, -1):
        other = tries[index]
        recent = other.at > now - 30 * DAY
        if recent:
            month.append(other)
        if other.debt == one.debt:
            debt.append(other)
        if not recent and other.at < now - 400 * DAY:
            break
    known = [other for other in {id(x): x for x in month + debt}.values() if other.known_at <= now]
    broken = _card(what, one, month, known) if what.method == "card" else []
    if what.method != "card" and what.frequency not in (None, "as_presented"):
        broken += _cycle(what, one, tries[:place])
    # of all that the card has ever seen
    if what.network == "visa" and any(
        other.decline in VISA_NEVER and other.known_at <= now for other in tries[:place]
    ):
        broken.append("visa never")
    if what.network == "mastercard" and any(
        other.advice in MASTERCARD_NEVER and other.known_at <= now for other in tries[:place]
    ):
        broken.append("mastercard never")
    if what.method == "upi" and now >= NPCI:
        broken += _upi(what, one, debt)
    if what.method != "card":
        broken += _mandate(what, one, month, debt)
    if now >= RBI and (what.method != "card" or what.country == "IN"):
        broken += _rbi(what, one, debt)
    if what.psp == "razorpay" and any(
        other.timed_out and now - 5 * DAY < other.at for other in debt if other.known_at <= now
    ):
        broken.append("late authorisation")
    return broken


def _card(what: Instrument, one: Tried, month: list[Tried], known: list[Tried]) -> list[str]:
    now, broken = one.at, []
    if what.network == "visa":
        same = sum(
            (other.amount, other.currency, other.actor == "payer")
            == (one.amount, one.currency, False)
            for other in month
        )
        if same + 1 > (20 if now >= VISA_TWENTY else 15):
            broken.append("visa 20 in 30 days" if now >= VISA_TWENTY else "visa 15 in 30 days")
    elif what.network == "mastercard":
        indian = what.merchant_country == "IN"
        for other in known:
            hours = MASTERCARD_HOURS.get(other.advice or "", 0)
            if hours and now < other.at + hours * HOUR and (other.advice == "02" or not indian):
                broken.append("mastercard wait")
        if sum(other.at > now - DAY for other in month) + 1 > 10:
            broken.append("mastercard 10 in 24 hours")
        if len(month) + 1 > 35:
            broken.append("mastercard 35 in 30 days")
    elif len(month) + 1 > 20:
        broken.append("other 20 in 30 days")
    return broken


def _debit(what: Instrument, one: Tried) -> int:
    """The PSP debits 25 hours after it is asked, where the notice is its own."""
    return one.at if what.own_notice else one.at + 25 * HOUR


def _upi(what: Instrument, one: Tried, debt: list[Tried]) -> list[str]:
    broken = []
    if sum(other.actor != "payer" for other in debt) + 1 > 4:
        broken.append("upi 4 attempts")
    second = (_debit(what, one) + IST) % DAY
    if 10 * HOUR <= second < 13 * HOUR or 17 * HOUR <= second < 21 * HOUR + 1800:
        broken.append("upi windows")
    return broken


def _mandate(what: Instrument, one: Tried, month: list[Tried], debt: list[Tried]) -> list[str]:
    broken = []
    if any(other.known_at > one.at for other in month + debt):
        broken.append("unresolved")
    if one.cycle_end is not None and _debit(what, one) >= one.cycle_end - DAY:
        broken.append("last day of the cycle")
    if what.method == "emandate" and not _bank_is_open(_debit(what, one)):
        broken.append("bank holiday")
    return broken


def _cycle(what: Instrument, one: Tried, earlier: list[Tried]) -> list[str]:
    """One success in a cycle, whoever's; and asked for and debited before the cycle's last day."""
    broken, debited = [], _day(_debit(what, one))
    cycle = _cycle_at(what.frequency, debited)
    if what.frequency != "daily" and _cycle_at(what.frequency, debited + 1) != _cycle_at(
        what.frequency, _day(one.at)
    ):
        broken.append("last day of the cycle")
    for other in earlier:
        if other.state == "succeeded" and other.known_at <= one.at:
            days = _day(other.at), _day(other.at + 25 * HOUR)
            if cycle in [_cycle_at(what.frequency, day) for day in days]:
                broken.append("one success in a cycle")
                break
    return broken


def _day(at: int) -> int:
    return (at + IST) // DAY


def _cycle_at(frequency: str, day: int) -> tuple:
    """A name of the cycle that a day (since 1970, in India) is in."""
    year, month, number = _civil(day)
    return {
        "daily": (day,),
        "weekly": ((day + 3) // 7,),  # 1970-01-01 was a Thursday
        "fortnightly": (year, month, number > 15),
        "monthly": (year, month),
        "bimonthly": (year, (month + 1) // 2),
        "quarterly": (year, (month + 2) // 3),
        "half_yearly": (year, month > 6),
        "yearly": (year,),
    }[frequency]


def _bank_is_open(at: int) -> bool:
    day = (at + IST) // DAY
    weekday = (day + 3) % 7  # 1970-01-01 was a Thursday
    _, month, number = _civil(day)
    if weekday == 6 or (month, number) in HOLIDAYS:
        return False
    return not (weekday == 5 and (8 <= number <= 14 or 22 <= number <= 28))


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a count of days since 1970 (no leap year rule is skipped)."""
    year = 1970
    while days >= (length := 366 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 365):
        days -= length
        year += 1
    for month, size in enumerate(
        (31, 29 if length == 366 else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), 1
    ):
        if days < size:
            return year, month, days + 1
        days -= size
    raise AssertionError("a year has twelve months")


def _rbi(what: Instrument, one: Tried, debt: list[Tried]) -> list[str]:
    broken = []
    most = 10_000_000 if what.category in ESSENTIALS else 1_500_000
    if what.currency == "INR" and one.amount > most:
        broken.append("rbi amount")
    if what.own_notice:
        hours = 26 if what.psp == "stripe" and what.method == "card" else 24
        last = max((other.at for other in debt if other.actor != "payer"), default=None)
        if one.notice_at is None or one.at < one.notice_at + hours * HOUR:
            broken.append("notice")
        elif last is not None and one.notice_at <= last:
            broken.append("fresh notice")
    return broken
