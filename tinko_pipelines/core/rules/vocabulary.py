"""The words of rules: what may be compared, with which operators, and what may be done."""

from __future__ import annotations

from enum import StrEnum

# ISO 4217 list one, active currencies of countries (funds, metals and test codes left out)
_CURRENCIES = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD
    CAD CDF CHF CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL
    GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF
    KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN
    MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
    SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH
    UGX USD UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CURRENCIES.split())

# conditions in one tree, values in one list, rules in one set, words in one rule
MAX_CONDITIONS, MAX_VALUES, MAX_RULES = 256, 1000, 200
MAX_TEXT = 200
MAX_DAYS = 3660  # no clock of a recovery runs longer than ten years
MAX_ATTEMPTS = 10_000
MAX_WAIT_MINUTES = 90 * 24 * 60
MAX_MINOR = 2**63 - 1  # a Postgres bigint


class Field(StrEnum):
    """What a condition compares. Each is a key of the tree."""

    AMOUNT = "amount"
    CURRENCY = "currency"
    PSP = "psp"
    METHOD = "method"
    CATEGORY = "category"
    CODE = "code"
    ATTEMPT = "attempt"
    DAYS_SINCE_FAILURE = "days_since_failure"
    CUSTOMER_TAGS = "customer_tags"
    COUNTRY = "country"
    LOCAL_TIME = "local_time"
    WEEKDAY = "weekday"


class Operator(StrEnum):
    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    IN = "in"
    BETWEEN = "between"
    CONTAINS = "contains"
    IS_MISSING = "is_missing"


class Zone(StrEnum):
    """Whose wall clock is meant."""

    ORG = "org"
    PAYER = "payer"


class Weekday(StrEnum):
    """In ISO order: Monday is the first."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"

    @property
    def iso(self) -> int:
        """1 for Monday to 7 for Sunday."""
        return list(Weekday).index(self) + 1


class Window(StrEnum):
    """Which windows `next_window` waits for: the policy's own, or a preset."""

    POLICY = "policy"
    DAILY = "daily"
    BUSINESS_HOURS = "business_hours"
    WEEKENDS = "weekends"
    PAYDAYS = "paydays"


class Do(StrEnum):
    """The actions. At most one of `DECIDING` in a rule; `offer_psp` and `tag` go with others."""

    RETRY_AT = "retry_at"
    RETRY_IN = "retry_in"
    NEXT_WINDOW = "next_window"
    ASK_PAYER = "ask_payer"
    OFFER_PSP = "offer_psp"
    WAIT = "wait"
    STOP = "stop"
    TAG = "tag"


DECIDING = frozenset({Do.RETRY_AT, Do.RETRY_IN, Do.NEXT_WINDOW, Do.ASK_PAYER, Do.WAIT, Do.STOP})
