"""decide(): the answer of policy, rules and guards for a case at an instant. Pure.

The caller loads the view and writes down what comes back; nothing here reads a clock, a database
or a PSP, so that a stored decision can be replayed.

The order is fixed: what is owed and what is under way; then rule 12 (what never is retried, not
even where a rule says so); a rule that fires, in the place of the policy's choice; the policy;
and the guards, always last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tinko_pipelines.core.failures.taxonomy import RetryAdvice
from tinko_pipelines.core.guards.rows import Book, Limit
from tinko_pipelines.core.ledger.states import COLLECTIBLE, OPEN_ATTEMPTS, AttemptState
from tinko_pipelines.core.psp.types import Actor
from tinko_pipelines.core.recovery.case import (
    Action,
    AttemptView,
    CaseView,
    Decision,
    facts,
    last_unattended,
)
from tinko_pipelines.core.recovery.deadline import ends_at, outdated
from tinko_pipelines.core.recovery.instant import first_agreed
from tinko_pipelines.core.recovery.policy import NOT_RETRIED, Policy
from tinko_pipelines.core.recovery.ruling import Ruling, rule_on
from tinko_pipelines.core.recovery.windows import Window
from tinko_pipelines.core.rules.model import NO_RULES, RuleSet

__all__ = ["Action", "AttemptView", "CaseView", "Decision", "decide", "ends_at", "facts"]

LOOK_AGAIN = timedelta(hours=24)
# retries that came to nothing (refused by the PSP before any charge, or by a rule at the last
# moment): each doubles the pause before the next, and so many are enough
IDLE_PAUSE = timedelta(hours=1)
MOST_IDLE = 5
# payers are told of so many debits that never come, and then they are asked
NOTICES_IN_VAIN = 2
# of these nothing more comes by itself, though what was begun may still be paid
_MOVING = OPEN_ATTEMPTS - {AttemptState.REQUIRES_ACTION}


def decide(
    case: CaseView,
    policy: Policy,
    now: datetime,
    rules: RuleSet = NO_RULES,
    limits: Sequence[Limit] | Book | None = None,
) -> Decision:
    """What happens next with `case` at business time `now`.

    `limits` are the guards' rows, those of limits.yaml where none are given.
    """
    if case.obligation_state not in COLLECTIBLE:
        return Decision(Action.STOP, None, (f"obligation.{case.obligation_state}",))
    if any(one.state in _MOVING for one in case.attempts):
        return Decision(Action.WAIT, now + LOOK_AGAIN, ("attempt.open",))
    planned = [one for one in case.attempts if one.state is AttemptState.SCHEDULED]
    past = outdated(case, policy, planned, now)
    if planned and past is None:
        return Decision(Action.WAIT, now + LOOK_AGAIN, ("attempt.open",))
    answer = _Deciding(case, policy, now, rule_on(case, rules, now), limits).answer()
    if past is None:
        return answer
    return replace(answer, cancels=True, reasons=(*answer.reasons, past))


@dataclass(frozen=True, slots=True)
class _Deciding:
    """One decision on its way: the case, and what a rule says of it."""

    case: CaseView
    policy: Policy
    now: datetime
    ruling: Ruling
    limits: Sequence[Limit] | Book | None = None

    def answer(self) -> Decision:
        ruling = self.ruling
        answer = self._ruled() or self._by_policy()
        if ruling.rule is None:
            return answer
        return replace(
            answer,
            reasons=(*answer.reasons, f"rule:{ruling.rule}"),
            tags=ruling.tags,
            offered_psp=ruling.offered_psp,
            rule=ruling.rule,
        )

    def _ruled(self) -> Decision | None:
        """What the rule makes of it; None leaves it to the policy."""
        ruling = self.ruling
        if ruling.does is Action.STOP:
            return Decision(Action.STOP, None, ("rule.stop",))
        if self.case.asked_at is not None:
            return None
        if ruling.does is Action.ASK_PAYER:
            return self._ask("rule.ask_payer")
        if ruling.does is Action.WAIT and ruling.at is not None:
            return Decision(Action.WAIT, ruling.at, ("rule.wait",))
        last = last_unattended(self.case)
        if ruling.does is Action.RETRY and last is not None and self._barred(last) is None:
            windows = ruling.windows
            if windows is None:
                windows = self.policy.plan(last.failure).windows
            return self._retry(last, ruling.at or self.now, windows, "rule.retry")
        return None

    def _by_policy(self) -> Decision:
        case = self.case
        if case.asked_at is not None:
            return self._awaiting(case.asked_at)
        last = last_unattended(case)
        barred = self._barred(last)
        if barred is not None:
            return barred
        assert last is not None
        return self._unless_capped(last) or self._by_strategy(last)

    def _barred(self, last: AttemptView | None) -> Decision | None:
        """Rules 3, 11 and 12: what is not ours to retry, whatever policy or rule say."""
        case, now = self.case, self.now
        if any(one.state is AttemptState.REQUIRES_ACTION for one in case.attempts):
            return self._ask("authentication.required")
        if last is None:
            # only a person has tried so far: nothing is stored that we may charge
            return self._ask("payer.present")
        if last.hard or last.advice in NOT_RETRIED:
            return self._ask(f"failure.{last.advice}")
        if case.stopped_by is not None:
            return self._ask(f"subscription.{case.stopped_by}")
        if case.psp_retries or case.retry_owner != "tinko":
            patience = last.at + timedelta(days=self.policy.psp_patience_days)
            if now < patience:
                return Decision(Action.WATCH, patience, ("psp.retries",))
            return self._ask("psp.gave_up")
        if not case.has_mandate:
            return self._ask("mandate.none")
        return None

    def _unless_capped(self, last: AttemptView) -> Decision | None:
        """The policy's own caps, which a rule replaces with the rest of its choice."""
        case = self.case
        band = self.policy.amounts.get(case.currency)
        refused = band.refuses(case.amount) if band else None
        if refused is not None:
            end, then = refused
            reason = f"policy.amount.{end}"
            stop = Decision(Action.STOP, None, (reason,))
            return stop if then == "stop" else self._ask(reason)
        if self._made >= self.policy.plan(last.failure).max_retries:
            return self._ask(f"policy.max_retries.{last.advice or RetryAdvice.CAUTIOUS}")
        return None

    def _by_strategy(self, last: AttemptView) -> Decision:
        plan = self.policy.plan(last.failure)
        pause = plan.strategy.pause(self.case.key, self._made, last.failure)
        if pause is None:
            return self._ask("policy.ladder.ended")
        reason = f"advice.{last.advice or RetryAdvice.CAUTIOUS}"
        return self._retry(last, last.at + pause, plan.windows, reason)

    @property
    def _made(self) -> int:
        return sum(
            one.actor is Actor.TINKO and one.state in (AttemptState.FAILED, AttemptState.SUCCEEDED)
            for one in self.case.attempts
        )

    def _retry(
        self, last: AttemptView, wanted: datetime, windows: tuple[Window, ...], reason: str
    ) -> Decision:
        """A retry from `wanted` on, where windows and guards agree before the policy's end."""
        case, policy = self.case, self.policy
        if self._made >= policy.max_attempts:
            return self._ask("policy.max_attempts")
        idle = [
            one
            for one in case.attempts
            if one.actor is Actor.TINKO
            and one.state in (AttemptState.NOT_SENT, AttemptState.CANCELLED)
            and one.at >= last.at
        ]
        if len(idle) >= MOST_IDLE:
            return self._ask("retry.refused")
        if sum(one.notice_asked for one in idle) >= NOTICES_IN_VAIN:
            return self._ask("notice.undelivered")
        wanted = max(self.now, wanted)
        if idle:
            latest = max(one.at for one in idle)
            wanted = max(wanted, latest + IDLE_PAUSE * 2 ** (len(idle) - 1))
        until, known = ends_at(case, policy), facts(case, last)
        agreed = first_agreed(windows, case.place, known, wanted, until, self.limits)
        if agreed.at is None:
            return self._ask(agreed.denied or "policy.max_days")
        return Decision(Action.RETRY, agreed.at, (reason, f"retry.{self._made + 1}"), agreed.rows)

    def _awaiting(self, asked_at: datetime) -> Decision:
        """The payer has been asked: remind, and stop when the link has run out."""
        case, policy, now = self.case, self.policy, self.now
        expires = asked_at + timedelta(days=policy.link_days)
        if now >= expires:
            return Decision(Action.STOP, None, ("payer.silent",))
        remind = asked_at + timedelta(hours=policy.remind_hours) * case.messages
        channel = self._channel()
        if case.messages >= policy.max_messages or channel is None:
            return Decision(Action.WAIT, expires, ("payer.asked",))
        if now < remind:
            return Decision(Action.WAIT, remind, ("payer.asked",))
        return Decision(Action.ASK_PAYER, now, ("payer.reminder",), channel=channel)

    def _ask(self, reason: str) -> Decision:
        channel = self._channel()
        if channel is None:
            return Decision(Action.STOP, None, (reason, "payer.no_address"))
        return Decision(Action.ASK_PAYER, self.now, (reason,), channel=channel)

    def _channel(self) -> str | None:
        """Where the next message goes: the rule's channels in turn, else the policy's, of those
        on which the payer can be reached."""
        last = last_unattended(self.case)
        failure = (last or self.case.attempts[-1]).failure if self.case.attempts else None
        usual = self.policy.plan(failure).channels if failure else self.policy.channels
        for channels in (self.ruling.channels, usual):
            usable = [one for one in channels if one in self.case.reach]
            if usable:
                return str(usable[self.case.messages % len(usable)])
        return None
