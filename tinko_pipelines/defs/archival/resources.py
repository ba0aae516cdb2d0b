"""Archival's resource: the platform's engines and the bucket, through dagster-aws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from tinko_pipelines.core.db.engine import owner_engine, worker_engine
from tinko_pipelines.core.settings import Settings, get_settings

if TYPE_CHECKING:
    from tinko_pipelines.core.archival.store import ArchiveStore


class ArchiveResource(dg.ConfigurableResource):
    """What a run of archival works with, as the settings say."""

    def archivist(self) -> Any:
        """core.archival's Archivist. Raises nothing where no bucket is set: the plan says so."""
        from tinko_pipelines.core.archival.archivist import Archivist  # noqa: PLC0415 (Arrow)

        settings = get_settings()
        made = Archivist.from_settings(settings, owner_engine(), worker_engine(), "dagster")
        return made.with_store(store_of(settings))


def store_of(settings: Settings) -> ArchiveStore | None:
    """The bucket of S3_BUCKET over dagster-aws's client; None where none is set."""
    if not settings.s3_bucket:
        return None
    # two seconds of imports that only a run of archival needs
    from dagster_aws.s3 import S3Resource  # noqa: PLC0415

    from tinko_pipelines.core.archival.store import ArchiveStore  # noqa: PLC0415

    access, secret = settings.s3_access_key, settings.s3_secret_key
    resource = S3Resource(
        endpoint_url=settings.s3_endpoint_url,
        region_name="us-east-1" if settings.s3_endpoint_url else None,
        aws_access_key_id=access.get_secret_value() if access else None,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
    )
    return ArchiveStore.of_client(settings.s3_bucket, resource.get_client())


@dg.definitions
def resources() -> dg.Definitions:
    return dg.Definitions(resources={"archive": ArchiveResource()})
