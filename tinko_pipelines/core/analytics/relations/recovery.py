"""Debts, tries, why they failed, and what was decided about them."""

from __future__ import annotations

import pyarrow as pa

from tinko_pipelines.core.analytics.relations.relation import (
    INSTANT,
    MINOR,
    UUID,
    WORD,
    Relation,
    schema,
)

OBLIGATIONS = Relation(
    "obligations",
    "id",
    schema(
        org_id=UUID,
        id=UUID,
        connection_id=UUID,
        psp=WORD,
        state=WORD,
        due_minor=MINOR,
        paid_minor=MINOR,
        refunded_minor=MINOR,
        currency=WORD,
        payer_country=WORD,
        psp_retries=(pa.bool_(),),
        has_mandate=(pa.bool_(),),
        cycle_end=(INSTANT,),
        superseded_by=(UUID,),
        created_at=INSTANT,
        updated_at=INSTANT,
    ),
    leaves=True,
)

ATTEMPTS = Relation(
    "attempts",
    "id",
    schema(
        org_id=UUID,
        id=UUID,
        connection_id=UUID,
        psp=WORD,
        obligation_id=UUID,
        case_id=(UUID,),
        actor=WORD,
        state=WORD,
        psp_payment_id=WORD,
        amount_minor=MINOR,
        refunded_minor=MINOR,
        currency=WORD,
        method=WORD,
        network=WORD,
        country=WORD,
        payer_present=pa.bool_(),
        disputed=pa.bool_(),
        decision_id=(UUID,),
        scheduled_at=(INSTANT,),
        submitted_at=(INSTANT,),
        occurred_at=(INSTANT,),
        finished_at=(INSTANT,),
        created_at=INSTANT,
        updated_at=INSTANT,
    ),
    leaves=True,
)

FAILURES = Relation(
    "failures",
    "attempt_id",
    schema(
        org_id=UUID,
        attempt_id=UUID,
        obligation_id=UUID,
        case_id=(UUID,),
        psp=WORD,
        category=WORD,
        retry_advice=WORD,
        hard=pa.bool_(),
        who_acts=WORD,
        confidence=pa.float64(),
        late_authorisation=pa.bool_(),
        decided_by=WORD,
        code=WORD,
        reason=WORD,
        network=WORD,
        network_decline_code=WORD,
        network_advice_code=WORD,
        failed_at=INSTANT,
        created_at=INSTANT,
    ),
    leaves=True,
)

CASES = Relation(
    "cases",
    "id",
    schema(
        org_id=UUID,
        id=UUID,
        connection_id=UUID,
        obligation_id=UUID,
        policy_version_id=UUID,
        state=WORD,
        recovered_by=WORD,
        recovered_minor=MINOR,
        reversed_minor=MINOR,
        currency=WORD,
        close_reason=WORD,
        opened_at=INSTANT,
        closed_at=(INSTANT,),
        updated_at=INSTANT,
    ),
    leaves=True,
)

DECISIONS = Relation(
    "decisions",
    "id",
    schema(
        org_id=UUID,
        id=UUID,
        case_id=UUID,
        obligation_id=UUID,
        policy_version_id=UUID,
        action=WORD,
        reason=WORD,
        rule=WORD,
        channel=WORD,
        act_at=(INSTANT,),
        decided_at=INSTANT,
    ),
)
