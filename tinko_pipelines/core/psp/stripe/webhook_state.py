"""Whether Stripe delivers our events."""

from __future__ import annotations

from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.psp.stripe.client import StripeCalls
from tinko_pipelines.core.psp.webhook_state import WebhookState, state_of


def state(calls: StripeCalls, path: str) -> WebhookState | None:
    """How the webhook endpoint to `path` stands; None where a restricted key may not ask.

    docs.stripe.com/webhooks: an endpoint that fails for days is disabled by Stripe.
    """
    try:
        found = list(calls.pages("/v1/webhook_endpoints"))
    except PspRejected:
        return None
    return state_of(((str(one.get("url")), one.get("status") == "enabled") for one in found), path)
