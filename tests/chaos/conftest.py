"""One started stack for the chaos tests: starting one takes most of a minute."""

import httpx
import pytest

from tests.proofs.live_stack import live_stack

# by default our first charge comes after a day of business, and everything would wait for it
SOON = {"strategy": {"kind": "backoff", "base_hours": 2, "cap_hours": 24, "floor_hours": 1}}


@pytest.fixture(scope="session")
def up():
    """A `tinko up` with a world dense and fast enough for a test, of a merchant who retries soon.

    No faster: every business day costs the runs of a day.
    """
    with live_stack(rate=720, obligations=1000, days=10) as stack:
        answer = httpx.post(
            f"{stack.url('api')}/v1/policies",
            json=SOON,
            headers={"X-API-KEY": stack.api_key()},
            timeout=60,
        )
        assert answer.status_code == 201, answer.text
        yield stack
