"""decide(): the answer of policy and guards for a case at an instant. Pure.

The caller loads the view and writes down what comes back; nothing here reads a clock, a database
or a PSP, so that a stored decision can be replayed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tinko_pipelines.core.failures.taxonomy import RetryAdvice
from tinko_pipelines.core.guards.evaluate import next_allowed
from tinko_pipelines.core.guards.model import Counted, Facts, LastFailure
from tinko_pipelines.core.ledger.states import COLLECTIBLE, OPEN_ATTEMPTS, AttemptState
from tinko_pipelines.core.psp.types import Actor
from tinko_pipelines.core.recovery.policy import Policy


class Action(StrEnum):
    RETRY = "retry"
    ASK_PAYER = "ask_payer"
    WAIT = "wait"
    WATCH = "watch"  # the PSP retries; we count
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One try at the debt, by anyone, with the classification of its failure."""

    actor: Actor
    state: AttemptState
    at: datetime
    payer_present: bool = False
    advice: RetryAdvice | None = None
    hard: bool = False
    late_authorisation: bool = False
    network_decline_code: str | None = None
    network_advice_code: str | None = None


@dataclass(frozen=True, slots=True)
class CaseView:
    """All that decide() looks at. Amounts in minor units of `currency`."""

    key: str  # names the debt for the jitter, the same in every replay of the same world
    psp: str
    obligation_state: str
    amount: int
    currency: str
    retry_owner: str
    psp_retries: bool
    has_mandate: bool | None
    method: str
    network: str | None
    country: str | None
    instrument_key: str | None
    opened_at: datetime
    asked_at: datetime | None
    messages: int
    attempts: tuple[AttemptView, ...]
    counted: tuple[Counted, ...] = ()
    cycle_end: datetime | None = None
    can_be_asked: bool = True  # there is an address to write to


@dataclass(frozen=True, slots=True)
class Decision:
    """`at`: when to retry, or when to look again. `reasons` are codes, the deciding one first."""

    action: Action
    at: datetime | None
    reasons: tuple[str, ...]
    guard_rows: tuple[str, ...] = ()


LOOK_AGAIN = timedelta(hours=24)
# retries that came to nothing (refused by the PSP before any charge, or by a rule at the last
# moment): each doubles the pause before the next, and so many are enough
IDLE_PAUSE = timedelta(hours=1)
MOST_IDLE = 5
# of these nothing more comes by itself, though what was begun may still be paid
_MOVING = OPEN_ATTEMPTS - {AttemptState.REQUIRES_ACTION}


def decide(case: CaseView, policy: Policy, now: datetime) -> Decision:
    """What happens next with `case` at business time `now`."""
    if case.obligation_state not in COLLECTIBLE:
        return Decision(Action.STOP, None, (f"obligation.{case.obligation_state}",))
    if any(one.state in _MOVING or one.state is AttemptState.SCHEDULED for one in case.attempts):
        return Decision(Action.WAIT, now + LOOK_AGAIN, ("attempt.open",))
    if case.asked_at is not None:
        return _awaiting(case, policy, now)
    if any(one.state is AttemptState.REQUIRES_ACTION for one in case.attempts):
        return _ask(case, policy, now, "authentication.required")
    last = _last_unattended(case)
    if last is None:
        # only a person has tried so far: nothing is stored that we may charge
        return _ask(case, policy, now, "payer.present")
    if last.hard or last.advice in (RetryAdvice.NEVER, RetryAdvice.PAYER_ACTION):
        return _ask(case, policy, now, f"failure.{last.advice}")
    if case.psp_retries or case.retry_owner != "tinko":
        patience = last.at + timedelta(days=policy.psp_patience_days)
        if now < patience:
            return Decision(Action.WATCH, patience, ("psp.retries",))
        return _ask(case, policy, now, "psp.gave_up")
    if not case.has_mandate:
        return _ask(case, policy, now, "mandate.none")
    return _retry(case, policy, last, now)


def _retry(case: CaseView, policy: Policy, last: AttemptView, now: datetime) -> Decision:
    advice = last.advice or RetryAdvice.CAUTIOUS
    made = sum(
        one.actor is Actor.TINKO and one.state in (AttemptState.FAILED, AttemptState.SUCCEEDED)
        for one in case.attempts
    )
    if made >= policy.max_retries[advice]:
        return _ask(case, policy, now, f"policy.max_retries.{advice}")
    until = case.opened_at + timedelta(days=policy.max_days)
    wanted = max(now, last.at + policy.delay(case.key, made))
    idle = [
        one.at
        for one in case.attempts
        if one.actor is Actor.TINKO
        and one.state in (AttemptState.NOT_SENT, AttemptState.CANCELLED)
        and one.at >= last.at
    ]
    if len(idle) >= MOST_IDLE:
        return _ask(case, policy, now, "retry.refused")
    if idle:
        wanted = max(wanted, max(idle) + IDLE_PAUSE * 2 ** (len(idle) - 1))
    at, verdict = next_allowed(facts(case, last), wanted, until)
    if at is None:
        denied = f"guard.{verdict.denied_by}"
        return _ask(case, policy, now, denied)
    if at > until:
        return _ask(case, policy, now, "policy.max_days")
    return Decision(Action.RETRY, at, (f"advice.{advice}", f"retry.{made + 1}"), verdict.rows)


def _awaiting(case: CaseView, policy: Policy, now: datetime) -> Decision:
    """The payer has been asked: remind, and stop when the link has run out."""
    assert case.asked_at is not None
    expires = case.asked_at + timedelta(days=policy.link_days)
    if now >= expires:
        return Decision(Action.STOP, None, ("payer.silent",))
    remind = case.asked_at + timedelta(hours=policy.remind_hours) * case.messages
    if case.messages >= policy.max_messages:
        return Decision(Action.WAIT, expires, ("payer.asked",))
    if now < remind:
        return Decision(Action.WAIT, remind, ("payer.asked",))
    return Decision(Action.ASK_PAYER, now, ("payer.reminder",))


def _ask(case: CaseView, policy: Policy, now: datetime, reason: str) -> Decision:
    if not case.can_be_asked:
        return Decision(Action.STOP, None, (reason, "payer.no_address"))
    return Decision(Action.ASK_PAYER, now, (reason,))


def _last_unattended(case: CaseView) -> AttemptView | None:
    failed = [
        one for one in case.attempts if one.state is AttemptState.FAILED and not one.payer_present
    ]
    return max(failed, key=lambda one: one.at, default=None)


def facts(case: CaseView, last: AttemptView | None) -> Facts:
    """The case as the guards see it."""
    return Facts(
        psp=case.psp,
        method=case.method,
        network=case.network,
        country=case.country,
        instrument_key=case.instrument_key,
        amount=case.amount,
        currency=case.currency,
        counted=case.counted,
        last_failure=None
        if last is None
        else LastFailure(
            at=last.at,
            network_decline_code=last.network_decline_code,
            network_advice_code=last.network_advice_code,
        ),
        timed_out_at=max((one.at for one in case.attempts if one.late_authorisation), default=None),
        cycle_end=case.cycle_end,
    )
