"""Servers of the embedded stack, started as their own processes for a module each."""

import contextlib
import os
import sys

import pytest

from tests.integration.local.servers import Server
from tinko_pipelines.local import ports
from tinko_pipelines.local.postgres import EmbeddedPostgres


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """Start `python -m MODULE …` and stop it when the module's tests are done."""
    with contextlib.ExitStack() as stack:

        def start(module, *options, ready, **variables):
            folder = tmp_path_factory.mktemp("server")
            argv = [sys.executable, "-m", module, *options]
            server = Server(argv, folder / "log", ready, {**os.environ, **variables})
            stack.callback(server.stop)
            return server.start()

        yield start


@pytest.fixture(scope="session")
def free_port():
    """Ports that nobody listens on, a new one at each call, kept from the other test processes."""
    return ports.free_port


@pytest.fixture(scope="module")
def server(tmp_path_factory, free_port):
    """An embedded Postgres that really writes through, so that it may be killed."""
    folder = tmp_path_factory.mktemp("pg")
    with EmbeddedPostgres(folder / "postgres", free_port(), fsync=True) as running:
        yield running
