"""Policies, cases, decisions and findings."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy import text as sql

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

# versions are never edited in place; a running case stays on the one it was opened with
policy_versions = Table(
    "policy_versions",
    metadata,
    key(),
    ref("org_id"),
    text("name"),
    Column("version", Integer, nullable=False),
    document("definition"),
    instant("created_at"),
    row_version(),
    UniqueConstraint("org_id", "name", "version"),
    Index("ix_policy_versions_row_version", "row_version"),
)

# a merchant's rules: the newest version of each, by place; deleted ones stay, and may come back
rule_versions = Table(
    "rule_versions",
    metadata,
    key(),
    ref("org_id"),
    ref("rule_id"),
    Column("version", Integer, nullable=False),
    text("name"),
    Column("place", Integer, nullable=False),
    Column("deleted", Boolean, nullable=False, server_default="false"),
    document("definition"),
    text("created_by", required=False),
    instant("created_at"),
    row_version(),
    UniqueConstraint("org_id", "rule_id", "version"),
    Index("ix_rule_versions_row_version", "row_version"),
)

# what a merchant says of PSP codes, over our own tables: the newest version holds
failure_rule_versions = Table(
    "failure_rule_versions",
    metadata,
    key(),
    ref("org_id"),
    Column("version", Integer, nullable=False),
    document("definition"),
    text("created_by", required=False),
    instant("created_at"),
    UniqueConstraint("org_id", "version"),
)

# how a connection's PSP answers: after too many failures in a row it is left alone for a while
connection_health = Table(
    "connection_health",
    metadata,
    key("connection_id"),
    ref("org_id"),
    Column("failures", Integer, nullable=False, server_default="0"),
    instant("open_until_wall", required=False),
    instant("updated_wall"),
)

# token buckets of business time; no tenant: of the whole house, or of a connection by its id
call_budgets = Table(
    "call_budgets",
    metadata,
    Column("key", Text, primary_key=True),
    Column("tokens", Double, nullable=False),
    Column("refilled_at", DateTime(timezone=True), nullable=False),
)

# the rows of limits that decisions were made and attempts allowed on, each list once, by the
# SHA-256 of its text; no tenant, and never archived: a decision and an attempt's evidence name it
guard_limits = Table(
    "guard_limits",
    metadata,
    Column("digest", Text, primary_key=True),
    text("rows"),
    instant("created_at"),
)

cases = Table(
    "cases",
    metadata,
    key(),
    ref("org_id"),
    ref("connection_id"),
    ref("obligation_id"),
    ref("policy_version_id"),
    text("state"),
    text("recovered_by", required=False),  # retry, payer, psp, merchant
    minor("recovered_minor", server_default="0"),
    minor("reversed_minor", server_default="0"),
    text("close_reason", required=False),
    words("tags"),  # set by rules
    text("offered_psp", required=False),  # another PSP the payer may choose (rule 7)
    instant("decide_at", required=False),  # when decide() is to look at it again
    instant("asked_at", required=False),  # when the payer was last asked
    instant("opened_at"),
    instant("closed_at", required=False),
    instant("updated_at"),
    row_version(),
    UniqueConstraint("obligation_id"),
    Index("ix_cases_recovered", "id", postgresql_where=sql("state = 'recovered'")),
    Index("ix_cases_decide_at", "decide_at", postgresql_where=sql("decide_at IS NOT NULL")),
    Index("ix_cases_row_version", "row_version"),
)

decisions = Table(
    "decisions",
    metadata,
    key(),
    ref("org_id"),
    ref("case_id"),
    ref("obligation_id"),
    ref("policy_version_id"),
    text("action"),
    instant("act_at", required=False),
    document("reasons"),
    document("inputs"),
    instant("decided_at"),
    row_version(),
    Index("ix_decisions_case_id", "case_id"),
    Index("ix_decisions_row_version", "row_version"),
)

findings = Table(
    "findings",
    metadata,
    key(),
    ref("org_id"),
    ref("obligation_id", required=False),
    text("kind"),
    text("severity"),
    text("state", server_default="open"),
    text("dedupe_key", unique=True),
    document("evidence"),
    document("proposal"),
    # what reconciliation says of it; the ledger's own findings have none of these
    ref("connection_id", required=False),
    text("psp", required=False),
    text("leg", required=False),  # core/reconciliation/vocabulary.Leg
    text("subject_id", required=False),
    text("payment_id", required=False),
    minor("amount_minor", required=False),  # at stake
    text("currency", required=False),
    Column("day", Date, nullable=True),
    text("owner", required=False),
    text("note", required=False),  # why it is explained or accepted
    text("changed_by", server_default="ledger"),
    text("repair_state", required=False),  # core/reconciliation/repairs.RepairState
    text("repair_by", required=False),
    instant("repair_wall", required=False),  # when it was first sent
    instant("last_seen_at", required=False),
    instant("closed_at", required=False),
    instant("created_at"),
    instant("updated_at"),
    Index("ix_findings_connection_id_day", "connection_id", "day"),
    Index("ix_findings_org_id_id", "org_id", "id"),
    Index("ix_findings_obligation_id", "obligation_id"),
    Index(
        "ix_findings_repair",
        "id",
        postgresql_where=sql("repair_state IN ('requested', 'applying')"),
    ),
    Index(
        "ix_findings_disputes_apart",
        "connection_id",
        "day",
        postgresql_where=sql(
            "kind = 'dispute_not_reflected' AND leg = 'ledger' AND state <> 'fixed'"
        ),
    ),
)
