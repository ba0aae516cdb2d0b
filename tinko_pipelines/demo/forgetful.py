"""A Dagster instance in memory that keeps no events: they go when the process goes, and nobody asks
for one. Storing and looking for them was a fifth of a demo's time."""

from __future__ import annotations

import dagster as dg


def forgetful() -> dg.DagsterInstance:
    """An ephemeral instance. A run's own result has its events, and its failures, all the same."""
    instance = dg.DagsterInstance.ephemeral()
    storage = instance.event_log_storage
    empty = dg.EventRecordsResult(records=[], cursor="", has_more=False)
    forgetting = {
        "store_event": lambda event: None,
        "get_asset_records": lambda asset_keys=None: [],
        "fetch_observations": lambda *args, **options: empty,
        "fetch_materializations": lambda *args, **options: empty,
    }
    for name, instead in forgetting.items():
        setattr(storage, name, instead)
    return instance
