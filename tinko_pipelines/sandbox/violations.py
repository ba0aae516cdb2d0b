"""Network, scheme and legal limits, counted here by the sandbox's own reading of them.

Written apart from `core/guards` on purpose: the two must not share a mistake. Only Tinko's
attempts are judged; everyone's attempts count towards a limit. `occasions.py` counts how often a
limit could have been broken at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone

from tinko_pipelines.sandbox.ledger import FAILED, SUCCEEDED, Ledger
from tinko_pipelines.sandbox.store import Doc, Store

HOUR, DAY = 3600, 86400
IST = timezone(timedelta(hours=5, minutes=30))

# what a network says of a declined card (facts `decline`, `advice`): never again
NEVER = {
    "visa": (
        "decline",
        frozenset(("04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3")),
    ),
    "mastercard": ("advice", frozenset(("01", "03", "21"))),
}
# or, Mastercard, not for so many hours
WAITS = {"02": 72, "24": 1, "25": 24, "26": 48, "27": 96, "28": 144, "29": 192, "30": 240}
# what one debt of a card hears, all other debts on it must know: so long after we were told of it
TOLD_FOR = DAY

# RBI, without a second factor: paise, and for what the larger sum may be
RBI_SINCE = int(datetime(2026, 4, 21, tzinfo=UTC).timestamp())
MOST, MOST_OF_ESSENTIALS = 15_000_00, 1_00_000_00
ESSENTIALS = frozenset(("insurance", "mutual_funds", "card_bills"))
# (month, day): holidays of Mumbai's banks that fall on the same day every year
HOLIDAYS = frozenset(((1, 26), (2, 19), (4, 14), (5, 1), (8, 15), (10, 2), (12, 25)))


def violations(store: Store, ledger: Ledger) -> dict[str, int]:
    """Broken limits by name; a limit that was kept is not in the answer."""
    found: Counter[str] = Counter()
    attempts = list(ledger.all_attempts())
    for row, _, on_token in _ours(attempts, _token):
        found.update(_in_cycle(row, on_token))
    for row, earlier, _ in _ours(attempts, _instrument):
        found.update(_on_instrument(row, earlier))
        found.update(_said_by_network(store, row, earlier))
    trades = {account["id"]: account.get("category") for account in store.all("account")}
    for debt in ledger.debts():
        rows = ledger.attempts(debt["id"])
        for index, row in enumerate(rows):
            if row["actor"] == "tinko":
                found.update(_on_debt(row, rows[:index], debt["amount"]))
                found.update(_on_mandate(row, rows[:index]))
                if is_over_rbi(row, trades.get(row["account"])):
                    found["rbi_amount"] += 1
    return dict(found)


def _ours(
    attempts: list[Doc], key: Callable[[Doc], str | None]
) -> Iterator[tuple[Doc, list[Doc], list[Doc]]]:
    """Tinko's attempts, each with those before it and all of those on what the key names."""
    groups: dict[str, list[Doc]] = {}
    for row in attempts:
        if name := key(row):
            groups.setdefault(name, []).append(row)
    for rows in groups.values():
        for index, row in enumerate(rows):
            if row["actor"] == "tinko":
                yield row, rows[:index], rows


def _instrument(row: Doc) -> str | None:
    named: str | None = row["instrument"]
    return named


def _token(row: Doc) -> str | None:
    named: str | None = row["facts"].get("token")
    return named if row["method"] in ("upi", "emandate") else None


def _on_instrument(row: Doc, earlier: list[Doc]) -> list[str]:
    broken = []
    failed = [e for e in earlier if e["state"] == FAILED and e["actor"] != "payer"]
    if any(e["facts"].get("never") and e["debt"] == row["debt"] for e in failed):
        broken.append("retry_after_hard_decline")
    month = [e for e in failed if e["at"] > row["at"] - 30 * DAY]
    if row["network"] == "mastercard":
        if sum(e["at"] > row["at"] - DAY for e in failed) >= 10:
            broken.append("mastercard_10_in_24h")
        if len(month) >= 35:
            broken.append("mastercard_35_in_30d")
    elif row["method"] == "card":
        same = [
            e for e in month if (e["amount"], e["currency"]) == (row["amount"], row["currency"])
        ]
        # the first attempt is no reattempt: 20 reattempts follow it
        if len(same) >= 21:
            broken.append("card_20_reattempts_in_30d")
    return broken


def _said_by_network(store: Store, row: Doc, earlier: list[Doc]) -> set[str]:
    """What the network asked for after a decline of the card, whichever debt it was for. Of this
    debt's everything can be read before a charge; another's must have been told."""
    return {
        name
        for e in earlier
        if e["state"] == FAILED
        and (name := network_limit(e)) is not None
        and (name.endswith("_never") or row["at"] < e["at"] + WAITS[e["facts"]["advice"]] * HOUR)
        and (e["debt"] == row["debt"] or _was_told(store, e["id"], row["at"] - TOLD_FOR))
    }


