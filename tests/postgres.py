"""A Postgres of a test's or a proof's own, migrated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.engine import make_engine
from tinko_pipelines.local import migrate
from tinko_pipelines.local.layout import open_folder
from tinko_pipelines.local.ports import free_port
from tinko_pipelines.local.postgres import EmbeddedPostgres


@contextmanager
def migrated_postgres(
    months: Iterable[datetime],
    template: str | None = None,
    *,
    parent: Path | None = None,
    fsync: bool = False,
) -> Iterator[EmbeddedPostgres]:
    """A server whose database `tinko`, or else the new one named `template`, is migrated and has
    the partitions of the months around `months`."""
    with (
        open_folder("tinko-postgres-", parent) as folder,
        EmbeddedPostgres(folder / "data", free_port(), fsync=fsync) as server,
    ):
        if template is not None:
            server.create_database(template)
        url = server.url("tinko_owner", template or "tinko")
        migrate.upgrade_postgres(url)
        owner = make_engine(url, pooled=False)
        for month in months:
            partitions.ensure(owner, month)
        owner.dispose()
        yield server
