import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinko_pipelines.core.money import Money, exponent

CURRENCIES = st.sampled_from(["INR", "USD", "EUR", "JPY", "KWD", "CLF"])
AMOUNTS = st.integers(-(10**15), 10**15)


@given(AMOUNTS, AMOUNTS, CURRENCIES)
def test_sums_are_exact(a, b, currency):
    total = Money(a, currency) + Money(b, currency)
    assert total.minor == a + b
    assert (total - Money(b, currency)).minor == a


@given(AMOUNTS, CURRENCIES)
def test_what_a_person_reads_is_the_amount(minor, currency):
    shown = Money(minor, currency).format()
    digits = "".join(char for char in shown if char.isdigit())
    assert int(digits) == abs(minor)
    assert shown.startswith("-") is (minor < 0)
    decimals = shown.rpartition(".")[2] if "." in shown else ""
    assert len(decimals) == exponent(currency)


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (123_456_789, "INR", "₹12,34,567.89"),
        (99_900, "INR", "₹999.00"),
        (100_000_00, "INR", "₹1,00,000.00"),
        (123_456_789, "USD", "$1,234,567.89"),
        (500, "JPY", "¥500"),
        (1_250, "KWD", "KWD 1.250"),
        (-5, "EUR", "-€0.05"),
    ],
)
def test_grouping_and_exponents(minor, currency, shown):
    assert Money(minor, currency).format() == shown


def test_currencies_never_meet():
    with pytest.raises(ValueError, match="never added"):
        Money(1, "INR") + Money(1, "USD")
    with pytest.raises(ValueError, match="never added"):
        _ = Money(1, "INR") < Money(2, "USD")


@pytest.mark.parametrize("minor", [1.5, "1", True, None])
def test_only_whole_minor_units(minor):
    with pytest.raises(TypeError):
        Money(minor, "INR")


@pytest.mark.parametrize("currency", ["inr", "RUPEE", "", "₹₹₹"])
def test_only_iso_codes(currency):
    with pytest.raises(ValueError, match="ISO 4217"):
        Money(1, currency)
