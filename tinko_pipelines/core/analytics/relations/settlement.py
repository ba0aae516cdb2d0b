"""What the PSPs say they moved and paid out.

A line's and a payout's id is its connection's and its own: the PSP's ids are not unique to us.
"""

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

SETTLEMENT_LINES = Relation(
    "settlement_lines",
    "id",
    schema(
        org_id=UUID,
        id=WORD,
        connection_id=UUID,
        psp=WORD,
        kind=WORD,
        source_id=WORD,
        payment_id=WORD,
        payout_id=WORD,
        payout_status=WORD,
        gross_minor=MINOR,
        fee_minor=MINOR,
        tax_minor=MINOR,
        net_minor=MINOR,
        currency=WORD,
        on_hold=pa.bool_(),
        created_at=INSTANT,
        settled_at=(INSTANT,),
    ),
)

PAYOUTS = Relation(
    "payouts",
    "id",
    schema(
        org_id=UUID,
        id=WORD,
        connection_id=UUID,
        psp=WORD,
        status=WORD,
        amount_minor=MINOR,
        currency=WORD,
        itemised=pa.bool_(),
        created_at=INSTANT,
    ),
)
