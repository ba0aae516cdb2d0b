"""Until when a case is retried, and when a retry that was planned is not to be made any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from tinko_pipelines.core.recovery.case import AttemptView, CaseView
from tinko_pipelines.core.recovery.notices import PATIENCE
from tinko_pipelines.core.recovery.policy import Policy

# a retry planned for the last moment is given so long to be made, and one whose notice is out, so
# long to wait for it
GRACE = timedelta(hours=1)
NOTICE_GRACE = PATIENCE + GRACE


def ends_at(case: CaseView, policy: Policy) -> datetime:
    """After this no retry is made."""
    return case.opened_at + timedelta(days=policy.max_days)


def outdated(
    case: CaseView, policy: Policy, planned: Sequence[AttemptView], now: datetime
) -> str | None:
    """Why what stands scheduled is not to be made as it was planned."""
    until = ends_at(case, policy)
    for one in planned:
        grace = NOTICE_GRACE if one.notice_asked else timedelta()
        if one.at > until + grace or now >= until + max(grace, GRACE):
            return "attempt.put_off_too_long"
    if case.mandate_ref is not None and any(
        one.method_ref is not None and one.method_ref != case.mandate_ref for one in planned
    ):
        return "mandate.replaced"
    return None
