"""One started stack for the chaos tests: starting one takes most of a minute."""

import pytest

from tests.proofs.live_stack import live_stack
from tests.proofs.reckoning import leap_to_the_first_retry

# business seconds per wall second: each business day costs the runs of a day, so no faster than
# that events keep coming
AFTERWARDS = 480


@pytest.fixture(scope="session")
def up():
    """A `tinko up` with a world dense and fast enough for a test."""
    with live_stack(rate=1440, obligations=1500, days=20) as stack:
        yield stack


@pytest.fixture(scope="session")
def charging(up):
    """The same from when our first retry is due: nobody waits for its day of business."""
    leap_to_the_first_retry(up, AFTERWARDS)
    return up
