"""One closed debt of an earlier month: what was owed, when it failed and how it ended. Pure but for
its ids.

It failed once at its merchant's; then a retry of ours or the payer paid it, or it was lost.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from tinko_pipelines.core.ids import new_id

_CURRENCIES = ("USD", "INR", "JPY")
# of five debts: three that a retry of ours collected, one that the payer paid, one that was lost
_ENDS = ("tinko", "payer", "tinko", "lost", "tinko")


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose month it is."""

    org_id: uuid.UUID
    connection_id: uuid.UUID
    psp: str = "stripe"


@dataclass(frozen=True)
class ClosedDebt:
    """The `number`th debt of a tenant's month, due at `began`."""

    tenant: Tenant
    number: int
    began: datetime

    @cached_property
    def id(self) -> uuid.UUID:
        return new_id(self.began)

    @cached_property
    def case_id(self) -> uuid.UUID:
        return new_id(self.failed)

    @property
    def failed(self) -> datetime:
        return self.began + timedelta(minutes=2)

    @property
    def ended(self) -> datetime:
        return self.began + timedelta(days=3)

    @property
    def end(self) -> str:
        """Who paid it (`tinko`, `payer`), or `lost`."""
        return _ENDS[self.number % len(_ENDS)]

    @property
    def paid(self) -> bool:
        return self.end != "lost"

    @property
    def currency(self) -> str:
        return _CURRENCIES[self.number % len(_CURRENCIES)]

    @property
    def due(self) -> int:
        """Minor units."""
        return 500 + self.number * 7 % 9000

    @property
    def tag(self) -> str:
        """What makes the ids of its objects its own."""
        return f"{self.tenant.connection_id.hex[-12:]}_{self.began:%Y-%m}_{self.number}"
