"""`tinko chaos`: a made-up world with faults at its PSPs, and workers that are killed all the time.

Business time and the wall go on hour by hour. Webhooks come through the real API and are worked
off here; claiming, charging and resolving is done by workers, most of which die at a random point.
"""

from __future__ import annotations

import json
import logging
import random
import sys
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from tinko_pipelines.chaos import verdict
from tinko_pipelines.chaos.work import Order
from tinko_pipelines.chaos.zygote import Zygote
from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import unit_of_work, worker_engine
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.failures.store import classify_failures
from tinko_pipelines.core.guards.model import MerchantCategory
from tinko_pipelines.core.inbox.process import process_inbox
from tinko_pipelines.core.recovery.cases import open_cases
from tinko_pipelines.core.recovery.deciding import decide_due
from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.core.tenants.desk import Desk
from tinko_pipelines.core.tenants.organisations import Trade, set_trade
from tinko_pipelines.demo.run import START
from tinko_pipelines.demo.stage import stage
from tinko_pipelines.local.bootstrap import ACCOUNTS, Sandbox, set_up
from tinko_pipelines.local.layout import open_folder

log = logging.getLogger(__name__)

PARTS = ("postgres", "sandbox", "api")
HOUR = timedelta(hours=1)
# an outage is planned for the second day: by then retries of ours are due all the time
OUTAGE_FROM, OUTAGE = timedelta(days=1, hours=9), timedelta(hours=6)
FAULTS: Mapping[str, Mapping[str, float | str]] = {
    "timeout_after_charge": {"rate": 0.10},
    "error_500_after_charge": {"rate": 0.08},
    "timeout_before_charge": {"rate": 0.05},
    "error_500_before_charge": {"rate": 0.03},
    "error_409": {"rate": 0.02},
    "error_429": {"rate": 0.02},
    # ours: the first debits of a debt come late by the world itself
    "late_success": {"rate": 0.5, "match": "by tinko"},
}
# what the guards are to have work with: debts above RBI's limits, and Mastercard saying how long to
# wait. Of every second seed the merchant is one that may charge more without a second factor
WORLD: Mapping[str, float] = {"large": 0.08, "timed_advice": 0.5}
CATEGORIES = (MerchantCategory.INSURANCE, None)
# workers begin so much wall time apart: what a killed one left is over its lease for the next
APART = timedelta(minutes=16)
KILLS_A_STEP = 6
# a worker dies somewhere in the points that its attempts will pass, or works on
POINTS_EACH, MOST_POINTS = 9, 60
QUIET_DAYS = 12  # after the last kill: leases, late authorisations and debits come to their end


@dataclass
class Campaign:
    """One world and what was done to it."""

    sandbox: Sandbox
    engine: Engine
    zygote: Zygote
    rng: random.Random
    now: datetime
    wall: datetime
    kills: Counter[str] = field(default_factory=Counter)
    workers: int = 0

    @property
    def clock(self) -> FixedClock:
        return FixedClock(self.now)

    def step(self, span: timedelta) -> None:
        """Time goes on, the world acts, and what it says is taken in up to the decision."""
        self.now += span
        self.wall = max(self.wall, self.now)
        self.sandbox.call("POST", "advance", to=self.now.isoformat())
        desk = Desk(self.engine, get_settings())
        while process_inbox(self.engine, desk, self.clock).done:
            pass
        classify_failures(self.engine, self.clock)
        open_cases(self.engine, self.clock)
        decide_due(self.engine, self.clock)

    def waiting(self) -> int:
        """How many attempts are due or unresolved."""
        with unit_of_work(self.engine) as connection:
            due = connection.execute(
                query("charging", "due_count"), {"now": self.now, "wall": self.wall}
            ).one()
            unresolved = connection.execute(
                query("charging", "unresolved_count"), {"wall": self.wall}
            ).one()
        return int(due.due + unresolved.waiting)

    def work(self, *steps: str, die_after: int | None = None) -> bool:
        """One worker, from birth to death; says whether it was killed."""
        self.wall += APART
        self.workers += 1
        ended = self.zygote.work(
            Order(
                get_settings().database_worker_url,
                self.now.isoformat(),
                self.wall.isoformat(),
                steps=steps,
                die_after=die_after,
            )
        )
        if ended.label is not None:
            self.kills[ended.label] += 1
        return ended.killed

    def kill(self, most: int) -> None:
        """Workers one after the other, each killed at a random point, while there is work."""
        for _ in range(most):
            waiting = self.waiting()
            if not waiting:
                return
            last = min(waiting * POINTS_EACH, MOST_POINTS)
            self.work("resolve", "execute", die_after=self.rng.randint(1, last))

    def come_to_rest(self) -> None:
        """No faults and no kills: what is under way comes to its end."""
        self.sandbox.call("PUT", "faults")
        self.sandbox.call("POST", "finish")
        for _ in range(QUIET_DAYS * 2):
            self.step(12 * HOUR)
            for _ in range(4):
                self.work("resolve", "execute", "read_pending")
                if not self.waiting():
                    break


