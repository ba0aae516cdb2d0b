"""What a fired rule comes to: its actions in the words of decide(). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tinko_pipelines.core.ledger.states import AttemptState
from tinko_pipelines.core.recovery.case import Action, AttemptView, CaseView
from tinko_pipelines.core.recovery.windows import PRESETS, Window
from tinko_pipelines.core.rules import vocabulary
from tinko_pipelines.core.rules.actions import (
    AskPayer,
    Deciding,
    NextWindow,
    RetryAt,
    Stop,
    Wait,
)
from tinko_pipelines.core.rules.engine import Fired, evaluate
from tinko_pipelines.core.rules.facts import RuleFacts
from tinko_pipelines.core.rules.model import RuleSet
from tinko_pipelines.core.rules.moments import moment


@dataclass(frozen=True, slots=True)
class Ruling:
    """`does` None: the rule leaves it to the policy. `windows` None: the policy's.

    `rule` names the version that fired, `<rule id>:v<version>`.
    """

    rule: str | None = None
    does: Action | None = None
    at: datetime | None = None
    windows: tuple[Window, ...] | None = None
    channels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    offered_psp: str | None = None


NO_RULING = Ruling()


def rule_on(case: CaseView, rules: RuleSet, now: datetime) -> Ruling:
    """What the first rule that holds says of the case's newest failure."""
    failure = newest_failure(case)
    if not len(rules) or failure is None:
        return NO_RULING
    fired = evaluate(rules, rule_facts(case, failure, now))
    return NO_RULING if fired is None else _ruling(fired, case, failure, now)


def newest_failure(case: CaseView) -> AttemptView | None:
    """Of any try, the payer's too."""
    failed = [one for one in case.attempts if one.state is AttemptState.FAILED]
    return max(failed, key=lambda one: one.at, default=None)


def rule_facts(case: CaseView, failure: AttemptView, now: datetime) -> RuleFacts:
    """The case as rules see it at `now`."""
    failed = [one.at for one in case.attempts if one.state is AttemptState.FAILED]
    place = case.place
    return RuleFacts.at(
        now,
        place.org_timezone,
        place.payer_timezone,
        amount=case.amount,
        currency=case.currency,
        psp=case.psp,
        method=case.method,
        category=failure.category.value if failure.category else None,
        code=failure.code,
        attempt=len(failed),
        days_since_failure=max(0, (now - min(failed)).days),
        customer_tags=case.customer_tags,
        country=case.payer_country or case.country,
    )


def _ruling(fired: Fired, case: CaseView, failure: AttemptView, now: datetime) -> Ruling:
    does, at, windows = _moment(fired.deciding, case, failure, now)
    asks = fired.deciding if isinstance(fired.deciding, AskPayer) else None
    return Ruling(
        rule=f"{fired.rule_id}:v{fired.version}",
        does=does,
        at=at,
        windows=windows,
        channels=tuple(asks.channels) if asks else (),
        tags=fired.tags,
        offered_psp=fired.offer_psp,
    )


def _moment(
    action: Deciding | None, case: CaseView, failure: AttemptView, now: datetime
) -> tuple[Action | None, datetime | None, tuple[Window, ...] | None]:
    """What to do, from when on, and in which windows.

    Spans are counted from the failure: a case that is looked at again while it waits neither
    waits anew nor is put off, and a wait that is over leaves the rest to the policy. An instant
    of `retry_at` is taken as it is; `retry_in` keeps to the policy's windows.
    """
    place = case.place
    match action:
        case None:
            return None, None, None
        case Stop():
            return Action.STOP, None, None
        case AskPayer():
            return Action.ASK_PAYER, None, None
        case NextWindow():
            return Action.RETRY, now, _windows(action)
        case RetryAt():
            at = moment(action, now, place.org_timezone, place.payer_timezone)
            return (None, None, None) if at is None else (Action.RETRY, at, ())
    at = moment(action, failure.at, place.org_timezone, place.payer_timezone)
    if isinstance(action, Wait):
        return (Action.WAIT, at, None) if at is not None and at > now else (None, None, None)
    return Action.RETRY, at, None


def ask_for_banking_days(rules: RuleSet) -> bool:
    """Whether any of them waits for a window that is of the month's last banking day."""
    return any(
        isinstance(action, NextWindow) and "last_banking_day" in PRESETS.get(action.window, {})
        for rule in rules
        for action in rule.body.then
    )


def _windows(action: NextWindow) -> tuple[Window, ...] | None:
    if action.window is vocabulary.Window.POLICY:
        return None
    return (Window.model_validate({"preset": action.window.value, "timezone": "payer"}),)
