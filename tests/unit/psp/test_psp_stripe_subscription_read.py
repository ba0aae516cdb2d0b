"""The fresh read before a charge asks how the subscription behind an invoice stands."""

import pytest

from tests.unit.psp.psp_payloads import stripe_object
from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.psp.stripe import reads
from tinko_pipelines.core.psp.subscriptions import SubscriptionSeen
from tinko_pipelines.core.psp.subscriptions import SubscriptionStanding as Stands
from tinko_pipelines.core.psp.types import Ref, RefKind


class Answers:
    """Stripe with one invoice of a subscription; an object that is None may not be read."""

    def __init__(self, subscription):
        self.found = {
            "/v1/invoices/in_1": stripe_object(
                "invoice", id="in_1", customer=None, payments=None,
                parent__subscription_details__subscription="sub_1",
            ),
            "/v1/subscriptions/sub_1": subscription,
        }  # fmt: skip

    def get(self, path, **_):
        if self.found[path] is None:
            raise PspRejected("not with this key")
        return self.found[path]

    def pages(self, path, **_):
        return iter(())


@pytest.mark.parametrize(
    ("status", "standing"), [("canceled", Stands.CANCELLED), ("active", Stands.LIVE), (None, None)]
)
def test_how_the_subscription_stands_is_read_with_its_invoice(status, standing):
    found = status and stripe_object(
        "subscription", id="sub_1", status=status, pause_collection=None
    )
    seen = reads.read(Answers(found), (Ref(RefKind.INVOICE, "in_1"),))
    assert seen.subscription == SubscriptionSeen("sub_1", standing)
