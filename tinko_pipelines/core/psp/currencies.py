"""Which currencies a page of each PSP takes without anything being arranged first.

Stripe: the presentment currencies of docs.stripe.com/currencies as we know them, not checked one by
one; without those whose minor units it counts otherwise than ISO 4217 (ISK, UGX) or takes only in
tens (BHD, JOD, KWD, OMR, TND). An account may take fewer: then Stripe refuses, and nothing opens.
Razorpay: INR; others only where international payments were switched on, which no API tells.
"""

from __future__ import annotations

from collections.abc import Mapping

from tinko_pipelines.core.psp.types import Psp

_STRIPE = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP
CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF
IDR ILS INR JMD JPY KES KGS KHR KMF KRW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR
MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RWF SAR SBD SCR
SEK SGD SHP SOS SRD SZL THB TJS TOP TRY TTD TWD TZS UAH USD UYU UZS VND VUV WST XAF XCD XOF XPF YER
ZAR ZMW
"""

CURRENCIES: Mapping[Psp, frozenset[str]] = {
    Psp.STRIPE: frozenset(_STRIPE.split()),
    Psp.RAZORPAY: frozenset({"INR"}),
}


def takes(psp: Psp, currency: str) -> bool:
    """Whether a page of the PSP can be opened in `currency` (ISO 4217)."""
    return currency in CURRENCIES[psp]
