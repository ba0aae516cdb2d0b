"""Organisations, their API keys and their connections to PSPs."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, LargeBinary, Table, UniqueConstraint
from sqlalchemy import text as sql

from tinko_pipelines.core.db.tables.base import (
    instant,
    key,
    metadata,
    ref,
    row_version,
    text,
)

organisations = Table(
    "organisations",
    metadata,
    key("org_id"),
    text("slug", unique=True),
    text("name"),
    text("timezone", server_default="Asia/Kolkata"),
    text("language", server_default="en"),
    # where the merchant is (ISO 3166-1 alpha-2), and what is sold, as far as limits depend on it
    text("country", required=False),
    text("category", required=False),
    # whether each retry has a pre-debit notice of its own, or the debt's first one does for all
    Column("fresh_notice", Boolean, nullable=False, server_default="true"),
    instant("created_at"),
    row_version(),
    Index("ix_organisations_row_version", "row_version"),
)

api_keys = Table(
    "api_keys",
    metadata,
    key(),
    ref("org_id"),
    text("name"),
    text("prefix"),
    text("key_hash", unique=True),
    instant("created_at"),
    instant("revoked_at", required=False),
)

connections = Table(
    "connections",
    metadata,
    key(),
    ref("org_id"),
    text("psp"),
    text("account_id"),
    Column("livemode", Boolean, nullable=False),
    text("label"),
    text("status", server_default="active"),
    text("retry_owner", server_default="tinko"),
    # envelope encryption: the data key is wrapped by the key of CREDENTIALS_KEY
    Column("credentials", LargeBinary, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    text("base_url", required=False),
    instant("created_at"),
    instant("updated_at"),
    row_version(),
    # one PSP account is connected once, across organisations (rule 2)
    Index(
        "uq_connections_active_account",
        "psp",
        "account_id",
        "livemode",
        unique=True,
        postgresql_where=sql("status = 'active'"),
    ),
    UniqueConstraint("org_id", "id", name="uq_connections_org_id_id"),
    Index("ix_connections_row_version", "row_version"),
)
