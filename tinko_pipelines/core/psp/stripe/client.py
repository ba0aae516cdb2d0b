"""Calls to Stripe through its SDK, and the one place that says what their errors mean.

Calls go through the SDK's `raw_request` and answer plain dicts: building the SDK's objects costs
1.7 ms each, and nothing here needs them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import stripe

from tinko_pipelines.core.errors import (
    PspError,
    PspKeyRefused,
    PspRateLimited,
    PspRejected,
    PspUnreachable,
)
from tinko_pipelines.core.psp.http import kept_session
from tinko_pipelines.core.psp.throttle import Throttle, limit_of
from tinko_pipelines.core.psp.types import Credentials, Psp

PAGE = 100


class StripeCalls:
    """One connection's calls, each in its turn. HTTP connections are kept and reused; no call is
    repeated here."""

    def __init__(
        self, credentials: Credentials, timeout: float, throttle: Throttle | None = None
    ) -> None:
        """`timeout` in seconds of real time, for connecting and for each read."""
        self.throttle = throttle or Throttle(limit_of(Psp.STRIPE, credentials))
        session = kept_session(credentials.base_url or stripe.DEFAULT_API_BASE)
        self._client = stripe.StripeClient(
            credentials.api_key,
            base_addresses={"api": credentials.base_url} if credentials.base_url else {},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=timeout, session=session),
        )

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """One object. Raises PspError as `meaning` says."""
        return self._call("get", path, params)

    def post(self, path: str, idempotency_key: str | None = None, **params: Any) -> dict[str, Any]:
        """Make or change one object. Raises PspError as `meaning` says."""
        try:
            return self.collect(path, idempotency_key, **params)
        except stripe.CardError as error:
            raise meaning(error) from error

    def collect(
        self, path: str, idempotency_key: str | None = None, **params: Any
    ) -> dict[str, Any]:
        """A call that collects. A declined card is `stripe.CardError`: it may name the charge, and
        is an outcome. All else is PspError."""
        if idempotency_key is not None:
            params["idempotency_key"] = idempotency_key
        return self._call("post", path, params)

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Every object of a list, page after page of at most 100."""
        for items in self.turned(path, **params):
            yield from items

    def turned(
        self, path: str, after: str | None = None, **params: Any
    ) -> Iterator[list[dict[str, Any]]]:
        """The pages of a list that are not empty, from the object behind `after` on."""
        while True:
            start = {} if after is None else {"starting_after": after}
            page = self.get(path, limit=PAGE, **params, **start)
            items = page.get("data") or []
            if items:
                yield items
            if not page.get("has_more") or not items:
                return
            after = str(items[-1]["id"])

    def _call(self, method: str, path: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self.throttle.turn()
        try:
            answer = self._client.raw_request(method, path, **params).data
        except stripe.StripeError as error:
            self.throttle.answered(error.http_status or 0)
            if isinstance(error, stripe.CardError):
                raise
            raise meaning(error) from error
        except ValueError as error:  # a 2xx whose body is cut off is no answer
            raise PspUnreachable(f"Stripe's answer could not be read: {error}") from error
        self.throttle.answered(200)
        if not isinstance(answer, dict):
            raise PspUnreachable("Stripe's answer is not an object")
        return answer


def meaning(error: stripe.StripeError) -> PspError:
    """What an SDK error means for us.

    No answer, 5xx and 409 (the same key is in flight): not known. 429: later. 401: the key. Other
    4xx: refused.
    """
    status = error.http_status or 0
    said = error.user_message or str(error)
    if isinstance(error, stripe.RateLimitError) or status == 429:
        return PspRateLimited(f"Stripe: {said}")
    if status == 401:
        return PspKeyRefused(f"Stripe: {said}", psp_status=status)
    if 400 <= status < 500 and status != 409:
        return PspRejected(f"Stripe: {said}", psp_code=error.code, psp_status=status)
    return PspUnreachable(f"Stripe: {said}", psp_status=status)
