"""Timeouts, retries and reuse of an adapter's connection."""

import socket
import uuid

import pytest

from tests.contract.adapter_stages import LONG_AGO, STAGES
from tests.contract.sandbox_server import Sandbox
from tinko_pipelines.core.errors import PspUnreachable
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.types import (
    Credentials,
)
from tinko_pipelines.core.settings import Settings


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    running = Sandbox(tmp_path_factory.mktemp("adapters"))
    running.ask("PUT", "world", seed=7, start=LONG_AGO.isoformat(), obligations=0)
    yield running
    running.close()


@pytest.fixture(params=sorted(STAGES))
def stage(request, sandbox):
    yield STAGES[request.param](sandbox, f"acct_{request.node.name}")
    sandbox.ask("PUT", "faults")


def test_the_timeout_is_ours(stage):
    """A PSP that takes the connection and says nothing is given up after the set time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base = f"http://127.0.0.1:{silent.getsockname()[1]}"
        keys = Credentials(stage.credentials.api_key, "secret", base_url=base)
        adapter = stage.adapter_with(keys, psp_timeout_seconds=0.2)
        with pytest.raises(PspUnreachable):
            adapter.verify_credentials()
        # no second try: an SDK that retried would take several timeouts
        silent.settimeout(0)
        silent.accept()
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_adapters_are_kept_by_connection_and_made_anew_for_new_keys(stage):
    connection, settings = uuid.uuid4(), Settings()
    one = registry.adapter(connection, stage.psp, stage.credentials, settings)
    assert registry.adapter(connection, stage.psp, stage.credentials, settings) is one
    assert registry.adapter(connection, stage.psp, stage.wrong_keys(), settings) is not one
    assert registry.adapter(uuid.uuid4(), stage.psp, stage.credentials, settings) is not one
