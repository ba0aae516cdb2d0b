"""Whether Stripe delivers events at all."""

from __future__ import annotations

from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.psp.stripe.client import StripeCalls


def enabled(calls: StripeCalls) -> bool | None:
    """Whether any webhook endpoint is enabled; None where a restricted key may not ask.

    docs.stripe.com/webhooks: an endpoint that fails for days is disabled by Stripe.
    """
    try:
        return any(one.get("status") == "enabled" for one in calls.pages("/v1/webhook_endpoints"))
    except PspRejected:
        return None
