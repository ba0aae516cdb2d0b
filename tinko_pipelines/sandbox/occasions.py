"""How often each limit of `violations.py` stood in the way: a judge that sees nothing to judge
proves nothing."""

from __future__ import annotations

from collections import Counter

from tinko_pipelines.sandbox.ledger import FAILED, Ledger
from tinko_pipelines.sandbox.store import Doc, Store
from tinko_pipelines.sandbox.violations import (
    DAY,
    bank_is_open,
    debit_at,
    is_over_rbi,
    network_limit,
)

_SOON = 3  # days after a failure in which its next debit is wanted
# the occasions that are counted, by the names of what would be broken
LIMITS = (
    "mastercard_wait_02",
    "mastercard_wait_24_to_30",
    "mastercard_never",
    "visa_never",
    "rbi_amount",
    "debit_without_notice",
    "bank_holiday",
)


def occasions(store: Store, ledger: Ledger) -> dict[str, int]:
    """By limit: failures after which it bars or delays the next charge, and debits of Tinko's that
    had to wait for it. Doors that the PSP itself retries are nobody's occasion."""
    trades = {account["id"]: account.get("category") for account in store.all("account")}
    found = Counter(dict.fromkeys(LIMITS, 0))
    for row in ledger.all_attempts():
        if row["owner"] == "psp":
            continue
        if row["state"] == FAILED:
            found.update(_after(row, trades.get(row["account"])))
        if row["actor"] == "tinko":
            found.update(_of_debit(row))
    return dict(found)


def _after(row: Doc, trade: str | None) -> list[str]:
    """What a failed attempt puts in force, or what its next one comes upon."""
    said = network_limit(row)
    names = [said] if said else []
    if is_over_rbi(row, trade):
        names.append("rbi_amount")
    soon = (debit_at(row) + ahead * DAY for ahead in range(1, _SOON + 1))
    if row["method"] == "emandate" and not all(map(bank_is_open, soon)):
        names.append("bank_holiday")
    return names


def _of_debit(row: Doc) -> list[str]:
    """What a debit of a mandate had to wait for: its notice, and the end of a bank holiday."""
    names = ["debit_without_notice"] if row["facts"].get("notice_at") else []
    if row["method"] == "emandate" and not bank_is_open(debit_at(row) - DAY):
        names.append("bank_holiday")
    return names
