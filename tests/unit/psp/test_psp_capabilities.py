"""What a PSP cannot do is said by name, with what to do instead."""

import pytest

from tinko_pipelines.core.errors import NotSupported, PspRejected
from tinko_pipelines.core.psp.capabilities import CAPABILITIES, Capability, can, lacking
from tinko_pipelines.core.psp.razorpay.adapter import RazorpayAdapter
from tinko_pipelines.core.psp.stripe.adapter import StripeAdapter
from tinko_pipelines.core.psp.types import Psp


def test_each_capability_is_somebodys_and_each_psp_has_a_set():
    assert set(CAPABILITIES) == set(Psp)
    assert frozenset().union(*CAPABILITIES.values()) == set(Capability)
    for adapter in (StripeAdapter, RazorpayAdapter):
        assert adapter.capabilities is CAPABILITIES[adapter.psp]


@pytest.mark.parametrize("psp", list(Psp))
@pytest.mark.parametrize("wanted", list(Capability))
def test_a_refusal_says_what_is_lacking_and_what_to_do(psp, wanted):
    error = lacking(psp, wanted)
    assert isinstance(error, NotSupported)
    # nothing was sent, and the same call will never work
    assert isinstance(error, PspRejected)
    assert error.extra["capability"] == wanted
    lack, _, instead = error.detail.partition(": ")
    assert psp.name.title() in lack
    assert instead
    assert can(psp, wanted) == (wanted in CAPABILITIES[psp])
