"""The demo traffic of `make up`: how dense its world is and how fast its business time runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from tinko_pipelines.core.errors import SettingsError

RATE, OBLIGATIONS, DAYS = "TINKO_DEMO_RATE", "TINKO_DEMO_OBLIGATIONS", "TINKO_DEMO_DAYS"
VARIABLES = (RATE, OBLIGATIONS, DAYS)
_FASTEST = 100_000


@dataclass(frozen=True, slots=True)
class Traffic:
    """Business seconds per wall second, debts of the world, and the days they fall due in.

    It is read when a world is made: a data folder keeps the world it was started with.
    """

    rate: int = 60
    obligations: int = 6000
    days: int = 60
    seed: int = 1

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Traffic:
        """The defaults, changed by the environment. Raises SettingsError naming a malformed one."""
        given = os.environ if environment is None else environment
        changed: dict[str, int] = {}
        for variable in VARIABLES:
            value = given.get(variable, "").strip()
            if not value:
                continue
            if not value.isdecimal() or not 1 <= int(value) <= _FASTEST:
                raise SettingsError(
                    f"{variable}: {value!r} is not a whole number from 1 to {_FASTEST}"
                )
            changed[variable.removeprefix("TINKO_DEMO_").lower()] = int(value)
        return cls(**changed)

    @property
    def world(self) -> dict[str, int]:
        """What `PUT /_sandbox/world` is told, its start apart."""
        return {"seed": self.seed, "obligations": self.obligations, "days": self.days}
