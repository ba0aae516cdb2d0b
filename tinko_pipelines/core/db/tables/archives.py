"""Months of partitioned tables that went to the archive, or are on their way."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Table

from tinko_pipelines.core.db.tables.base import instant, metadata, ref, text

archives = Table(
    "archives",
    metadata,
    text("relation", primary_key=True),
    text("month", primary_key=True),  # 2025-01, in UTC
    text("state"),  # core.archival.model.ArchiveState
    # the partition's bounds: ids in [low, high)
    ref("low"),
    ref("high"),
    Column("rows", BigInteger),
    Column("bytes", BigInteger),  # of the Parquet files
    text("manifest_key", required=False),
    text("manifest_sha256", required=False),
    text("actor"),  # who ran it
    text("tool_version"),
    instant("started_wall"),
    instant("verified_wall", required=False),
    instant("detached_wall", required=False),
    instant("dropped_wall", required=False),
    instant("restored_wall", required=False),
    CheckConstraint(
        "state IN ('exporting', 'verified', 'detached', 'dropped', 'discarded', 'restored')",
        name="state",
    ),
    CheckConstraint(
        "state NOT IN ('verified', 'detached', 'dropped', 'restored')"
        " OR (manifest_key IS NOT NULL AND manifest_sha256 IS NOT NULL AND rows IS NOT NULL)",
        name="manifest",
    ),
)
