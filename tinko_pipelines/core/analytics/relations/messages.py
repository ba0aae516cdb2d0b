"""Messages to payers, without their text and whom they are for."""

from __future__ import annotations

import pyarrow as pa

from tinko_pipelines.core.analytics.relations.relation import INSTANT, UUID, WORD, Relation, schema

OUTBOX = Relation(
    "outbox",
    "id",
    schema(
        org_id=UUID,
        id=UUID,
        case_id=UUID,
        obligation_id=UUID,
        message=WORD,
        channel=WORD,
        language=WORD,
        state=WORD,
        tries=pa.int32(),
        due_at=INSTANT,
        sent_at=(INSTANT,),
        created_at=INSTANT,
    ),
)

DELIVERIES = Relation(
    "notification_deliveries",
    "id",
    schema(
        org_id=UUID,
        id=UUID,
        outbox_id=UUID,
        channel=WORD,
        result=WORD,
        at=INSTANT,
    ),
)
