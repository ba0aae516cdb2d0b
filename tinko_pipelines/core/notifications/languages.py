"""The languages payers are spoken to in, and catalogues of text as data.

A catalogue is a folder with one YAML file a language, each a flat or nested mapping of text.
`gaps` is what the test of completeness asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English", "hi": "हिन्दी", "ta": "தமிழ்"})
DEFAULT_LANGUAGE = "en"
CATALOGUE = Path(__file__).parent / "catalogue"
_PLACEHOLDER = re.compile(r"{(\w+)}")


def pick_language(*wanted: str | None) -> str:
    """The first of `wanted` that we speak (`hi-IN` is `hi`); English where none is."""
    for tag in wanted:
        base = (tag or "").replace("_", "-").split("-")[0].strip().lower()
        if base in LANGUAGES:
            return base
    return DEFAULT_LANGUAGE


@cache
def catalogue(folder: Path, language: str) -> Mapping[str, str]:
    """All text of `folder` in `language`, with dotted keys.

    Raises FileNotFoundError for a language without a file, ValueError for a value that is no text.
    """
    loaded = yaml.safe_load((folder / f"{language}.yaml").read_text(encoding="utf-8"))
    return MappingProxyType(dict(_flatten(loaded, "")))


def _flatten(node: Mapping[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in node.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{path}.")
        elif isinstance(value, str):
            yield path, value.strip()
        else:
            raise ValueError(f"{path} is {value!r}; a catalogue holds text only")


def gaps(folder: Path) -> list[str]:
    """What the catalogue in `folder` lacks, each as one line that names language and key.

    A key missing in a language, an empty text, and placeholders that differ from English.
    """
    texts = {language: catalogue(folder, language) for language in LANGUAGES}
    keys = sorted(set().union(*texts.values()))
    found = []
    for key in keys:
        expected = set(_PLACEHOLDER.findall(texts[DEFAULT_LANGUAGE].get(key, "")))
        for language, text in texts.items():
            if not text.get(key):
                found.append(f"{folder.name}/{language}.yaml lacks {key}")
            elif set(_PLACEHOLDER.findall(text[key])) != expected:
                found.append(f"{folder.name}/{language}.yaml: placeholders of {key} differ")
    return found


def reason_text(reason: str | None, language: str) -> str | None:
    """The sentence for a key of `core.failures.taxonomy.PayerReason`; None where none is known."""
    if reason is None:
        return None
    texts = catalogue(CATALOGUE, language)
    return texts.get(f"reasons.{reason}", texts["reasons.declined"])


def zone(name: str) -> ZoneInfo:
    """The IANA zone `name`; UTC where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def format_date(at: datetime, timezone: str, language: str) -> str:
    """The day of `at` in `timezone` (IANA): `14 March 2026`, `14 मार्च 2026`."""
    local = at.astimezone(zone(timezone))
    month = catalogue(CATALOGUE, language)[f"months.m{local.month:02d}"]
    return f"{local.day} {month} {local.year}"
