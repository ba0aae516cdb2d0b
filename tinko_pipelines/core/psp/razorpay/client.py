"""Calls to Razorpay through its SDK, and the one place that says what their errors mean.

The SDK has no timeout, prints its connection errors, and its exceptions keep only a text. So its
`requests.Session` is ours: it sets the timeout, and a hook reads the error before the SDK does.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import razorpay
import requests

from tinko_pipelines.core.errors import (
    PspError,
    PspKeyRefused,
    PspRateLimited,
    PspRejected,
    PspUnreachable,
)
from tinko_pipelines.core.psp.http import kept_session
from tinko_pipelines.core.psp.payload import part, text
from tinko_pipelines.core.psp.throttle import Throttle, limit_of
from tinko_pipelines.core.psp.types import Credentials, Psp

API = "https://api.razorpay.com"
PAGE = 100


class RazorpayRefusal(Exception):
    """An answer that is not 2xx. `error` is its `error` member, `payment_id` the payment it made
    all the same, where it says one."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(text(error, "description") or f"HTTP {status}")
        self.status = status
        self.error = error
        self.payment_id = text(error, "metadata", "payment_id")


class NoAnswer(Exception):
    """No answer came, or none that can be read."""


class TimedSession(requests.Session):
    """A session whose calls all have a timeout and raise `NoAnswer` where none comes."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._timeout = timeout
        self.hooks["response"].append(_refuse)

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """One HTTP call, its errors not those the SDK would print."""
        kwargs["timeout"] = self._timeout
        try:
            return super().request(*args, **kwargs)
        except requests.RequestException as error:
            raise NoAnswer(str(error)) from error


class _Client(razorpay.Client):  # type: ignore[misc]
    """The SDK looks its own version up on the disk for every call, a third of the call's time."""

    def _get_version(self) -> str:
        return _version()


@cache
def _version() -> str:
    return importlib.metadata.version("razorpay")


class RazorpayCalls:
    """One connection's calls, each in its turn. HTTP connections are kept and reused; no call is
    repeated here."""

    def __init__(
        self, credentials: Credentials, timeout: float, throttle: Throttle | None = None
    ) -> None:
        """`timeout` in seconds of real time, for connecting and for each read."""
        self.throttle = throttle or Throttle(limit_of(Psp.RAZORPAY, credentials))
        base_url = credentials.base_url or API
        self.sdk = _Client(
            session=kept_session(base_url, TimedSession(timeout)),
            auth=(credentials.api_key, credentials.api_secret or ""),
            base_url=base_url,
        )
        self.key_id = credentials.api_key

    def __call__(
        self, method: Callable[..., Any], *args: Any, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """One call of a method of `sdk`. Raises PspError as `meaning` says."""
        try:
            return self.collect(method, *args, headers=headers)
        except RazorpayRefusal as error:
            raise meaning(error) from error

    def collect(
        self, method: Callable[..., Any], *args: Any, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """A call that makes a payment. A refusal is raised as RazorpayRefusal: it may name the
        payment, and a declined one is an outcome."""
        self.throttle.turn()
        try:
            answer = method(*args, **({"headers": headers} if headers else {}))
        except RazorpayRefusal as refusal:
            self.throttle.answered(refusal.status)
            raise
        except NoAnswer as error:
            raise PspUnreachable(f"Razorpay: {error}") from error
        except ValueError as error:  # a 2xx whose body is cut off is no answer
            raise PspUnreachable(f"Razorpay's answer could not be read: {error}") from error
        self.throttle.answered(200)
        if not isinstance(answer, dict):
            raise PspUnreachable("Razorpay's answer is not an object")
        return answer

    def items(self, method: Callable[..., Any], *args: Any) -> list[dict[str, Any]]:
        """The items of a collection that has one page."""
        found = self(method, *args).get("items")
        return found if isinstance(found, list) else []

    def pages(
        self, method: Callable[..., Any], params: dict[str, Any], most: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Every item of a list, page after page of at most `most` (else PAGE), by `skip`."""
        for found in self.turned(method, params, most):
            yield from found

    def turned(
        self,
        method: Callable[..., Any],
        params: dict[str, Any],
        most: int | None = None,
        skip: int = 0,
    ) -> Iterator[list[dict[str, Any]]]:
        """The pages of a list that are not empty, the first `skip` items left out."""
        most = most or PAGE
        while True:
            found = self.items(method, params | {"count": most, "skip": skip})
            if found:
                yield found
            if len(found) < most:
                return
            skip += len(found)


def meaning(refusal: RazorpayRefusal) -> PspError:
    """What an answer that is not 2xx means: 429 later, 401 the key, other 4xx refused, else not
    known."""
    said = f"Razorpay: {refusal}"
    if refusal.status == 429:
        return PspRateLimited(said)
    if refusal.status == 401:
        return PspKeyRefused(said, psp_status=refusal.status)
    if 400 <= refusal.status < 500 and refusal.status != 409:
        return PspRejected(
            said,
            psp_code=text(refusal.error, "code"),
            psp_reason=text(refusal.error, "reason"),
            psp_status=refusal.status,
        )
    return PspUnreachable(said, psp_status=refusal.status)


def _refuse(response: requests.Response, *_: Any, **__: Any) -> None:
    if response.ok:
        return
    try:
        error = part(response.json(), "error")
    except ValueError:
        error = None
    raise RazorpayRefusal(response.status_code, error if isinstance(error, dict) else {})
