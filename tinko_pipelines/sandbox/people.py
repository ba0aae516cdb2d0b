"""Names, e-mail providers, issuers and paydays the world is drawn from. Plain data."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES: dict[str, tuple[str, ...]] = {
    "en": _words(
        "Aditi Rohan Neha Vikram Sara Daniel Emily James Olivia Noah Grace Lucas Mia Ethan "
        "Priya Arjun Kavya Rahul Anita Thomas Julia Felix Clara Hugo Marta Paul Ines Karl"
    ),
    "hi": _words(
        "Ashok Sunita Rajesh Pooja Amit Rekha Manoj Shalini Deepak Kiran Suresh Anjali Vivek "
        "Meena Sandeep Ritu Naveen Geeta Harish Lata"
    ),
    "ta": _words(
        "Murugan Lakshmi Karthik Selvi Senthil Malar Prakash Kavitha Anbu Tamil Bala Devi "
        "Ganesh Revathi Saravanan Meenakshi"
    ),
}
LAST_NAMES: dict[str, tuple[str, ...]] = {
    "IN": _words(
        "Sharma Verma Iyer Nair Reddy Gupta Mehta Das Kumar Singh Rao Pillai Joshi Patel Bose "
        "Menon Chandran Raman Subramanian Mishra"
    ),
    "US": _words("Smith Johnson Brown Garcia Miller Davis Wilson Moore Clark Lewis Young"),
    "DE": _words("Schmidt Weber Fischer Wagner Becker Hoffmann Koch Richter Klein Wolf"),
    "FR": _words("Martin Bernard Dubois Petit Durand Leroy Moreau Simon Laurent"),
}
MAIL_HOSTS = ("example.com", "example.org", "example.net")

ISSUERS: dict[str, tuple[str, ...]] = {
    "IN": ("HDFC", "ICIC", "SBIN", "UTIB", "KKBK", "PUNB", "IDFB"),
    "US": ("CHAS", "BOFA", "CITI", "CAPO"),
    "DE": ("DEUT", "COBA", "INGD"),
    "FR": ("BNPA", "AGRI"),
}
NETWORKS: dict[str, dict[str, float]] = {
    "IN": {"visa": 0.45, "mastercard": 0.40, "rupay": 0.15},
    "US": {"visa": 0.50, "mastercard": 0.30, "amex": 0.12, "discover": 0.08},
    "DE": {"visa": 0.50, "mastercard": 0.50},
    "FR": {"visa": 0.55, "mastercard": 0.45},
}
# how wages come: a day of the month, the last working day, or every other Friday
PAYDAYS: dict[str, dict[str, float]] = {
    "IN": {"1": 0.45, "7": 0.20, "last": 0.25, "10": 0.10},
    "US": {"fridays": 0.55, "1": 0.25, "15": 0.20},
    "DE": {"last": 0.55, "1": 0.30, "15": 0.15},
    "FR": {"last": 0.60, "5": 0.40},
}
# monthly income in minor units, low and high
INCOMES: dict[str, tuple[int, int]] = {
    "INR": (2_000_000, 18_000_000),
    "USD": (250_000, 1_200_000),
    "EUR": (200_000, 800_000),
}
# typical debts in minor units (a plan's price before the payer's own small difference)
PRICES: dict[str, tuple[int, ...]] = {
    "INR": (19_900, 29_900, 49_900, 79_900, 99_900, 149_900, 249_900, 499_900, 999_900),
    "USD": (900, 1_500, 2_900, 4_900, 7_900, 9_900, 19_900),
    "EUR": (900, 1_900, 2_900, 4_900, 8_900, 14_900),
}
# above what may be charged without a second factor: ₹15,000, and ₹1,00,000 for some trades
LARGE_RUPEES = (1_600_000, 10_100_000)
MADE_UP_CODES = ("sandbox_moon_phase", "sandbox_gremlin", "sandbox_quota_x91")
