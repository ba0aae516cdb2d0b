"""Payers and their instruments: who they are, and whether a charge would go through.

`Payers.would_succeed(instrument, amount, at)` is a pure function of the seed and its arguments:
a baseline may ask it for any hypothetical instant and learns what really would have happened.
Codes are neutral words (persons.py); each PSP surface says them in its own language.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from tinko_pipelines.sandbox import people
from tinko_pipelines.sandbox.draws import Draws
from tinko_pipelines.sandbox.persons import (
    AUTH_REQUIRED,
    HARD,
    MADE_UP,
    SOFT,
    Instrument,
    Outcome,
    Payer,
)
from tinko_pipelines.sandbox.rhythms import DAY, HOUR, issuer_down, pay_cycle

__all__ = ["AUTH_REQUIRED", "DAY", "HARD", "HOUR", "MADE_UP", "SOFT", "Instrument", "Outcome",
           "Payer", "Payers"]  # fmt: skip

# what breaks an instrument for good, by method
_BREAKS: dict[str, dict[str, float]] = {
    "card": {"lost": 0.22, "stolen": 0.10, "closed": 0.18, "restricted": 0.12, "fraud": 0.14,
             "revoked": 0.14, "not_permitted": 0.10},
    "upi": {"revoked": 0.5, "closed": 0.3, "not_permitted": 0.2},
    "emandate": {"revoked": 0.45, "closed": 0.4, "restricted": 0.15},
}  # fmt: skip
_METHODS: dict[str, dict[str, float]] = {
    "stripe": {"card": 1.0},
    "razorpay": {"card": 0.40, "upi": 0.42, "emandate": 0.18},
}
_COUNTRIES: dict[str, dict[str, float]] = {
    "stripe": {"US": 0.55, "DE": 0.18, "FR": 0.12, "IN": 0.15},
    "razorpay": {"IN": 1.0},
}
CURRENCY = {"US": "USD", "DE": "EUR", "FR": "EUR", "IN": "INR"}


class Payers:
    """The customer base of a seed; `start` (epoch seconds) anchors expiry dates and breakage."""

    def __init__(self, draws: Draws, start: int, days: int) -> None:
        self._draws, self._start, self._days = draws, start, days
        self._known: dict[str, Payer] = {}
        self._instruments: dict[str, Instrument] = {}
        self._by_email: dict[str, str] = {}

    def make(self, psp: str, number: int) -> Payer:
        """Payer `number` of that PSP's merchants; the same for the same seed."""
        id_ = f"payer_{psp}_{number:05d}"
        if id_ in self._known:
            return self._known[id_]
        d = self._draws
        country = d.weighted(_COUNTRIES[psp], id_, "country")
        language = "en"
        if country == "IN":
            language = d.weighted({"en": 0.5, "hi": 0.33, "ta": 0.17}, id_, "language")
        first = d.choice(people.FIRST_NAMES[language], id_, "first")
        last = d.choice(people.LAST_NAMES[country], id_, "last")
        currency = CURRENCY[country]
        low, high = people.INCOMES[currency]
        payer = Payer(
            id=id_,
            number=number,
            psp=psp,
            name=f"{first} {last}",
            email=f"{first}.{last}.{psp[0]}{number}@".lower()
            + d.choice(people.MAIL_HOSTS, id_, "host"),
            phone=_phone(country, d.number(id_, "phone")),
            language=language,
            country=country,
            currency=currency,
            payday=d.weighted(people.PAYDAYS[country], id_, "payday"),
            income=int(low * (high / low) ** d.uniform(id_, "income")),
            thrift=d.span(0.25, 1.2, id_, "thrift"),
            heeds=d.span(0.25, 0.85, id_, "heeds"),
            delay=d.span(3, 40, id_, "delay"),
            persistence=d.span(0.2, 0.9, id_, "persistence"),
            instruments=(),
        )
        count = 2 if d.chance(0.8, id_, "second instrument") else 1
        payer = replace(payer, instruments=tuple(self._instrument(payer, n) for n in range(count)))
        return self.register(payer)

    def register(self, payer: Payer) -> Payer:
        """Know a payer and their instruments (also those made by hand)."""
        self._known[payer.id] = payer
        self._by_email[payer.email] = payer.id
        for instrument in payer.instruments:
            self._instruments[instrument.id] = instrument
        return payer

    def add_instrument(self, instrument: Instrument) -> Instrument:
        """Know an instrument without a payer, such as a test card."""
        return self._instruments.setdefault(instrument.id, instrument)

    def set_quirk(self, instrument_id: str, code: str, since: int, until: int) -> None:
        """Let an instrument answer a made-up code for a while."""
        old = self._instruments[instrument_id]
        new = replace(old, quirk=(code, since, until))
        self._instruments[instrument_id] = new
        if old.payer in self._known:
            payer = self._known[old.payer]
            kept = tuple(new if i.id == new.id else i for i in payer.instruments)
            self._known[payer.id] = replace(payer, instruments=kept)

    def get(self, payer_id: str) -> Payer | None:
        return self._known.get(payer_id)

    def by_email(self, email: str) -> Payer | None:
        return self._known.get(self._by_email.get(email.strip().lower(), ""))

    def instrument(self, instrument_id: str) -> Instrument:
        """Raises KeyError for an instrument nobody has."""
        return self._instruments[instrument_id]

    def _instrument(self, payer: Payer, number: int) -> Instrument:
        d, id_ = self._draws, f"ins_{payer.id}_{number}"
        mix = _METHODS[payer.psp]
        method = d.weighted(mix, payer.id, "method", number)
        issuer = d.choice(people.ISSUERS[payer.country], id_, "issuer")
        network = method if method == "upi" else issuer
        if method == "card":
            network = d.weighted(people.NETWORKS[payer.country], id_, "network")
        # the first instrument is the stored one, which ages; a second one is mostly fresh
        year, month = self._expiry(id_, stale=number == 0)
        broken = number == 0 and d.chance(0.09, id_, "broken")
        span = (self._start - 10 * DAY, self._start + (self._days + 10) * DAY)
        credit = d.chance(0.35, id_, "funding") and method == "card"
        return Instrument(
            id=id_,
            payer=payer.id,
            method=method,
            network=network,
            issuer=issuer,
            country=payer.country,
            funding="credit" if credit else "debit",
            last4=f"{d.number(id_, 'last4') % 10_000:04d}",
            exp_month=month,
            exp_year=year,
            fingerprint=d.object_id("", id_, "fingerprint", length=16),
            grumpy=d.span(0.25, 0.75, id_, "mood") if d.chance(0.14, id_, "grumpy") else 0.012,
            wants_auth=method == "card" and d.chance(0.035, id_, "wants auth"),
            broken_at=int(d.span(*span, id_, "broken at")) if broken else None,
            broken_code=d.weighted(_BREAKS[method], id_, "break"),
        )

    def _expiry(self, id_: str, stale: bool) -> tuple[int, int]:
        months = self._draws.between(2, 47, id_, "expiry")
        if stale and self._draws.chance(0.05, id_, "stale"):
            months = self._draws.between(-2, 0, id_, "stale months")
        first = datetime.fromtimestamp(self._start, UTC)
        index = first.year * 12 + first.month - 1 + months
        return index // 12, index % 12 + 1

    def would_succeed(
        self, instrument: Instrument, amount: int, at: int, present: bool = False
    ) -> Outcome:
        """What charging `amount` (minor units) at `at` comes to; `present`: the payer is there.

        Pure: asking changes nothing, and the answer depends only on seed and arguments.
        """
        d, luck = self._draws, self._draws.uniform(instrument.id, "luck", at // DAY)
        if instrument.fixed is not None:
            answered = "" if present and instrument.fixed == AUTH_REQUIRED else instrument.fixed
            return Outcome(not answered, answered or None, luck)
        if instrument.quirk and instrument.quirk[1] <= at < instrument.quirk[2]:
            return Outcome(False, MADE_UP + instrument.quirk[0], luck)
        code: str | None = self._broken(instrument, at)
        if code is None and issuer_down(d, instrument.issuer, at):
            down = d.chance(0.85, instrument.id, "downtime", at // 1800)
            code = "issuer_unavailable" if down else None
        if code is None and not present and instrument.wants_auth:
            code = AUTH_REQUIRED
        if code is None and self.funds(instrument, at) < amount:
            over = instrument.funding == "credit" or luck < 0.08
            code = "limit_exceeded" if over else "insufficient_funds"
        if code is None and d.chance(instrument.grumpy, instrument.id, "mood", at // (6 * HOUR)):
            code = "do_not_honor"
        if code is None and d.chance(0.02, instrument.id, "glitch", at // 900):
            code = "processing_error"
        if code is None and present and d.chance(0.05, instrument.id, "challenge", at // 600):
            code = "auth_failed"
        return Outcome(code is None, code, luck)

    def _broken(self, instrument: Instrument, at: int) -> str | None:
        if instrument.broken_at is not None and at >= instrument.broken_at:
            return instrument.broken_code
        if instrument.method == "card":
            day = datetime.fromtimestamp(at, UTC)
            if (day.year, day.month) > (instrument.exp_year, instrument.exp_month):
                return "expired"
        return None

    def funds(self, instrument: Instrument, at: int) -> int:
        """What the instrument could pay at `at`, in minor units."""
        payer = self._known[instrument.payer]
        since, until = pay_cycle(payer.payday, at // HOUR)
        gone = (at - since) / (until - since)
        thrift = payer.thrift + (0.25 if instrument.funding == "credit" else 0.0)
        return int(payer.income * 0.6 * max(0.0, 1.0 - gone / thrift))

    def next_payday(self, payer: Payer, at: int) -> int:
        """When money comes next after `at`."""
        return pay_cycle(payer.payday, at // HOUR)[1]


def _phone(country: str, number: int) -> str:
    if country == "IN":
        return f"+919{number % 10**9:09d}"
    return {"US": "+1555", "DE": "+4915", "FR": "+336"}[country] + f"{number % 10**7:07d}"
