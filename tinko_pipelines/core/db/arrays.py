"""Arrays of ids for `cast(:ids as uuid[])`, written as Postgres reads them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable


def uuids(ids: Iterable[uuid.UUID]) -> str:
    """A uuid[] literal: the driver examines every element for quoting, and for thousands of ids
    that takes longer than the statement."""
    return "{" + ",".join([one.hex for one in ids]) + "}"
