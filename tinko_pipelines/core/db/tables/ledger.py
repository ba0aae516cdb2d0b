"""The ledger: obligations, the PSP objects that stand for them, doors, attempts, failures."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy import (
    text as sql,
)

from tinko_pipelines.core.db.tables.base import (
    document,
    instant,
    key,
    metadata,
    minor,
    ref,
    row_version,
    text,
    words,
)

obligations = Table(
    "obligations",
    metadata,
    key(),
    ref("org_id"),
    ref("connection_id"),
    text("psp"),
    text("state"),
    minor("due_minor"),
    # how strong the PSP object is that named the due: 0 an invoice, then as RefKind is ordered
    Column("due_rank", Integer, nullable=False, server_default="9"),
    minor("paid_minor", server_default="0"),
    minor("refunded_minor", server_default="0"),
    text("currency"),
    text("description", required=False),
    text("customer_ref", required=False),
    text("payer_name", required=False),
    text("payer_email", required=False),
    text("payer_phone", required=False),
    text("payer_language", required=False),
    text("payer_country", required=False),  # ISO 3166-1 alpha-2
    words("customer_tags"),
    # null in both: the PSP has not said
    Column("psp_retries", Boolean),
    Column("has_mandate", Boolean),
    text("mandate_ref", required=False),
    text("subscription_ref", required=False),
    text("stopped_by", required=False),  # paused or cancelled, where its subscription is so
    instant("cycle_end", required=False),
    ref("superseded_by", required=False),
    instant("created_at"),
    instant("updated_at"),
    row_version(),
    CheckConstraint("due_minor >= 0", name="due_not_negative"),
    Index("ix_obligations_row_version", "row_version"),
    Index("ix_obligations_mandate_ref", "connection_id", "mandate_ref"),
    Index(
        "ix_obligations_subscription_ref",
        "connection_id",
        "subscription_ref",
        postgresql_where=sql("subscription_ref IS NOT NULL"),
    ),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    key("connection_id"),
    Column("object_id", Text, primary_key=True),
    ref("org_id"),
    text("standing"),  # live, paused or cancelled
    instant("stood_at"),  # when it stood so, as the PSP says
    instant("updated_at"),
)

mandates = Table(
    "mandates",
    metadata,
    # the name first: counters know a mandate by nothing else
    Column("object_id", Text, primary_key=True),
    key("connection_id"),
    ref("org_id"),
    text("frequency"),  # how often it may be debited (core/guards/cycles.py)
    instant("updated_at"),
)

psp_refs = Table(
    "psp_refs",
    metadata,
    key("connection_id"),
    Column("object_id", Text, primary_key=True),
    ref("org_id"),
    text("kind"),
    ref("obligation_id"),
    ref("attempt_id", required=False),  # set for charges and payments
    Index("ix_psp_refs_obligation_id", "obligation_id"),
)

doors = Table(
    "doors",
    metadata,
    key(),
    ref("org_id"),
    ref("connection_id"),
    ref("obligation_id"),
    text("kind"),
    text("object_id"),
    text("status"),
    text("url", required=False),
    text("opened_by"),  # merchant, psp or tinko
    # whether the pre-debit notice of this order reached the payer
    instant("notified_at", required=False),
    instant("notice_failed_at", required=False),
    instant("created_at"),
    instant("updated_at"),
    UniqueConstraint("connection_id", "object_id"),
    Index("ix_doors_obligation_id", "obligation_id"),
)

attempts = Table(
    "attempts",
    metadata,
    key(),
    ref("org_id"),
    ref("connection_id"),
    text("psp"),
    ref("obligation_id"),
    ref("case_id", required=False),
    text("actor"),
    text("state"),
    text("psp_payment_id", required=False),
    text("door_id", required=False),
    minor("amount_minor"),
    text("currency"),
    text("method", server_default="unknown"),
    text("network", required=False),
    text("country", required=False),
    text("instrument_key", required=False),
    text("payment_method_ref", required=False),
    text("mandate_ref", required=False),  # the debt's, when a retry of ours was planned
    text("idempotency_key", required=False),
    Column("payer_present", Boolean, nullable=False, server_default="false"),
    minor("refunded_minor", server_default="0"),
    Column("disputed", Boolean, nullable=False, server_default="false"),
    document("error", required=False),
    ref("decision_id", required=False),
    document("guard_rows", required=False),
    document("evidence", required=False),  # facts and rows that allowed it, to replay
    # a pre-debit notice of ours: asked for, and the door that was made with it for this attempt
    instant("notice_asked_at", required=False),
    text("notice_door", required=False),
    instant("scheduled_at", required=False),
    ref("lease_token", required=False),
    instant("lease_until_wall", required=False),
    instant("submitted_at", required=False),
    instant("submitted_wall", required=False),
    Column("empty_reads", Integer, nullable=False, server_default="0"),
    instant("last_read_wall", required=False),
    instant("occurred_at", required=False),
    instant("finished_at", required=False),
    instant("classified_at", required=False),
    instant("created_at"),
    instant("updated_at"),
    row_version(),
    Index("ix_attempts_obligation_id", "obligation_id"),
    Index("ix_attempts_due", "scheduled_at", "id", postgresql_where=sql("state = 'scheduled'")),
    Index(
        "ix_attempts_unresolved",
        "state",
        "lease_until_wall",
        postgresql_where=sql("state IN ('claimed', 'submitted', 'unknown', 'pending')"),
    ),
    Index(
        "ix_attempts_unclassified",
        "id",
        postgresql_where=sql("state = 'failed' AND classified_at IS NULL"),
    ),
    Index("ix_attempts_row_version", "row_version"),
    Index(
        "ix_attempts_connection_id_occurred_at",
        "connection_id",
        "occurred_at",
        postgresql_where=sql("psp_payment_id IS NOT NULL"),
    ),
    postgresql_partition_by="RANGE (id)",
)

failures = Table(
    "failures",
    metadata,
    key("attempt_id"),
    ref("org_id"),
    ref("obligation_id"),
    text("psp"),
    text("category"),
    text("retry_advice"),
    Column("hard", Boolean, nullable=False),
    text("who_acts"),
    Column("confidence", Double, nullable=False),
    Column("late_authorisation", Boolean, nullable=False),
    text("decided_by"),  # the row of the code tables
    text("code", required=False),
    text("reason", required=False),
    text("network", required=False),
    text("network_decline_code", required=False),
    text("network_advice_code", required=False),
    ref("case_id", required=False),
    instant("failed_at"),
    instant("created_at"),
    row_version(),
    Index("ix_failures_obligation_id", "obligation_id"),
    Index("ix_failures_no_case", "obligation_id", postgresql_where=sql("case_id IS NULL")),
    Index("ix_failures_org_id_failed_at", "org_id", "failed_at"),
    Index("ix_failures_row_version", "row_version"),
)

charge_locks = Table(
    "charge_locks",
    metadata,
    key("obligation_id"),
    ref("org_id"),
    text("purpose"),  # charge, or door: opening one for the payer
    ref("attempt_id", required=False),
    ref("token"),
    instant("lease_until_wall"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    key("connection_id"),
    Column("key", Text, primary_key=True),
    ref("org_id"),
    ref("attempt_id"),
    ref("obligation_id"),
    instant("minted_wall"),
)

guard_counters = Table(
    "guard_counters",
    metadata,
    key("attempt_id"),
    ref("org_id"),
    text("psp"),
    text("account_id"),
    text("instrument_key"),
    ref("obligation_id"),
    minor("amount_minor"),
    text("currency"),
    text("initiator"),  # merchant or customer: schemes count them apart
    text("state"),
    instant("counted_at"),
    text("network_decline_code", required=False),
    text("network_advice_code", required=False),
    Index(
        "ix_guard_counters_instrument",
        "psp",
        "account_id",
        "instrument_key",
        "counted_at",
    ),
)

state_history = Table(
    "state_history",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=True),
    ref("org_id"),
    text("entity"),
    ref("entity_id"),
    text("from_state", required=False),
    text("to_state"),
    instant("at"),
    Index("ix_state_history_entity_id", "entity_id"),
)
