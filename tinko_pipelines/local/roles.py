"""Run `sql/postgres/roles.sql`: the roles and databases, on the embedded or a managed Postgres."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from tinko_pipelines.local.layout import ROOT

ROLES_SQL = ROOT / "sql" / "postgres" / "roles.sql"
LOGIN_ROLES = ("tinko_owner", "tinko_app", "tinko_worker", "tinko_readonly")

_END = re.compile(r";[ \t]*(?:\n[ \t]*\n|\n?\Z)")
_CREATE_DATABASE = re.compile(r"^create database (?P<name>\w+)", re.MULTILINE)


def statements(text: str) -> list[str]:
    """The statements of a file in which each ends with a semicolon before an empty line."""
    return [part.strip() for part in _END.split(text) if part.strip()]


def bootstrap(dsn: str, passwords: Mapping[str, str], script: Path = ROLES_SQL) -> None:
    """Create the roles and databases through `dsn`, a role that may do so; safe to repeat.

    `passwords` holds one password per login role and may not miss one. Raises KeyError when it
    does, psycopg.Error when the server refuses.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        for role in LOGIN_ROLES:
            name = f"tinko.{role.removeprefix('tinko_')}_password"
            connection.execute("select set_config(%s, %s, false)", (name, passwords[role]))
        for statement in statements(script.read_text()):
            made = _CREATE_DATABASE.search(statement)
            if made is None or not _exists(connection, made["name"]):
                connection.execute(statement.encode())


def _exists(connection: psycopg.Connection, database: str) -> bool:
    found = connection.execute("select 1 from pg_database where datname = %s", (database,))
    return found.fetchone() is not None


def create_database(dsn: str, name: str, template: str = "template1") -> None:
    """Make a further database owned by `tinko_owner`, open to the same roles as `tinko`; a copy
    of `template`, to which nobody may be connected then.

    Copied by file: half the time of going through the log, of which a copy has no use.
    """
    database = sql.Identifier(name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        for text in (
            "create database {0} owner tinko_owner template {1} strategy file_copy",
            "revoke connect, temporary on database {0} from public",
            "grant connect on database {0} to tinko_app, tinko_worker, tinko_readonly",
        ):
            connection.execute(sql.SQL(text).format(database, sql.Identifier(template)))


def drop_database(dsn: str, name: str) -> None:
    """Drop a database, ending whatever is still connected to it."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
        )