def network_limit(row: Doc) -> str | None:
    """The limit that a decline puts in force on its card, if it does."""
    said, codes = NEVER.get(row["network"], ("", frozenset()))
    if row["facts"].get(said) in codes:
        return f"{row['network']}_never"
    if row["network"] == "mastercard" and (advice := row["facts"].get("advice")) in WAITS:
        return "mastercard_wait_02" if advice == "02" else "mastercard_wait_24_to_30"
    return None


def _was_told(store: Store, attempt_id: str, by: int) -> bool:
    """Whether an event that speaks of the attempt was acknowledged by then."""
    for delivery in store.all("delivery"):
        if delivery.get("heard") is not None and delivery["heard"] <= by:
            event = store.get("event", delivery["id"])
            if event is not None and attempt_id in event["body"]:
                return True
    return False


def is_over_rbi(row: Doc, trade: str | None) -> bool:
    """Whether a charge without the payer is of more than is allowed in India; `trade` is what
    kind of merchant makes it."""
    indian = row["method"] in ("upi", "emandate") or row["facts"].get("country") == "IN"
    most = MOST_OF_ESSENTIALS if trade in ESSENTIALS else MOST
    return bool(
        indian and row["currency"] == "INR" and row["at"] >= RBI_SINCE and row["amount"] > most
    )


def _in_cycle(row: Doc, on_token: list[Doc]) -> list[str]:
    """A mandate's cycle: never asked for on its last day, nor debited after it, nor where it has
    had its one success."""
    cycle = _cycle(row["facts"]["frequency"], row["at"])
    if cycle is None:
        return []
    broken = []
    executes = int(row["facts"]["executes_at"])
    if row["at"] >= cycle[1] - DAY or executes >= cycle[1]:
        broken.append("debit_on_cycles_last_day")
    wanted = _cycle(row["facts"]["frequency"], executes)
    taken = (one for one in on_token if one["state"] == SUCCEEDED and one["paid_at"] <= row["at"])
    if any(
        _cycle(one["facts"]["frequency"], int(one["facts"]["executes_at"])) == wanted
        for one in taken
    ):
        broken.append("second_success_in_cycle")
    return broken


def _cycle(frequency: str, at: int) -> tuple[int, int] | None:
    """The calendar week or month in India that `at` lies in; None for other mandates."""
    midnight = datetime.fromtimestamp(at, IST).replace(hour=0, minute=0, second=0)
    if frequency == "weekly":
        first = midnight - timedelta(days=midnight.weekday())
        return int(first.timestamp()), int((first + timedelta(days=7)).timestamp())
    if frequency == "monthly":
        first = midnight.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
        return int(first.timestamp()), int(after.timestamp())
    return None


def _on_debt(row: Doc, earlier: list[Doc], due: int) -> list[str]:
    broken = []
    paid = sum(
        e["captured"] for e in earlier if e["state"] == SUCCEEDED and e["paid_at"] <= row["at"]
    )
    if paid >= due:
        broken.append("charged_when_paid")
    if row["owner"] == "psp":
        broken.append("charged_what_the_psp_retries")
    if row["method"] == "upi":
        if len([e for e in earlier if e["actor"] != "payer"]) >= 4:
            broken.append("upi_more_than_4_attempts")
        # the PSP chooses the hour of a debit it was notified of; the bank sees `executes_at`
        local = datetime.fromtimestamp(_executes_at(row), IST)
        minute = local.hour * 60 + local.minute
        # a notice that reached nobody is answered at any hour: no debit follows it
        debited = row["facts"].get("notice_at") != ""
        if debited and (600 <= minute < 780 or 1020 <= minute < 1290):
            broken.append("upi_outside_window")
    # the surface marks these when the debit is made: only it knows what may still be authorised
    if row["facts"].get("unresolved"):
        broken.append("debit_while_unresolved")
    return broken


def _on_mandate(row: Doc, earlier: list[Doc]) -> list[str]:
    broken = []
    told = int(row["facts"].get("notice_at") or 0)
    if row["facts"].get("untold") or (told and debit_at(row) < told + DAY):
        broken.append("debit_without_notice")
    if told and any(e["actor"] != "payer" and e["at"] >= told for e in earlier):
        broken.append("debit_on_an_old_notice")
    if row["method"] == "emandate" and not bank_is_open(debit_at(row)):
        broken.append("bank_holiday")
    return broken


def debit_at(row: Doc) -> int:
    """When a debit is made as far as its merchant can say: when it is asked for, where the payer
    had been told before, and when the PSP says otherwise."""
    told = int(row["facts"].get("notice_at") or 0)
    return int(row["at"]) if 0 < told <= row["at"] else _executes_at(row)


def _executes_at(row: Doc) -> int:
    return int(row["facts"].get("executes_at", row["at"]))


def bank_is_open(at: int) -> bool:
    """Whether India's banks work on the day: not on Sundays, the month's second and fourth
    Saturday, and national holidays (those that move with the moon are not known here)."""
    day: date = datetime.fromtimestamp(at, IST).date()
    if day.weekday() == 6 or (day.month, day.day) in HOLIDAYS:
        return False
    return day.weekday() != 5 or (day.day - 1) // 7 not in (1, 3)
