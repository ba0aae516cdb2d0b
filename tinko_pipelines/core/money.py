"""Money: integer minor units and an ISO 4217 currency. Currencies are never added together."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

# Minor-unit exponents that differ from 2 (ISO 4217, list one). UGX is listed with exponent 0;
# Stripe's API takes it as if it had two decimals, which the Stripe mapping must undo if ever used.
_ZERO = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_EXPONENTS: dict[str, int] = {
    **dict.fromkeys(_ZERO.split(), 0),
    **dict.fromkeys(_THREE.split(), 3),
    "CLF": 4,
    "UYW": 4,
}

_SYMBOLS = {"INR": "₹", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}


def exponent(currency: str) -> int:
    """Digits after the decimal point of `currency` (ISO 4217); 2 where nothing else is listed."""
    return _EXPONENTS.get(currency.upper(), 2)


@dataclass(frozen=True, slots=True)
class Money:
    """`minor` units (paise, cents, yen) of `currency` (three upper-case letters)."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if isinstance(self.minor, bool) or not isinstance(self.minor, int):
            raise TypeError(f"minor units are an int, not {type(self.minor).__name__}")
        if len(self.currency) != 3 or not self.currency.isascii() or not self.currency.isupper():
            raise ValueError(
                f"currency must be three upper-case ISO 4217 letters, not {self.currency!r}"
            )

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} are never added or compared")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.minor < other.minor

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.minor <= other.minor

    @property
    def major(self) -> Decimal:
        """The amount in major units, exact (₹1,234.50 is Decimal('1234.50'))."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def format(self) -> str:
        """For people: `₹1,23,450.00` (Indian grouping for rupees), `$1,234.50`, `KWD 1.250`."""
        sign = "-" if self.minor < 0 else ""
        digits = exponent(self.currency)
        whole, _, fraction = f"{abs(self.major):.{digits}f}".partition(".")
        grouped = _indian(whole) if self.currency == "INR" else f"{int(whole):,}"
        symbol = _SYMBOLS.get(self.currency, f"{self.currency} ")
        return f"{sign}{symbol}{grouped}{'.' + fraction if fraction else ''}"


def _indian(whole: str) -> str:
    """Group as lakh and crore: the last three digits, then pairs."""
    head, tail = whole[:-3], whole[-3:]
    pairs: list[str] = []
    while head:
        pairs.insert(0, head[-2:])
        head = head[:-2]
    return ",".join([*pairs, tail])
