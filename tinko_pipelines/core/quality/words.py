"""The vocabularies that suites name: always the members of the enums, never a copy of them."""

from __future__ import annotations

from collections.abc import Mapping

from tinko_pipelines.core.failures.taxonomy import Category, RetryAdvice, WhoActs
from tinko_pipelines.core.ledger.cases import RECOVERED_BY
from tinko_pipelines.core.ledger.states import AttemptState, CaseState, ObligationState
from tinko_pipelines.core.psp.records import VOCABULARY, RecordKind
from tinko_pipelines.core.psp.settlement import LineKind, PayoutStatus
from tinko_pipelines.core.psp.types import Actor

WORDS: Mapping[str, tuple[str, ...]] = {
    "obligation_state": tuple(ObligationState),
    "attempt_state": tuple(AttemptState),
    "case_state": tuple(CaseState),
    "actor": tuple(Actor),
    "category": tuple(Category),
    "retry_advice": tuple(RetryAdvice),
    "who_acts": tuple(WhoActs),
    "recovered_by": tuple(dict.fromkeys(RECOVERED_BY.values())),
    "record_kind": tuple(RecordKind),
    "record_status": tuple(dict.fromkeys(word for kind in VOCABULARY.values() for word in kind)),
    "line_kind": tuple(LineKind),
    "payout_status": tuple(PayoutStatus),
}
