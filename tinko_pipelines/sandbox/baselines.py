"""What others would have recovered on the same world: nobody, a fixed ladder, an oracle.

First the world is lived through once more without Tinko, in a second engine of the same seed:
merchants, payers and the PSPs' own retries do what they would do anyway, and the live world is
not touched. On top of that each arm asks the payers what further charges would come to. An arm
recovers a debt that failed at least once when its due is paid; money is counted as the truth does.

Arms, for debts with a failed attempt:
- `alone`: the PSPs' own retries, late authorisations, and payers who come back by themselves.
- `ladder_8_8_8`: also the stored instrument again 8, 16 and 24 days after the first failure, as
  far as the world's days reach, whoever owns retrying at the PSP. Nothing stored, nothing retried.
- `ladder_8_8_8_allowed`: the same, but without the debts that only the PSP can retry.
- `oracle`: also any hour at which the stored instrument would go through (never after a hard
  decline), or the payer paying a link: three messages a failed debt, heeded as drawn.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tinko_pipelines.sandbox.engine import Engine
from tinko_pipelines.sandbox.ledger import FAILED
from tinko_pipelines.sandbox.mailbox import FATIGUE
from tinko_pipelines.sandbox.payers import DAY, HOUR, Outcome
from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.truth import truth
from tinko_pipelines.sandbox.world import World

RUNGS = (8 * DAY, 16 * DAY, 24 * DAY)
_MESSAGES = 3


@dataclass(frozen=True, slots=True)
class Failed:
    """A debt that failed at least once when nobody helped. Times in epoch seconds."""

    debt: Doc
    at: int  # when the first failed attempt reached the bank
    alone: bool  # paid in the end all the same
    stored: bool  # the merchant had an instrument to charge again
    psp_owned: bool
    hard: bool


def baselines(live: Engine) -> dict[str, Any]:
    """Minor units recovered by currency for each arm, and counts. Takes seconds; pure.

    Blocking: call it in a thread of its own, with nothing else changing `live`'s accounts.
    """
    until = max(live.now, _horizon(live.world))
    accounts = [(a["psp"], a["account_id"]) for a in live.store.all("account")]
    finished = live.store.get("meta", "finished")
    last = finished["at"] if finished else until
    return asyncio.run(_lived_again(live, accounts, until, last))


async def _lived_again(
    live: Engine, accounts: list[tuple[str, str]], until: int, last: int
) -> dict[str, Any]:
    # the application imports the control API, which imports this module
    from tinko_pipelines.sandbox.app import make_app  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="tinko-baselines-") as folder:
        app = make_app(
            Path(folder), secret="baselines", base_url=live.base_url, psps=tuple(live.surfaces)
        )
        engine: Engine = app.state.engine
        async with app.router.lifespan_context(app):
            for psp, account_id in accounts:
                engine.open_account(psp, account_id)
            # nobody listens: no webhook is sent
            engine.set_world(replace(live.world, late=0.0, twice=0.0, never=1.0))
            if last < until:
                await app.state.clockwork.advance(last)
                engine.finish()
            await app.state.clockwork.advance(until)
            return _count(engine)


def _horizon(world: World) -> int:
    return world.start + world.days * DAY


def _count(engine: Engine) -> dict[str, Any]:
    failed = list(_failed(engine))
    each = Counter(item.debt["payer"] for item in failed)
    arms: dict[str, list[Failed]] = {
        "alone": [item for item in failed if item.alone],
        "ladder_8_8_8": [item for item in failed if _ladder(engine, item)],
        "ladder_8_8_8_allowed": [
            item for item in failed if item.alone or (not item.psp_owned and _ladder(engine, item))
        ],
        "oracle": [
            item for item in failed
            if _ladder(engine, item) or _charged(engine, item)
            or _asked(engine, item, each[item.debt["payer"]] * _MESSAGES)
        ],
    }  # fmt: skip
    counts = {name: len(items) for name, items in arms.items()}
    return {
        **{name: _minor(failed, items) for name, items in arms.items()},
        "counts": {"failed": len(failed), **counts},
        "failed_minor": _minor(failed, failed),
        "paid_minor_alone": truth(engine.store, engine.ledger)["paid_minor"],
    }


def _minor(failed: list[Failed], items: list[Failed]) -> dict[str, int]:
    """Every currency in which something failed, also those where nothing came back."""
    sums = dict.fromkeys(sorted({item.debt["currency"] for item in failed}), 0)
    for item in items:
        sums[item.debt["currency"]] += item.debt["amount"]
    return sums


def _failed(engine: Engine) -> Iterator[Failed]:
    for debt in engine.ledger.debts():
        rows = engine.ledger.attempts(debt["id"])
        failures = [row for row in rows if row["state"] == FAILED]
        if failures:
            first = failures[0]
            yield Failed(
                debt=debt,
                at=int(first["facts"].get("executes_at", first["at"])),
                alone=engine.ledger.is_paid(debt["id"]),
                stored=rows[0]["actor"] == "merchant",
                psp_owned=first["owner"] == "psp",
                hard=any(row["facts"].get("never") for row in failures),
            )


def _stored(engine: Engine, debt: Doc, at: int) -> Outcome:
    """What the stored instrument would say at `at`; a surface may know of mandates as well."""
    surface = engine.surfaces[debt["account"].split(":", 1)[0]]
    ask = getattr(surface, "stored_outcome", None)
    if ask is not None:
        outcome: Outcome = ask(debt, at)
        return outcome
    instrument = engine.payers.instrument(debt["instrument"])
    return engine.payers.would_succeed(instrument, debt["amount"], at)


def _ladder(engine: Engine, item: Failed) -> bool:
    if item.alone or not item.stored:
        return item.alone
    end = _horizon(engine.world)
    rungs = (item.at + rung for rung in RUNGS if item.at + rung <= end)
    return any(_stored(engine, item.debt, at).ok for at in rungs)


def _charged(engine: Engine, item: Failed) -> bool:
    if item.hard or not item.stored:
        return False
    hours = range(item.at + HOUR, _horizon(engine.world) + 1, HOUR)
    return any(_stored(engine, item.debt, at).ok for at in hours)


def _asked(engine: Engine, item: Failed, messages: int) -> bool:
    """Whether one of the messages is heeded in time, and some instrument then pays."""
    draws, payers, end = engine.draws, engine.payers, _horizon(engine.world)
    payer = payers.get(item.debt["payer"])
    if payer is None:
        return False
    arrivals = []
    for number in range(messages):
        heeds = payer.heeds * FATIGUE ** min(number, 4)
        if draws.chance(heeds, payer.id, "heeds", number):
            wait = 300 + draws.exponential(payer.delay * HOUR, payer.id, "acts after", number)
            arrivals.append(item.at + int(wait))
    if not arrivals:
        return False
    amount, hours = item.debt["amount"], range(min(arrivals), end + 1, HOUR)
    return any(
        payers.would_succeed(instrument, amount, at, present=True).ok
        for instrument in payer.instruments
        for at in hours
    )
