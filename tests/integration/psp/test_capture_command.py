"""`tinko capture`: an authorised payment is taken once, or is left to lapse (rule 6)."""

import pytest

from tests.contract.adapter_stages import AMOUNT
from tests.integration.recovery.test_rules_of_money_doors import authorised  # noqa: F401


@pytest.fixture
def shop(razored):
    """The one whose payment is authorised: what `command` works on."""
    return razored


def test_the_command_takes_an_authorised_payment_once(authorised, command):  # noqa: F811
    shop, _, payment = authorised
    done = command("capture", payment, "--connection", shop.connection_id)
    assert (done.exit_code, "captured" in done.output) == (0, True), done.output
    assert (shop.debt_state(), shop.taken(), shop.locks()) == ("paid", AMOUNT, [])
    again = command("capture", payment, "--connection", shop.connection_id)
    assert (again.exit_code, "left to lapse" in again.output) == (1, True)
    assert shop.taken() == AMOUNT


def test_the_command_lets_a_payment_beside_an_open_door_lapse(authorised, command):  # noqa: F811
    shop, debt, payment = authorised
    shop.second_door(debt)
    refused = command("capture", payment, "--connection", shop.connection_id)
    assert (refused.exit_code, "door.open" in refused.output) == (1, True), refused.output
    unknown = command("capture", "pay_nobody", "--connection", shop.connection_id)
    assert (unknown.exit_code, "nothing is known" in unknown.output) == (1, True)
    assert (shop.taken(), shop.locks()) == (0, [])
