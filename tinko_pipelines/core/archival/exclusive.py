"""Never two archivals at once: an advisory lock that one session holds while it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from tinko_pipelines.core.archival.model import ArchiveBusy

# any number that nothing else in the house locks
_KEY = 0x7A1C_A4C1
_TAKE = text("select pg_advisory_lock(:key)")
_FREE = text("select pg_advisory_unlock(:key)")
# Postgres takes a moment to see that a killed process is gone
_WAIT = text("set lock_timeout = '2s'")
_HELD = text(
    "select exists (select from pg_locks where locktype = 'advisory' and granted"
    " and pid = pg_backend_pid() and objid = :key)"
)


@dataclass(frozen=True)
class Exclusive:
    """The lock as it is held. Postgres frees it with the session, so also after a kill."""

    connection: Connection

    def require(self) -> None:
        """Raises ArchiveBusy where the session was lost, and with it the lock."""
        try:
            held = self.connection.scalar(_HELD, {"key": _KEY})
        except SQLAlchemyError as error:
            raise ArchiveBusy("the lock on archival was lost with its session") from error
        if not held:
            raise ArchiveBusy("the lock on archival is not held any more")


@contextmanager
def exclusive(owner: Engine) -> Iterator[Exclusive]:
    """Hold the lock for the block. Raises ArchiveBusy where another process holds it."""
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(_WAIT)
        try:
            connection.execute(_TAKE, {"key": _KEY})
        except OperationalError as error:
            raise ArchiveBusy(
                "another archival or restore is running: it holds the lock"
            ) from error
        try:
            yield Exclusive(connection)
        finally:
            with suppress(SQLAlchemyError):
                connection.execute(_FREE, {"key": _KEY})
            # a pool would pass the session's settings on
            connection.invalidate()
