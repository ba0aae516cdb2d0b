"""kill -9 at every labelled point of the executor; `make proof NAME=chaos` does it for 20 seeds."""

import pytest

from tests.conftest import TEMPLATE
from tests.contract.sandbox_server import Sandbox
from tests.integration.recovery.conftest import KEY
from tests.proofs.executor_kills import Tally, kill_everywhere, zygote_with
from tinko_pipelines.core.recovery.points import LABELS
from tinko_pipelines.core.settings import get_settings


@pytest.fixture
def settings(monkeypatch):
    monkeypatch.setenv("CREDENTIALS_KEY", KEY)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.mark.timeout(900)
def test_a_kill_at_every_point_loses_nothing_and_charges_nobody_twice(postgres, settings, tmp_path):
    sandbox, tally = Sandbox(tmp_path), Tally()
    try:
        with zygote_with(KEY) as zygote:
            kill_everywhere(postgres, TEMPLATE, sandbox, zygote, 1, LABELS, tally)
    finally:
        sandbox.close()
    assert tally.wrong == []
    assert set(tally.kills) == set(LABELS)
