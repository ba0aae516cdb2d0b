"""Razorpay switches a webhook off that was not answered for a day; Stripe has more patience."""

import asyncio
import itertools

import pytest

from tinko_pipelines.sandbox.deliveries import Deliveries
from tinko_pipelines.sandbox.rhythms import HOUR
from tinko_pipelines.sandbox.store import Store


class Silent:
    """What deliveries need of an engine, with an endpoint that answers what it is told to."""

    def __init__(self, folder):
        self.store, self.now, self.timers, self.surfaces = Store(folder / "s.db"), 0, self, {}
        self.status, self.asked, self.planned = 500, 0, []
        self.deliveries = Deliveries(self)
        self.deliveries._post = self.answer
        self._numbers = itertools.count()

    async def answer(self, account, event):
        if account.get("webhook_off"):
            return None
        self.asked += 1
        return self.status

    def at(self, when, action, **args):
        self.planned.append(when)

    def done(self, timer):
        pass

    def deliver(self, psp, hours):
        """An event of the account, delivered at that hour; whether its webhook is on after it."""
        self.now = hours * HOUR
        if self.store.get("account", psp) is None:
            self.store.put("account", {"id": psp, "psp": psp, "url": "http://127.0.0.1:1/"})
        id_ = f"evt_{next(self._numbers)}"
        self.store.put("event", {"id": id_, "body": "{}"})
        self.store.put("delivery", {"id": id_, "account": psp, "made": self.now, "sends": 0,
                                    "answered": 0})  # fmt: skip
        asyncio.run(self.deliveries.send([{"args": {"event": id_, "tries": 0}}]))
        return not self.store.get("account", psp).get("webhook_off")


@pytest.fixture
def psps(tmp_path):
    return Silent(tmp_path)


def test_a_day_without_an_answer_is_too_long_for_razorpay(psps):
    assert [psps.deliver("razorpay", at) for at in (0, 12, 23, 24, 25)] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert psps.asked == 4
    assert [psps.deliver("stripe", at) for at in (0, 24, 60)] == [True] * 3


def test_an_answer_in_between_begins_the_day_anew(psps):
    assert psps.deliver("razorpay", 0)
    psps.status = 200
    assert psps.deliver("razorpay", 20)
    psps.status = 503
    assert [psps.deliver("razorpay", at) for at in (21, 40, 44, 45)] == [True, True, True, False]
