"""Data Docs: Great Expectations' own pages of a batch, in a folder or an S3 bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinko_pipelines.core.quality.expectations import Session
from tinko_pipelines.core.settings import Settings

PREFIX = "quality/data-docs"
_SITE = "tinko"


def publish(session: Session, settings: Settings) -> str:
    """Add the batch's pages to the site; where its index is, as a path or an s3:// address.

    In the bucket where S3_BUCKET is set, else in QUALITY_DOCS_DIR. Pages of earlier batches stay.
    """
    session.context.add_data_docs_site(
        site_name=_SITE,
        site_config={
            "class_name": "SiteBuilder",
            "store_backend": _store(settings),
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "show_how_to_buttons": False,
        },
    )
    session.context.build_data_docs(site_names=[_SITE])
    if settings.s3_bucket:
        return f"s3://{settings.s3_bucket}/{PREFIX}/index.html"
    return str(_folder(settings) / "index.html")


def _folder(settings: Settings) -> Path:
    return Path(settings.quality_docs_dir).resolve()


def _store(settings: Settings) -> dict[str, Any]:
    if not settings.s3_bucket:
        return {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(_folder(settings)),
        }
    secret = settings.s3_secret_key
    access = settings.s3_access_key
    given = {
        "endpoint_url": settings.s3_endpoint_url,
        "aws_access_key_id": access.get_secret_value() if access else None,
        "aws_secret_access_key": secret.get_secret_value() if secret else None,
    }
    return {
        "class_name": "TupleS3StoreBackend",
        "bucket": settings.s3_bucket,
        "prefix": PREFIX,
        # what is not set is boto's to find
        "boto3_options": {name: value for name, value in given.items() if value},
    }
