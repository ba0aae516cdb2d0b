"""Whether Razorpay delivers our events."""

from __future__ import annotations

from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.psp.razorpay.client import RazorpayCalls
from tinko_pipelines.core.psp.webhook_state import WebhookState, state_of


def state(calls: RazorpayCalls, path: str) -> WebhookState | None:
    """How the webhook to `path` stands; None where this key may not ask.

    razorpay.com/docs/webhooks: a webhook that fails for 24 hours is disabled by Razorpay.
    """
    try:
        found = calls.items(calls.sdk.webhook.all)
    except PspRejected:
        return None
    return state_of(((str(one.get("url")), one.get("active") in (True, 1)) for one in found), path)
