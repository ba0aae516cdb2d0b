"""Whether Razorpay delivers events at all."""

from __future__ import annotations

from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.psp.razorpay.client import RazorpayCalls


def enabled(calls: RazorpayCalls) -> bool | None:
    """Whether any webhook is active; None where this key may not ask.

    razorpay.com/docs/webhooks: a webhook that fails for 24 hours is disabled by Razorpay.
    """
    try:
        return any(one.get("active") in (True, 1) for one in calls.items(calls.sdk.webhook.all))
    except PspRejected:
        return None
