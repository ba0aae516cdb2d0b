"""What a policy would do with one failure: every retry fails again, until something else comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tinko_pipelines.core.failures.taxonomy import ADVICE, CATEGORIES, Category, RetryAdvice
from tinko_pipelines.core.guards.model import Counted
from tinko_pipelines.core.ledger.states import AttemptState
from tinko_pipelines.core.psp.types import Actor
from tinko_pipelines.core.recovery.case import Action, AttemptView, CaseView, Decision
from tinko_pipelines.core.recovery.decide import decide
from tinko_pipelines.core.recovery.policy import Policy
from tinko_pipelines.core.rules.model import NO_RULES, RuleSet

# what failures of a category mostly advise; hard ones are the payer's
USUAL_ADVICE: Mapping[Category, RetryAdvice] = {
    Category.INSUFFICIENT_FUNDS: RetryAdvice.TIMED,
    Category.LIMIT_EXCEEDED: RetryAdvice.TIMED,
    Category.ISSUER_UNAVAILABLE: RetryAdvice.TIMED,
    Category.PROCESSING_ERROR: RetryAdvice.TIMED,
    Category.OUTCOME_UNKNOWN: RetryAdvice.POLL,
}


@dataclass(frozen=True, slots=True)
class Example:
    """The failure to try a policy on, and the debt behind it. Amount in minor units."""

    category: Category
    failed_at: datetime
    advice: RetryAdvice | None = None
    code: str | None = None
    amount: int = 10_000
    currency: str = "INR"
    psp: str = "stripe"
    method: str = "card"
    network: str | None = "visa"
    instrument_country: str | None = None
    payer_country: str | None = None
    org_timezone: str = "UTC"
    customer_tags: tuple[str, ...] = ()
    key: str = "preview"  # names the debt: another one draws other jitter


@dataclass(frozen=True, slots=True)
class Preview:
    """The retries in order, and the decision that comes after the last of them has failed."""

    retries: tuple[Decision, ...]
    ending: Decision
    ended_at: datetime


def advice_for(category: Category) -> RetryAdvice:
    """What a failure of this category mostly advises."""
    usual = RetryAdvice.PAYER_ACTION if CATEGORIES[category].hard else RetryAdvice.CAUTIOUS
    return USUAL_ADVICE.get(category, usual)


def preview(policy: Policy, example: Example, rules: RuleSet = NO_RULES) -> Preview:
    """Let decide() answer, fail what it plans, and let it answer again.

    Ends, because each retry is an attempt more and no policy allows more than 100.
    """
    now = example.failed_at
    case = _case(example)
    retries: list[Decision] = []
    while True:
        answer = decide(case, policy, now, rules)
        if answer.action is Action.RETRY and answer.at is not None:
            retries.append(answer)
            now = answer.at
            case = _failed_again(case, now)
        elif answer.action is Action.WAIT and answer.at is not None and answer.at > now:
            now = answer.at
        else:
            return Preview(tuple(retries), answer, now)


def _case(example: Example) -> CaseView:
    advice = example.advice or advice_for(example.category)
    first = AttemptView(
        actor=Actor.MERCHANT,
        state=AttemptState.FAILED,
        at=example.failed_at,
        advice=advice,
        hard=ADVICE[advice].hard,
        category=example.category,
        code=example.code,
    )
    case = CaseView(
        key=example.key,
        psp=example.psp,
        obligation_state="open",
        amount=example.amount,
        currency=example.currency,
        retry_owner="tinko",
        psp_retries=False,
        has_mandate=True,
        method=example.method,
        network=example.network,
        country=example.instrument_country,
        instrument_key="preview",
        opened_at=example.failed_at,
        asked_at=None,
        messages=0,
        attempts=(first,),
        org_timezone=example.org_timezone,
        payer_country=example.payer_country,
        customer_tags=example.customer_tags,
    )
    return replace(case, counted=(_counted(case, example.failed_at),))


def _failed_again(case: CaseView, at: datetime) -> CaseView:
    again = replace(case.attempts[0], actor=Actor.TINKO, at=at)
    return replace(
        case,
        attempts=(*case.attempts, again),
        counted=(*case.counted, _counted(case, at)),
    )


def _counted(case: CaseView, at: datetime) -> Counted:
    return Counted(at, case.amount, case.currency, "merchant", same_obligation=True)
