"""What came of it: the ledger's counts beside the sandbox's, and the verdict on both. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# counts that the ledger and the world must agree on
SAME = (
    "obligations",
    "attempts",
    "attempts_by_actor",
    "failures",
    "unknown",
    "recovered",
    "recovered_by",
    "recovered_minor",
    "paid_minor",
    "double_charges",
)
NONE_OF = (
    "double_charges",
    "lost_events",
    "unclassified",
    "quarantined",
    "sandbox_errors",
    # recoveries that are neither settled nor explained
    "unexplained",
    # rows of the archived month that the ledger still has
    "archived_rows_left",
)
# what must be true, and what it means where it is not
TRUE = {
    "mart_matches_ledger": "the mart's totals differ from the ledger's",
    "ledger_is_matched_plus_findings": "the ledger is not what is matched and what is in findings",
    "archive_is_what_the_ledger_had": "S3 has not what the ledger had of the archived month",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wrong` says in plain words what kept the demo from passing; empty when it passed."""

    wrong: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.wrong


def judge(ours: Mapping[str, Any], baselines: Mapping[str, Any]) -> Verdict:
    """Hold our counts (with `truth` in them) against the world's and against the ladder."""
    truth = ours["truth"]
    wrong = [f"{name} is {ours[name]}, it must be 0" for name in NONE_OF if ours[name]]
    wrong += [
        f"{name}: ledger {ours[name]}, sandbox {truth[name]}"
        for name in SAME
        if _plain(ours[name]) != _plain(truth[name])
    ]
    wrong += [says for name, says in TRUE.items() if not ours[name]]
    wrong += [f"the check {name} failed" for name in ours["failed_checks"]]
    if not ours["archived"] or ours["archived"] != ours["archive_queried_rows"]:
        wrong.append(f"archived {ours['archived']}, read in S3 {ours['archive_queried_rows']}")
    for name, count in truth["guard_violations"].items():
        if count:
            wrong.append(f"guard {name} was broken {count} times")
    for currency, minor in baselines["ladder_8_8_8"].items():
        got = ours["recovered_minor"].get(currency, 0)
        if got < minor:
            wrong.append(f"recovered {got} {currency} minor units, the 8/8/8 ladder {minor}")
    return Verdict(tuple(wrong))


def _plain(value: Any) -> Any:
    """Counts by key are the same whether a zero is written down or not."""
    if isinstance(value, Mapping):
        return {key: count for key, count in value.items() if count}
    return value
