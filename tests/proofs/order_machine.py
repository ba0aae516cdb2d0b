"""The same lifecycles told by a state machine: hypothesis draws what arrives when, again or never,
and shrinks what goes wrong to the fewest messages."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from tests.proofs.ledger_view import refused, standing
from tests.proofs.lifecycles import START, Life
from tests.proofs.replay import Delivery, Replay

END = START + timedelta(days=110)
# which of what waits: taken modulo their number
PICKS = st.lists(st.integers(0, 999), min_size=1, max_size=10)
Ledgers = Callable[[], contextlib.AbstractContextManager[Engine]]
# what is wrong with a life, told so, against how it stands when told in order
Differences = Callable[[Life, Mapping[int, Any]], list[str]]


@dataclass
class Told:
    """What all examples share, and what they came to."""

    ledgers: Ledgers
    lives: Mapping[int, Life]
    differences: Differences
    at_once: int
    counts: dict[str, int] = field(
        default_factory=lambda: {"examples": 0, "lives": 0, "again": 0, "dropped": 0, "refused": 0}
    )


class Telling(RuleBasedStateMachine):
    """Some lives from their first charge to the end of the world. An event can arrive once it was
    sent; what we try to collect is known by its first event, and tries begin at their own time."""

    told: Told

    @initialize(first=st.integers(0, 9999))
    def begin(self, first: int) -> None:
        everybody = sorted(self.told.lives)
        chosen = [(first + step) % len(everybody) for step in range(self.told.at_once)]
        self.lives = {everybody[one]: self.told.lives[everybody[one]] for one in chosen}
        self.open = contextlib.ExitStack()
        self.engine = self.open.enter_context(self.told.ledgers())
        self.replay = Replay(self.engine, self.lives, START)
        self.now = START
        self.heard: set[Delivery] = set()
        self.dropped: set[Delivery] = set()
        # what happens at its own time: our tries, and the first news of what they are made for
        self.moments = sorted(
            moment
            for number, life in self.lives.items()
            if life.ours
            for moment in [
                (life.events[0].at, number, None),
                *((one.at, number, one) for one in life.ours),
            ]
        )

    @rule(hours=st.sampled_from([6, 30, 7 * 24]))
    def time_passes(self, hours: int) -> None:
        self._until(self.now + timedelta(hours=hours))

    @precondition(lambda self: self._waiting())
    @rule(picks=PICKS)
    def some_arrive(self, picks: list[int]) -> None:
        waiting = self._waiting()
        self._hear([waiting.pop(pick % len(waiting)) for pick in picks if waiting])

    @precondition(lambda self: self.heard)
    @rule(picks=PICKS)
    def some_arrive_again(self, picks: list[int]) -> None:
        known = sorted(self.heard, key=_order)
        self._hear([known[pick % len(known)] for pick in picks])
        self.told.counts["again"] += len(picks)

    @precondition(lambda self: self._losable())
    @rule(pick=st.integers(0, 999))
    def one_never_arrives(self, pick: int) -> None:
        losable = self._losable()
        self.dropped.add(losable[pick % len(losable)])
        self.told.counts["dropped"] += 1

    @rule()
    def we_think(self) -> None:
        self.replay.think()

    def teardown(self) -> None:
        """What is left arrives, last first; a listing heals what never does; then all must be as if
        it had been told in order."""
        if not hasattr(self, "open"):
            return
        with self.open:
            self._until(END)
            self._hear(self._waiting()[::-1])
            healed = sorted({one.life for one in self.dropped})
            self.replay.tell(
                END + timedelta(hours=20), [Delivery(one, None, END) for one in healed]
            )
            for number in healed:
                self.replay.find(self.lives[number])
            self.replay.think()
            found = standing(self.engine)
            tried, accepted = refused(self.engine, END + timedelta(days=1))
        self.told.counts["examples"] += 1
        self.told.counts["lives"] += len(self.lives)
        self.told.counts["refused"] += tried
        wrong = [what for one in self.lives.values() for what in self.told.differences(one, found)]
        assert not wrong, wrong[:3]
        assert not accepted, f"SQL took {accepted} tries on debts not to be charged"

    def _until(self, then: datetime) -> None:
        """Everything of this span that happens at its own time."""
        while self.moments and self.moments[0][0] <= then:
            at, number, ours = self.moments.pop(0)
            first = self._event(number, 0)
            news = [] if ours or first in self.heard else [first]
            self.replay.tell(at, news, [(number, ours)] if ours else [])
            self.heard |= set(news)
        self.now = then

    def _hear(self, deliveries: list[Delivery]) -> None:
        self.replay.tell(self.now, deliveries)
        self.heard |= set(deliveries)

    def _waiting(self) -> list[Delivery]:
        """Sent, and neither heard nor lost."""
        known = self.heard | self.dropped
        sent = (
            self._event(number, place)
            for number, life in self.lives.items()
            for place, event in enumerate(life.events)
            if event.at <= self.now
        )
        return sorted((one for one in sent if one not in known), key=_order)

    def _losable(self) -> list[Delivery]:
        """What a listing would tell as well."""
        return [
            one
            for one in self._waiting()
            if one.number and not self.lives[one.life].events[one.number].keeps
        ]

    def _event(self, number: int, place: int) -> Delivery:
        return Delivery(number, place, self.lives[number].events[place].at)


def _order(one: Delivery) -> tuple[datetime, int, int]:
    return one.at, one.life, one.number or 0


def tell(told: Told, examples: int, steps: int, *, shrink: bool) -> None:
    """Play so many examples. Raises AssertionError; with `shrink`, by the fewest steps."""
    machine = type("Machine", (Telling,), {"told": told})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.generate, *((Phase.shrink,) if shrink else ())),
            suppress_health_check=list(HealthCheck),
        ),
    )
