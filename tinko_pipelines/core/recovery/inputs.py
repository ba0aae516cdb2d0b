"""What a decision is made on beside the ledger: limits and bank holidays, as they are known now.

Operators change limits, a merchant's category moves, calendars are mended. So a decision keeps the
rows and the holidays that may matter until its case ends, and `replay` makes it again on those.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import datetime, timedelta

from tinko_pipelines.core.canonical import to_plain
from tinko_pipelines.core.guards.evidence import Kept, limits_of
from tinko_pipelines.core.guards.rows import Book
from tinko_pipelines.core.recovery.case import CaseView, facts
from tinko_pipelines.core.recovery.deadline import ends_at
from tinko_pipelines.core.recovery.places import bank_holidays
from tinko_pipelines.core.recovery.policy import Policy
from tinko_pipelines.core.recovery.ruling import ask_for_banking_days
from tinko_pipelines.core.rules.model import RuleSet

# a local day begins up to a day before UTC's or after it, and a window may be yesterday's
_AROUND = timedelta(days=2)


def with_holidays(case: CaseView, policy: Policy, rules: RuleSet, now: datetime) -> CaseView:
    """`case` with the bank holidays that its windows may ask for; as it is where none do."""
    if not (policy.asks_for_banking_days or ask_for_banking_days(rules)):
        return case
    first, last = (now - _AROUND).date(), (_end(case, policy, now) + _AROUND).date()
    return replace(case, bank_holidays=bank_holidays(case.place.country, first, last))


def limits_until_the_end(case: CaseView, policy: Policy, now: datetime, rows: Book) -> Kept:
    """Those of `rows` that speak of any try at the case, in force now, later or not."""
    return limits_of(facts(case, None), now, _end(case, policy, now), rows)


def document(
    case: CaseView, policy_version_id: uuid.UUID, rules: RuleSet, now: datetime, limits: Kept
) -> str:
    """The inputs of a row of `decisions`, as JSON: what replay.read_inputs() takes."""
    inputs = {
        "policy_version_id": policy_version_id,
        "rules": rules.versions,
        "limits": limits.digest,
        "now": now,
        "view": case,
    }
    return json.dumps(to_plain(inputs))


def _end(case: CaseView, policy: Policy, now: datetime) -> datetime:
    return max(now, ends_at(case, policy))
