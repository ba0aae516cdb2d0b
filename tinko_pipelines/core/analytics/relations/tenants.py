"""Organisations, their connections without credentials, and the versions of what they set."""

from __future__ import annotations

import pyarrow as pa

from tinko_pipelines.core.analytics.relations.relation import INSTANT, UUID, WORD, Relation, schema

POLICY_VERSIONS = Relation(
    "policy_versions",
    "id",
    schema(
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
    schema(
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
    schema(org_id=UUID, slug=WORD, name=WORD, timezone=WORD),
)

CONNECTIONS = Relation(
    "connections",
    "id",
    schema(
        org_id=UUID,
        id=UUID,
        psp=WORD,
        label=WORD,
        livemode=pa.bool_(),
        status=WORD,
    ),
)
