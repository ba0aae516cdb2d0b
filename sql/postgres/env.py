"""Alembic's environment: online only, as tinko_owner, on the URL that the caller gives."""

from alembic import context
from sqlalchemy import create_engine, pool

from tinko_pipelines.core.db.engine import sqlalchemy_url
from tinko_pipelines.core.db.tables import PARTITIONED, metadata
from tinko_pipelines.core.settings import get_settings


def include_object(candidate, name, kind, reflected, compare_to):
    """Partitions are made month by month by core.db.partitions and are not the model's."""
    if kind == "table" and reflected and compare_to is None:
        return not any(name.startswith(f"{parent}_") for parent in PARTITIONED)
    return True


def run():
    url = context.config.get_main_option("sqlalchemy.url") or get_settings().database_owner_url
    engine = create_engine(sqlalchemy_url(url), poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            include_object=include_object,
            compare_type=True,
            compare_server_default=False,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
