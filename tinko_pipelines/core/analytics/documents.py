"""The pages that dbt and Great Expectations write about data, found again for a browser.

Whoever makes them leaves them in a folder, and in the bucket where S3_BUCKET is set: there they are
looked for first, since who is asked for them may be another machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tinko_pipelines.core.analytics.dbt import DOCS
from tinko_pipelines.core.errors import NotFound
from tinko_pipelines.core.settings import Settings

if TYPE_CHECKING:
    from tinko_pipelines.core.archival.store import ArchiveStore

# of each site, its place in the bucket
PREFIXES: Mapping[str, str] = {"dbt": "analytics/dbt-docs", "quality": "quality/data-docs"}
# what is worth opening by itself; the index of Data Docs is drawn by scripts from elsewhere
_OPENED: Mapping[str, str] = {"dbt": "", "quality": "validations/"}
SHOWN = 200
AGE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Made:
    """A page of dbt's as it was last made: when, and the digest of the definitions it shows."""

    at: datetime
    definitions: str


def due(last: Made | None, definitions: str, now: datetime) -> bool:
    """Whether dbt's page is to be made: the definitions changed, or what is built is another after
    a week. Pure."""
    return last is None or last.definitions != definitions or now - last.at >= AGE


def address(settings: Settings, page: str = "") -> str:
    """Where the API answers, on its own machine: with `site/path`, or with the list of all."""
    return f"{settings.public_url.rstrip('/')}/console/documents/{page}"


def read(settings: Settings, site: str, path: str) -> bytes:
    """One file of a site. Raises NotFound."""
    if site not in PREFIXES or ".." in PurePosixPath(path).parts:
        raise NotFound("there is no such page")
    store = _store(settings)
    if store is not None and path in _in_bucket(store, site):
        return store.get(f"{PREFIXES[site]}/{path}")
    folder = _folder(settings, site).resolve()
    file = (folder / path).resolve()
    if not file.is_relative_to(folder) or not file.is_file():
        raise NotFound("there is no such page")
    return file.read_bytes()


def listed(settings: Settings, site: str) -> list[str]:
    """The pages of a site that are worth opening by themselves, by name downwards: those of Data
    Docs carry the time of their batch."""
    folder, under = _folder(settings, site), _OPENED[site]
    here = {one.relative_to(folder).as_posix() for one in folder.rglob("*.html")}
    store = _store(settings)
    found = here if store is None else here | _in_bucket(store, site)
    pages = [one for one in found if one.startswith(under) and one.endswith(".html")]
    return sorted(pages, key=lambda one: one.split("/")[2:] or [one], reverse=True)[:SHOWN]


def _folder(settings: Settings, site: str) -> Path:
    return DOCS if site == "dbt" else Path(settings.quality_docs_dir)


def _in_bucket(store: ArchiveStore, site: str) -> set[str]:
    """What the bucket has of a site; nothing where it does not answer."""
    from tinko_pipelines.core.archival.model import ArchiveStoreError  # noqa: PLC0415

    try:
        return {one.removeprefix(f"{PREFIXES[site]}/") for one in store.sizes(PREFIXES[site])}
    except ArchiveStoreError:
        return set()


def _store(settings: Settings) -> ArchiveStore | None:
    if not settings.s3_bucket:
        return None
    # a second of imports, for whoever asks for a page
    from tinko_pipelines.core.archival.store import ArchiveStore  # noqa: PLC0415

    return ArchiveStore.from_settings(settings)
