"""The seeded world: who owes what, and when it falls due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from tinko_pipelines.sandbox import people
from tinko_pipelines.sandbox.draws import Draws
from tinko_pipelines.sandbox.payers import Payer, Payers
from tinko_pipelines.sandbox.rhythms import DAY
from tinko_pipelines.sandbox.store import Doc


@dataclass(frozen=True)
class World:
    """What `PUT /_sandbox/world` sets. `start` in epoch seconds; shares are probabilities."""

    seed: int = 1
    start: int = 0
    obligations: int = 0
    days: int = 21
    made_up_codes: int = 6  # debts whose first attempt answers a code no PSP has
    late: float = 0.03  # share of webhooks that come up to 36 h late
    twice: float = 0.03
    never: float = 0.015
    disputes: float = 0.004  # share of captures that are disputed
    large: float = 0.0  # share of debts in rupees that no machine may charge (RBI)
    timed_advice: float = 0.0  # share of Mastercard's "later" that says when (advice 24 to 30)
    shares: Mapping[str, float] = field(default_factory=lambda: {"stripe": 0.5, "razorpay": 0.5})

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> World:
        """Raises ValueError, naming the member, for anything unknown or of the wrong kind."""
        unknown = set(body) - set(cls.__dataclass_fields__)
        if unknown:
            raise ValueError(f"the world has no {', '.join(sorted(unknown))}")
        made: dict[str, Any] = dict(body)
        if "start" in made:
            made["start"] = epoch(made["start"])
        for name in ("seed", "obligations", "days", "made_up_codes"):
            if name in made and (not isinstance(made[name], int) or made[name] < 0):
                raise ValueError(f"{name} must be a whole number, not {made[name]!r}")
        return cls(**made)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def epoch(value: Any) -> int:
    """Epoch seconds of an ISO 8601 text (UTC where it names no zone) or a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"not an instant: {value!r}")
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    return int(value)


def moment(at: int) -> datetime:
    """The instant of an epoch second, in UTC."""
    return datetime.fromtimestamp(at, UTC)


def make_debts(
    world: World,
    draws: Draws,
    payers: Payers,
    accounts: Mapping[str, Sequence[str]],
    kinds: Mapping[str, Mapping[str, float]],
) -> Iterator[Doc]:
    """Every debt of the world, made up codes included.

    `accounts`: by PSP, the keys of the accounts that bill; `kinds`: by PSP, the weights of the
    kinds of debt its surface knows. A payer's debts all differ in amount.
    """
    shares = {psp: world.shares.get(psp, 0.0) for psp in sorted(accounts) if accounts[psp]}
    if not any(shares.values()):
        shares = dict.fromkeys(shares, 1.0)
    pool = max(1, world.obligations * 6 // 10)
    taken: set[tuple[str, int]] = set()
    quirks = _made_up(world, draws)
    for number in range(world.obligations):
        id_ = f"debt_{number:06d}"
        psp = draws.weighted(shares, id_, "psp")
        account = draws.choice(accounts[psp], id_, "account")
        payer = payers.make(psp, draws.between(0, pool - 1, account, f"payer of {id_}"))
        due = world.start + int(draws.uniform(id_, "due") * world.days * DAY)
        amount = _amount(draws, id_, payer, world.large)
        while (payer.id, amount) in taken:
            amount += 100
        taken.add((payer.id, amount))
        if number in quirks:
            code = draws.choice(people.MADE_UP_CODES, id_, "made up")
            # a debit that is announced first comes up to five days later
            span = 120 if psp == "razorpay" else 20
            payers.set_quirk(payer.instruments[0].id, code, due, due + span * 3600)
        yield {
            "id": id_,
            "account": account,
            "payer": payer.id,
            "kind": draws.weighted(kinds[psp], id_, "kind"),
            "amount": amount,
            "currency": payer.currency,
            "due": due,
            "instrument": payer.instruments[0].id,
        }


def _made_up(world: World, draws: Draws) -> set[int]:
    ranked = sorted(range(world.obligations), key=lambda n: draws.number(f"debt_{n:06d}", "quirk"))
    return set(ranked[: world.made_up_codes])


def _amount(draws: Draws, id_: str, payer: Payer, large: float) -> int:
    if payer.currency == "INR" and draws.chance(large, id_, "large"):
        return draws.choice(people.LARGE_RUPEES, id_, "large price")
    prices = [p for p in people.PRICES[payer.currency] if p < payer.income * 0.12]
    base = draws.choice(prices or people.PRICES[payer.currency][:1], id_, "price")
    return base + 100 * draws.between(0, 9, id_, "difference")
