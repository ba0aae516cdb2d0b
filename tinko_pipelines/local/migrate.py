"""Bring Postgres up to date with Alembic, and check the migrations against the models."""

from __future__ import annotations

import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config

from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.local.layout import ROOT
from tinko_pipelines.local.ports import free_port
from tinko_pipelines.local.postgres import EmbeddedPostgres

VERSIONS = ROOT / "sql" / "postgres"


def alembic_config(url: str) -> Config:
    """Alembic's configuration, in code: there is no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(VERSIONS))
    # a percent sign starts an interpolation there
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade_postgres(url: str | None = None, revision: str = "head") -> None:
    """Upgrade the database of `url` (DATABASE_OWNER_URL by default; must be tinko_owner's)."""
    command.upgrade(alembic_config(url or get_settings().database_owner_url), revision)


def check_postgres() -> None:
    """Upgrade a throwaway database and let Alembic compare it with the models.

    Raises alembic.util.CommandError when a migration is missing.
    """
    with (
        tempfile.TemporaryDirectory(prefix="tinko-check-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres", free_port()) as server,
    ):
        config = alembic_config(server.url("tinko_owner"))
        command.upgrade(config, "head")
        command.check(config)
