"""A sandbox and a receiver for the module, a shop and its database for each test."""

import base64
import os

import pytest

from tests.contract.sandbox_server import Receiver, Sandbox
from tests.integration.recovery.money_stage import Shop
from tinko_pipelines.core.settings import get_settings

# partitions of the tests' databases stand from June 2026 on; a Tuesday: what tests charge five or
# ten days later is debited on a day when India's banks are open
START = "2026-09-22T06:00:00+00:00"
KEY = base64.urlsafe_b64encode(os.urandom(32)).decode()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    running = Sandbox(tmp_path_factory.mktemp("money"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def settings(monkeypatch):
    monkeypatch.setenv("CREDENTIALS_KEY", KEY)
    monkeypatch.setenv("PSP_TIMEOUT_SECONDS", "5")
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


@pytest.fixture
def open_shop(sandbox, receiver, database, settings, request):
    opened = []
    sandbox.ask("POST", "reset")
    sandbox.ask("PUT", "world", seed=7, start=START, obligations=0, never=0.0, late=0.0,
                twice=0.0, disputes=0.0)  # fmt: skip

    def open_one(psp, beside=None):
        name = "".join(one for one in request.node.name if one.isalnum())[:48]
        heard_by = receiver
        if beside is not None:
            heard_by = Receiver()
            request.addfinalizer(heard_by.close)
        opened.append(Shop(sandbox, heard_by, database, psp, f"{name}{psp}", beside))
        return opened[-1]

    receiver.got.clear()
    yield open_one
    sandbox.ask("PUT", "faults")
    for shop in opened:
        account = shop.stage.account["account_id"]
        sandbox.ask("PUT", "endpoints", psp=shop.stage.psp.value, account_id=account, url=None)
    doubles = sandbox.ask("GET", "truth")["double_charges"]
    assert doubles == 0, "the PSP's own ledger counts a debt that was collected twice"


@pytest.fixture
def striped(open_shop):
    return open_shop("stripe")


@pytest.fixture
def razored(open_shop):
    return open_shop("razorpay")


@pytest.fixture(params=["stripe", "razorpay"])
def shop(request, open_shop):
    return open_shop(request.param)
