"""Network, scheme and legal limits, counted here by the sandbox's own reading of them.

Written apart from `core/guards` on purpose: the two must not share a mistake. Only Tinko's
attempts are judged; everyone's attempts count towards a limit.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

from tinko_pipelines.sandbox.ledger import FAILED, SUCCEEDED, Ledger
from tinko_pipelines.sandbox.store import Doc

DAY = 86400
IST = timezone(timedelta(hours=5, minutes=30))


def violations(ledger: Ledger) -> dict[str, int]:
    """Broken limits by name; a limit that was kept is not in the answer."""
    found: Counter[str] = Counter()
    by_instrument: dict[str, list[Doc]] = {}
    by_token: dict[str, list[Doc]] = {}
    for row in ledger.all_attempts():
        if row["instrument"]:
            by_instrument.setdefault(row["instrument"], []).append(row)
        if row["method"] in ("upi", "emandate") and "token" in row["facts"]:
            by_token.setdefault(row["facts"]["token"], []).append(row)
    for rows in by_token.values():
        for row in rows:
            if row["actor"] == "tinko":
                found.update(_in_cycle(row, rows))
    for rows in by_instrument.values():
        for index, row in enumerate(rows):
            if row["actor"] == "tinko":
                found.update(_on_instrument(row, rows[:index]))
    for debt in ledger.debts():
        rows = ledger.attempts(debt["id"])
        for index, row in enumerate(rows):
            if row["actor"] == "tinko":
                found.update(_on_debt(row, rows[:index], debt["amount"]))
    return dict(found)


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
        hour = datetime.fromtimestamp(int(row["facts"].get("executes_at", row["at"])), UTC)
        local = hour.astimezone(IST)
        minute = local.hour * 60 + local.minute
        # a notice that reached nobody is answered at any hour: no debit follows it
        debited = row["facts"].get("notice_at") != ""
        if debited and (600 <= minute < 780 or 1020 <= minute < 1290):
            broken.append("upi_outside_window")
    # the surface marks these when the debit is made: only it knows what may still be authorised
    if row["facts"].get("unresolved"):
        broken.append("debit_while_unresolved")
    told = row["facts"].get("notice_at")
    too_soon = told and int(row["facts"]["executes_at"]) - int(told) < DAY
    if too_soon or row["facts"].get("untold"):
        broken.append("debit_without_notice")
    return broken
