"""The same shop as the recovery tests use, and what it holds of a PSP's own word."""

import pytest

from tests.integration.recovery.conftest import (  # noqa: F401
    open_shop,
    razored,
    receiver,
    sandbox,
    settings,
    shop,
    striped,
)
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.psp.operations import RefundRequest


@pytest.fixture
def refund():
    """Give back part of a payment, as the merchant would."""

    def give_back(shop, payment_id, amount):  # noqa: F811
        name = str(new_id(shop.clock.now()))
        return shop.stage.adapter.refund(RefundRequest(payment_id, name, name, amount))

    return give_back
