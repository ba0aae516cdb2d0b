"""One started stack for the chaos tests: starting one takes most of a minute."""

import pytest

from tests.proofs.live_stack import live_stack


@pytest.fixture(scope="session")
def up():
    """A `tinko up` with a world dense and fast enough for a test."""
    with live_stack(rate=1440, obligations=1000, days=20) as stack:
        yield stack
