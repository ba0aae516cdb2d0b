"""Policies, cases, decisions and findings."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, UniqueConstraint
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
    UniqueConstraint("org_id", "name", "version"),
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
    instant("decide_at", required=False),  # when decide() is to look at it again
    instant("asked_at", required=False),  # when the payer was last asked
    instant("opened_at"),
    instant("closed_at", required=False),
    instant("updated_at"),
    row_version(),
    UniqueConstraint("obligation_id"),
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
    Index("ix_decisions_case_id", "case_id"),
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
    instant("created_at"),
    instant("updated_at"),
)