def fight(campaign: Campaign, kills: int) -> None:
    """Hour by hour until so many workers were killed, or nothing is left to kill them at."""
    begin = campaign.now
    until = begin + OUTAGE_FROM + OUTAGE
    idle = 0
    while campaign.kills.total() < kills and idle < 24 * 10:
        campaign.step(HOUR)
        before = campaign.workers
        # some of the kills are kept for the time of the outage and after it
        left = kills - campaign.kills.total()
        share = left // 2 if campaign.now < until else left
        campaign.kill(min(KILLS_A_STEP, share))
        idle = 0 if campaign.workers > before else idle + 1
        log.info("%s: %s of %s killed", campaign.now, campaign.kills.total(), kills)


def run(kills: int, seed: int, obligations: int | None = None, days: int | None = None) -> int:
    """Play it in a temporary folder; 0 when nothing was lost. The last line printed is JSON."""
    began = time.monotonic()
    obligations = obligations or max(100, kills)
    days = days or max(3, kills // 50)
    with open_folder("tinko-chaos-") as folder, stage(folder / "chaos", PARTS) as stack:
        found = _play(stack.environment, kills, seed, obligations, days)
    line = found | {"seed": seed, "seconds": round(time.monotonic() - began, 1)}
    sys.stdout.write(json.dumps(line, sort_keys=True) + "\n")
    return 0 if line["met"] else 1


def _trade(
    sandbox: Sandbox, engine: Engine, org_id: uuid.UUID, category: MerchantCategory | None
) -> None:
    """What kind of merchant it is, said to both sides."""
    if category is None:
        return
    with unit_of_work(engine) as connection:
        set_trade(connection, org_id, Trade(category=category))
    for psp, account_id in ACCOUNTS.items():
        sandbox.call(
            "POST", "accounts", psp=psp.value, account_id=account_id, category=category.value
        )


def _play(
    environment: Mapping[str, str], kills: int, seed: int, obligations: int, days: int
) -> dict[str, Any]:
    sandbox, engine = Sandbox(environment["SANDBOX_URL"]), worker_engine()
    sandbox.call("POST", "advance", to=START.isoformat())
    organisation = set_up(sandbox, START, environment["PUBLIC_URL"])
    _trade(sandbox, engine, organisation.org_id, CATEGORIES[seed % len(CATEGORIES)])
    sandbox.call(
        "PUT",
        "world",
        seed=seed,
        start=START.isoformat(),
        obligations=obligations,
        days=days,
        **WORLD,
    )
    outage = {
        "from": (START + OUTAGE_FROM).isoformat(),
        "to": (START + OUTAGE_FROM + OUTAGE).isoformat(),
    }
    sandbox.call("PUT", "faults", outage=outage, **FAULTS)
    with Zygote(environment) as zygote:
        campaign = Campaign(sandbox, engine, zygote, random.Random(seed), START, START)
        fight(campaign, kills)
        struck = {name: spec["struck"] for name, spec in sandbox.call("GET", "faults").items()}
        campaign.come_to_rest()
        found = verdict.judge(sandbox, engine, campaign.now)
    promises = {name: found[name] for name in verdict.PROMISES}
    killed = campaign.kills.total()
    return {
        "proof": "chaos",
        "met": not any(promises.values()) and killed >= kills,
        **found,
        "kills": killed,
        "kills_by_point": dict(sorted(campaign.kills.items())),
        "workers": campaign.workers,
        "faults": struck,
        "obligations": obligations,
        "virtual_days": (campaign.now - START).days,
    }
