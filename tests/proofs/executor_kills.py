"""A kill -9 at each labelled point of the executor, judged by the sandbox's own ledger.

One debt for each label: its first charge failed, a retry of ours is planned, and a worker process
is killed at the label. Fresh processes then go on, their wall moved past leases and quiet times.
"""

import os
import random
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil

from tests.conftest import Database
from tests.contract.adapter_stages import AMOUNT
from tests.contract.sandbox_server import Receiver
from tests.integration.recovery.money_stage import Shop
from tinko_pipelines.chaos.work import Order
from tinko_pipelines.chaos.zygote import Zygote
from tinko_pipelines.core.recovery.points import CHARGING, GIVING_BACK, NOTIFYING

START = "2026-06-02T06:00:00+00:00"
# what a send may meet; a fault before the charge leaves nothing at the PSP, one after it a charge
SENDS = ({}, {"timeout_after_charge": 1}, {"error_500_after_charge": 1},
         {"timeout_before_charge": 1}, {"error_409": {"times": 1, "match": "POST"}})  # fmt: skip
AMBIGUOUS = ({"timeout_after_charge": 1}, {"timeout_before_charge": 1})
FINAL = ("succeeded", "failed", "not_sent", "cancelled")
# Razorpay's debits take days: every third debt is one
RAZORPAY_EVERY = 3


class Scene:
    """One label and one debt: the kill, the recovery, the judgement."""

    def __init__(self, shop, zygote, label, rng):
        self.shop, self.zygote, self.label, self.rng = shop, zygote, label, rng
        # the other shop has moved the sandbox's time
        shop.clock.instant = shop.stage.now()
        # an order that announces nothing leaves the pre-debit notice to us
        self.debt = shop.failed_debt(notify=False) if self.notifies else shop.failed_debt()
        self.obligation = self._obligation()
        if label == "door_closed":
            shop.second_door(self.debt)
        self.attempts = [self._plan()]
        self.before = {one["id"] for one in shop.truth()}

    @property
    def notifies(self):
        return self.label in NOTIFYING

    def _obligation(self):
        ((found,),) = self.shop.rows(
            "select obligation_id from psp_refs where object_id = :id", id=self.debt.ref.object_id
        )
        return found

    def _plan(self):
        return self.shop.plan(self.debt, self.obligation)

    def work(self, *steps, **death):
        self.shop.clock.instant = self.shop.stage.now()
        return self.zygote.work(
            Order(
                self.shop.database.url("tinko_worker"), self.shop.clock.now().isoformat(),
                self.shop.wall.now().isoformat(), steps or ("resolve", "execute"), **death,
            )
        )  # fmt: skip

    def kill(self):
        """Bring the attempt to where the label stands on its way, and kill the worker there.

        Says whether it died.
        """
        if self.label in GIVING_BACK:
            self.shop.faults(error_429={"times": 1, "match": "GET"})
        elif self.label in CHARGING:
            self.shop.faults(**self.rng.choice(SENDS))
        elif self.label == "returning":
            self.until("claimed", die_at="claimed")
        elif not self.notifies:
            self.shop.faults(**self.rng.choice(AMBIGUOUS))
            self.until("unknown")
        if self.label in (*CHARGING, *GIVING_BACK, *NOTIFYING):
            return self.until(None, die_at=self.label)
        self.shop.wall.advance(minutes=16)
        return self.work("resolve", die_at=self.label).killed

    def until(self, state, **death):
        """Let workers try the attempt, each when it is due, until it is in `state` or one died."""
        for _ in range(6):
            if self.work("execute", **death).killed:
                return True
            if self.state() == state:
                return False
            self.wait_until_due()
        return False

    def wait_until_due(self):
        """A guard may have put it off, until the banks are open."""
        ((due,),) = self.shop.rows(
            "select scheduled_at from attempts where id = :id", id=self.attempts[-1]
        )
        span = (due - self.shop.stage.now()).total_seconds()
        if self.state() == "scheduled" and span > 0:
            self.shop.advance(seconds=ceil(span))

    def state(self):
        return self.shop.state(self.attempts[-1])

    def recover(self):
        """Fresh processes, each a quarter of an hour later, until nothing moves any more."""
        for _ in range(10):
            self.shop.wall.advance(minutes=16)
            self.work()
            if self.state() == "not_sent":
                self.attempts.append(self._plan())
            elif self.state() in FINAL:
                break
            elif self.state() == "pending":
                self.shop.hear(days=6)
            else:
                self.wait_until_due()
                if self.notifies:
                    # that the notice reached the payer
                    self.shop.post()
                    self.shop.work()
        self.shop.hear()

    def orders_of(self, attempt):
        """Orders of Razorpay's that were made for one attempt and its notice."""
        return self.shop.stage.sdk.order.all({"receipt": str(attempt)[:40]})["items"]

    def judge(self):
        """What is wrong with this debt, in plain words, by the PSP's ledger first."""
        ours = [one for one in self.shop.truth() if one["id"] not in self.before]
        taken = sum(one["captured"] - one["refunded"] for one in ours)
        states = [self.shop.state(one) for one in self.attempts]
        ((debt,),) = self.shop.rows(
            "select state from obligations where id = :id", id=self.obligation
        )
        said = {
            "double_charges": taken > AMOUNT or len(ours) > 1,
            "lost_attempts": taken < AMOUNT or debt != "paid" or states[-1] != "succeeded",
            "stuck": any(one not in FINAL for one in states) or bool(self.shop.locks()),
            "guard_violations": any(one["facts"].get("untold") for one in ours),
        }
        if self.notifies:
            said["double_notices"] = any(len(self.orders_of(one)) > 1 for one in self.attempts)
        what = f"{self.label}, {self.shop.stage.psp.value}: taken {taken}, {states}, debt {debt}"
        return [f"{name}: {what}" for name, so in said.items() if so]


