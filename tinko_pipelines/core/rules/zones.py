"""The wall clock of a country, where it has one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from importlib import resources

# several zones in the tz database, one clock for (nearly) everybody
MAIN_ZONES: Mapping[str, str] = {
    "AR": "America/Argentina/Buenos_Aires",
    "CN": "Asia/Shanghai",
    "CY": "Asia/Nicosia",
    "DE": "Europe/Berlin",
    "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland",
    "UA": "Europe/Kyiv",
    "UZ": "Asia/Tashkent",
}


def zone_of(country: str | None) -> str | None:
    """The tz database's name of a country's zone; None where the country alone does not tell.

    `country`: ISO 3166-1 alpha-2. Countries with several clocks (US, BR, ID, …) have no answer:
    a guess would let a rule speak of an hour that is not the payer's.
    """
    return _zones().get(country or "")


@cache
def _zones() -> Mapping[str, str]:
    """Countries with one zone, from zone.tab of the tz database."""
    found: dict[str, list[str]] = defaultdict(list)
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8")
    for line in table.splitlines():
        if not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found[country].append(zone)
    only = {one: zones[0] for one, zones in found.items() if len(zones) == 1}
    return {**only, **MAIN_ZONES}
