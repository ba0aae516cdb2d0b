"""What decide() looks at and what it answers: plain frozen data, so that it can be stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from tinko_pipelines.core.failures.taxonomy import Category, RetryAdvice
from tinko_pipelines.core.guards.cycles import Frequency
from tinko_pipelines.core.guards.model import Counted, Facts, LastFailure
from tinko_pipelines.core.ledger.states import AttemptState
from tinko_pipelines.core.psp.types import Actor
from tinko_pipelines.core.recovery.places import Place, place_of
from tinko_pipelines.core.recovery.strategy import FailureSeen


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
    category: Category | None = None
    code: str | None = None
    reason: str | None = None
    advice_code: str | None = None  # the PSP's own
    method_ref: str | None = None  # the stored instrument it was, or is to be, made with
    notice_asked: bool = False  # the payer was, or was to be, told of it ahead by us

    @property
    def failure(self) -> FailureSeen:
        """As strategies see it."""
        codes = (
            self.code,
            self.reason,
            self.advice_code,
            self.network_decline_code,
            self.network_advice_code,
        )
        return FailureSeen(self.category, self.advice, frozenset(one for one in codes if one))


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
    reach: tuple[str, ...] = ("email",)  # channels on which there is an address of the payer
    mandate_ref: str | None = None
    stopped_by: str | None = None  # its subscription is paused or cancelled
    org_timezone: str = "UTC"
    payer_country: str | None = None
    customer_tags: tuple[str, ...] = ()
    merchant_country: str | None = None
    merchant_category: str | None = None
    # of the place, where its windows may ask for them; None: the `holidays` library is asked
    bank_holidays: tuple[date, ...] | None = None
    mandate_frequency: Frequency | None = None

    @property
    def place(self) -> Place:
        return place_of(
            self.org_timezone, self.payer_country, self.country, closed=self.bank_holidays
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """`at`: when to retry, or when to look again. `reasons` are codes, the deciding one first.

    `cancels`: what stands scheduled is cancelled first. `channel`: where the payer is asked.
    `tags` and `offered_psp` go onto the case, `rule` names the version that fired.
    """

    action: Action
    at: datetime | None
    reasons: tuple[str, ...]
    guard_rows: tuple[str, ...] = ()
    cancels: bool = False
    channel: str | None = None
    tags: tuple[str, ...] = ()
    offered_psp: str | None = None
    rule: str | None = None


def last_unattended(case: CaseView) -> AttemptView | None:
    """The newest failure of a try that the payer was not there for."""
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
        merchant_country=case.merchant_country,
        merchant_category=case.merchant_category,
        frequency=case.mandate_frequency,
    )