@dataclass
class Tally:
    """Over all scenes: kills by label, and what was wrong."""

    kills: Counter = field(default_factory=Counter)
    wrong: list = field(default_factory=list)

    def count(self, name):
        return sum(one.startswith(name) for one in self.wrong)

    def numbers(self):
        names = ("double_charges", "lost_attempts", "stuck", "guard_violations")
        return {"kills": self.kills.total(), "labels": len(self.kills)} | {
            name: self.count(name) for name in names
        }


def kill_everywhere(postgres, template, sandbox, zygote, seed, labels, tally):
    """One seed: a fresh database and world, and every label once."""
    rng = random.Random(seed)
    name = f"kills_{seed}"
    postgres.create_database(name, template)
    database = Database(postgres, name)
    sandbox.ask("POST", "reset")
    sandbox.ask("PUT", "world", seed=seed, start=START, obligations=0, never=0.0, late=0.0,
                twice=0.0, disputes=0.0)  # fmt: skip
    # each has its own: it verifies what comes by its own secret
    receivers = {psp: Receiver() for psp in ("stripe", "razorpay")}
    try:
        shops = {
            psp: Shop(sandbox, receiver, database, psp, f"kills{seed}{psp}")
            for psp, receiver in receivers.items()
        }
        for number, label in enumerate(labels):
            # Stripe has no notice to ask for
            razorpay = label in NOTIFYING or (number + seed) % RAZORPAY_EVERY == 0
            scene = Scene(shops["razorpay" if razorpay else "stripe"], zygote, label, rng)
            if scene.kill():
                tally.kills[label] += 1
            else:
                tally.wrong.append(f"lost_attempts: nothing died at {label} with seed {seed}")
            scene.recover()
            tally.wrong += [f"{one} (seed {seed})" for one in scene.judge()]
        truth = sandbox.ask("GET", "truth")
        if truth["double_charges"]:
            tally.wrong.append(f"double_charges: {truth['double_charges']} of seed {seed}")
        broken = Counter(truth["guard_violations"])
        # merchants' own first debits that were told to nobody: over the API all calls look alike
        broken["debit_without_notice"] -= sum(label in NOTIFYING for label in labels)
        tally.wrong += [
            f"guard_violations: {limit}, {times} times with seed {seed}"
            for limit, times in (+broken).items()
        ]
    finally:
        for receiver in receivers.values():
            receiver.close()
        database.dispose()
        postgres.drop_database(name)


@contextmanager
def zygote_with(key):
    """The workers' zygote, with the secret that this process's settings have."""
    with Zygote({**os.environ, "CREDENTIALS_KEY": key}) as made:
        yield made
