"""The same shop as the recovery tests use."""

from tests.integration.recovery.conftest import (  # noqa: F401
    open_shop,
    razored,
    receiver,
    sandbox,
    settings,
    shop,
    striped,
)
