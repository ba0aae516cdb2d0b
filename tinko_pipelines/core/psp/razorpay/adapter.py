"""Razorpay behind `protocol.PspAdapter`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from math import ceil
from typing import Any

from tinko_pipelines.core.psp.razorpay import charging, doors, reads
from tinko_pipelines.core.psp.razorpay.client import API, RazorpayCalls
from tinko_pipelines.core.psp.types import (
    ChargeRequest,
    Credentials,
    DoorSeen,
    HandOver,
    Observation,
    Outcome,
    Psp,
    Ref,
)


class RazorpayAdapter:
    """The calls of one Razorpay connection."""

    psp = Psp.RAZORPAY

    def __init__(self, credentials: Credentials, timeout: float) -> None:
        """`timeout` in seconds of real time, for connecting and for each read."""
        self._calls = RazorpayCalls(credentials, timeout)
        self._base_url = credentials.base_url or API

    def read(self, refs: tuple[Ref, ...]) -> Observation:
        """The debt as it stands now: all its doors and payments, freshly read."""
        return reads.read(self._calls, refs)

    def resolve(self, observation: Observation) -> Observation:
        """The observation with its order, invoice, link or cycle, and its mandate's state."""
        return reads.resolve(self._calls, observation)

    def charge(self, request: ChargeRequest) -> Outcome:
        """A new order, and a recurring payment on it."""
        return charging.charge(self._calls, request)

    def find_attempt(self, request: ChargeRequest) -> Outcome:
        """The payment on the order that carries this attempt's id."""
        return charging.find_attempt(self._calls, request)

    def close_door(self, door: DoorSeen) -> DoorSeen:
        """Cancel a Payment Link, read back any door."""
        return doors.close_door(self._calls, door)

    def hand_over(self, observation: Observation, return_url: str) -> HandOver:
        """The page of the subscription, link, invoice or order, else a new Payment Link."""
        return doors.hand_over(self._calls, observation, return_url, self._base_url)

    def list_changes(self, start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
        """Payments and orders created in [start, end). Razorpay includes both ends, in seconds."""
        span = {"from": ceil(start.timestamp()), "to": ceil(end.timestamp()) - 1}
        yield from self._calls.pages(self._calls.sdk.payment.all, span | reads.WITH_CARD)
        yield from self._calls.pages(self._calls.sdk.order.all, span)

    def verify_credentials(self) -> str:
        """The key id, once Razorpay has accepted it with its secret. Razorpay tells no key whose
        it is: the account's own id comes with every webhook (`account_id`)."""
        self._calls(self._calls.sdk.payment.all, {"count": 1})
        return self._calls.key_id
