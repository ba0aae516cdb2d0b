"""What is carried to the analysts: one Arrow schema per relation, the columns of its tables.

The rows come from the query `read_<name>` of sql/queries/analytics.sql, in this order of columns.
"""

from tinko_pipelines.core.analytics.relations.messages import DELIVERIES, OUTBOX
from tinko_pipelines.core.analytics.relations.recovery import (
    ATTEMPTS,
    CASES,
    DECISIONS,
    FAILURES,
    OBLIGATIONS,
)
from tinko_pipelines.core.analytics.relations.relation import Relation
from tinko_pipelines.core.analytics.relations.settlement import PAYOUTS, SETTLEMENT_LINES
from tinko_pipelines.core.analytics.relations.tenants import (
    CONNECTIONS,
    ORGANISATIONS,
    POLICY_VERSIONS,
    RULE_VERSIONS,
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

__all__ = [
    "ATTEMPTS",
    "CASES",
    "CONNECTIONS",
    "DECISIONS",
    "DELIVERIES",
    "FAILURES",
    "OBLIGATIONS",
    "ORGANISATIONS",
    "OUTBOX",
    "PAYOUTS",
    "POLICY_VERSIONS",
    "RELATIONS",
    "RULE_VERSIONS",
    "SETTLEMENT_LINES",
    "Relation",
]
