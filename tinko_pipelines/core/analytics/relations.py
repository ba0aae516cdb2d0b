"""What is carried to ClickHouse: one Arrow schema per relation, the columns of its table.

The rows come from the query `read_<name>` of sql/queries/analytics.sql, in this order of columns.
UUIDs travel as text; ClickHouse reads them into its own type. `row_version` and the key end every
keyset page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

UUID = pa.string()
WORD = pa.string()
MINOR = pa.int64()
INSTANT = pa.timestamp("us", tz="UTC")


def _schema(**columns: pa.DataType | tuple[pa.DataType]) -> pa.Schema:
    """A type alone is required; a type in a tuple may be null. The row's version comes last."""
    return pa.schema(
        [
            pa.field(name, kind[0] if isinstance(kind, tuple) else kind, isinstance(kind, tuple))
            for name, kind in {**columns, "row_version": pa.uint64()}.items()
        ]
    )


@dataclass(frozen=True, slots=True)
class Relation:
    """A table of the ledger, `key` being the column that identifies its rows."""

    name: str
    key: str
    schema: pa.Schema
    query: str = ""  # of sql/queries/analytics.sql; read_<name> unless said otherwise

    def __post_init__(self) -> None:
        if not self.query:
            object.__setattr__(self, "query", f"read_{self.name}")

    def deletions(self) -> Relation:
        """Rows that left the relation, as tombstones that hide the row they name."""
        named = dict.fromkeys(("org_id", self.key, "row_version"))
        schema = pa.schema(
            [
                *(self.schema.field(name) for name in named),
                pa.field("is_deleted", pa.uint8(), nullable=False),
            ]
        )
        return Relation(self.name, self.key, schema, "read_deleted")

    def table(self, rows: Iterable[Sequence[Any]]) -> pa.Table:
        """`rows` as Arrow.

        Raises pyarrow.ArrowException when a value is not of its column's type, ValueError for a
        null in a column that has none: ClickHouse would make it 0 or '' without a word.
        """
        columns = list(zip(*rows, strict=True)) or [()] * len(self.schema)
        arrays = [
            pa.array(values, type=field.type)
            for values, field in zip(columns, self.schema, strict=True)
        ]
        for array, field in zip(arrays, self.schema, strict=True):
            if array.null_count and not field.nullable:
                raise ValueError(f"{self.name}.{field.name} is null in {array.null_count} rows")
        return pa.Table.from_arrays(arrays, schema=self.schema)


OBLIGATIONS = Relation(
    "obligations",
    "id",
    _schema(
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
)

ATTEMPTS = Relation(
    "attempts",
    "id",
    _schema(
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
)

FAILURES = Relation(
    "failures",
    "attempt_id",
    _schema(
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
)

CASES = Relation(
    "cases",
    "id",
    _schema(
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
)

DECISIONS = Relation(
    "decisions",
    "id",
    _schema(
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

OUTBOX = Relation(
    "outbox",
    "id",
    _schema(
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
    _schema(
        org_id=UUID,
        id=UUID,
        outbox_id=UUID,
        channel=WORD,
        result=WORD,
        at=INSTANT,
    ),
)

# a line's and a payout's id is its connection's and its own: the PSP's ids are not unique to us
SETTLEMENT_LINES = Relation(
    "settlement_lines",
    "id",
    _schema(
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
    _schema(
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

POLICY_VERSIONS = Relation(
    "policy_versions",
    "id",
    _schema(
        org_id=UUID,
        id=UUID,
        name=WORD,
        version=pa.int32(),
        created_at=INSTANT,
    ),
)

RULE_VERSIONS = Relation(
    "rule_versions",
    "id",
    _schema(
        org_id=UUID,
        id=UUID,
        rule_id=UUID,
        version=pa.int32(),
        name=WORD,
        deleted=pa.bool_(),
        created_at=INSTANT,
    ),
)

ORGANISATIONS = Relation(
    "organisations",
    "org_id",
    _schema(org_id=UUID, slug=WORD, name=WORD, timezone=WORD),
)

CONNECTIONS = Relation(
    "connections",
    "id",
    _schema(
        org_id=UUID,
        id=UUID,
        psp=WORD,
        label=WORD,
        livemode=pa.bool_(),
        status=WORD,
    ),
)

# what speaks of a debt before the debt itself: after a run, whatever was carried finds its debt,
# unless that was written again while the run went on (the next one carries it)
RELATIONS = (
    DELIVERIES,
    OUTBOX,
    DECISIONS,
    CASES,
    FAILURES,
    ATTEMPTS,
    OBLIGATIONS,
    SETTLEMENT_LINES,
    PAYOUTS,
    POLICY_VERSIONS,
    RULE_VERSIONS,
    ORGANISATIONS,
    CONNECTIONS,
)
