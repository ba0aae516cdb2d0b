"""Organisations with connections, and the API over a database of the test's own."""

from __future__ import annotations

import base64
import os
from functools import partial

import pytest
from sqlalchemy import text

from tests.api.deliveries import make_merchant, serving, settings_of
from tinko_pipelines.core.db.engine import unit_of_work


@pytest.fixture(scope="session")
def credentials_key():
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


@pytest.fixture
def settings(database, credentials_key):
    return settings_of(database.url, credentials_key)


@pytest.fixture
def worker(database):
    return database.worker


@pytest.fixture
def add_merchant(worker, settings):
    """Makes an organisation with a connection per PSP and an API key."""

    return partial(make_merchant, worker, settings.credentials_key)


@pytest.fixture
def merchant(add_merchant):
    return add_merchant()


@pytest.fixture
def client(settings):
    with serving(settings) as running:
        yield running


@pytest.fixture
def inbox(worker):
    """Reads the inbox as the worker does: every row, oldest first."""

    def read():
        with unit_of_work(worker) as connection:
            return list(
                connection.execute(text("select * from inbox_events order by id")).mappings()
            )

    return read


@pytest.fixture
def inbox_keys(worker):
    def read():
        with unit_of_work(worker) as connection:
            return list(connection.execute(text("select * from inbox_keys")).mappings())

    return read
