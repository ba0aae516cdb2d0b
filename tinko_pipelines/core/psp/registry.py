"""The one place that knows which PSPs there are."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from threading import Lock

from tinko_pipelines.core.psp.protocol import PspAdapter, PspReader
from tinko_pipelines.core.psp.razorpay.adapter import RazorpayAdapter
from tinko_pipelines.core.psp.razorpay.webhook import RazorpayReader
from tinko_pipelines.core.psp.stripe.adapter import StripeAdapter
from tinko_pipelines.core.psp.stripe.webhook import StripeReader
from tinko_pipelines.core.psp.throttle import Limit, Throttle, limit_of
from tinko_pipelines.core.psp.types import Credentials, Psp
from tinko_pipelines.core.settings import Settings

_READERS: Mapping[Psp, PspReader] = {Psp.STRIPE: StripeReader(), Psp.RAZORPAY: RazorpayReader()}
_ADAPTERS: Mapping[Psp, Callable[[Credentials, float, Throttle], PspAdapter]] = {
    Psp.STRIPE: StripeAdapter,
    Psp.RAZORPAY: RazorpayAdapter,
}
_lock = Lock()
_cache: dict[uuid.UUID, tuple[Psp, Credentials, float, PspAdapter]] = {}
_throttles: dict[tuple[uuid.UUID, Limit], Throttle] = {}


def reader(psp: Psp) -> PspReader:
    """The pure half of a PSP; one object serves every connection."""
    return _READERS[Psp(psp)]


def adapter(
    connection_id: uuid.UUID, psp: Psp, credentials: Credentials, settings: Settings
) -> PspAdapter:
    """The adapter of a connection, kept so that its HTTP connections are reused.

    It is made anew when the credentials have changed; its throttle stays, for the limit is the
    account's and not the key's. Safe to call from several threads.
    """
    wanted = (Psp(psp), credentials, settings.psp_timeout_seconds)
    with _lock:
        known = _cache.get(connection_id)
        if known is not None and known[:3] == wanted:
            return known[3]
        limit = limit_of(wanted[0], credentials)
        throttle = _throttles.setdefault((connection_id, limit), Throttle(limit))
        made = _ADAPTERS[wanted[0]](credentials, settings.psp_timeout_seconds, throttle)
        _cache[connection_id] = (*wanted, made)
        return made


def try_out(psp: Psp, credentials: Credentials, settings: Settings) -> PspAdapter:
    """An adapter for credentials that belong to no connection yet; it is not kept."""
    throttle = Throttle(limit_of(Psp(psp), credentials))
    return _ADAPTERS[Psp(psp)](credentials, settings.psp_timeout_seconds, throttle)
