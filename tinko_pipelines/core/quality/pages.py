"""Data Docs: Great Expectations' own pages of a batch, in a folder, and beside it in S3."""

from __future__ import annotations

import logging
import mimetypes
from pathlib import Path

from tinko_pipelines.core.analytics.documents import PREFIXES
from tinko_pipelines.core.archival.model import ArchiveStoreError
from tinko_pipelines.core.archival.store import ArchiveStore
from tinko_pipelines.core.quality.expectations import Session
from tinko_pipelines.core.settings import Settings

PREFIX = PREFIXES["quality"]
_SITE = "tinko"
_INDEX = "index.html"
log = logging.getLogger(__name__)


def publish(session: Session, settings: Settings) -> str:
    """Make the batch's pages; where its index is, as a path or an s3:// address.

    Great Expectations writes to folders only: the site is made anew in QUALITY_DOCS_DIR, and copied
    to the bucket where S3_BUCKET is set, which keeps the pages of earlier batches. A bucket that
    cannot be written to is logged and the folder named: what was checked stands.
    """
    folder = Path(settings.quality_docs_dir).resolve()
    session.context.add_data_docs_site(
        site_name=_SITE,
        site_config={
            "class_name": "SiteBuilder",
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(folder),
            },
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "show_how_to_buttons": False,
        },
    )
    session.context.build_data_docs(site_names=[_SITE])
    store = ArchiveStore.from_settings(settings)
    if store is not None:
        try:
            _copy(folder, store)
        except ArchiveStoreError as error:
            log.warning("the pages of quality are in %s only: %s", folder, error.detail)
        else:
            return f"s3://{store.bucket}/{PREFIX}/{_INDEX}"
    return str(folder / _INDEX)


def _copy(folder: Path, store: ArchiveStore) -> None:
    """Bring the bucket what it has not; a batch's pages have names of their own."""
    there = store.sizes(PREFIX)
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        key, body = f"{PREFIX}/{path.relative_to(folder).as_posix()}", path.read_bytes()
        if path.name == _INDEX or there.get(key) != len(body):
            kind, _ = mimetypes.guess_type(path.name)
            store.put(key, body, kind or "application/octet-stream")
