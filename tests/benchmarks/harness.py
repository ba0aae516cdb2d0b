"""Benchmarks against a goal: ours, its peers and its ceiling, measured alternately in one run.

A benchmark is a generator function registered under its name: it sets up, yields a `Benchmark`,
and tears down after the yield. It is given a `scale`; 1 is the size the issue states, and a
smoke test uses less. What a contender returns is its rate in `unit`, where more is better.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Rate = Callable[[], float]
ROUNDS = 7  # the median of these; odd, and at least 5


@dataclass(frozen=True)
class Further:
    """What a benchmark adds: numbers to print, and goals of its own that were met or not."""

    numbers: Mapping[str, Any] = field(default_factory=dict)
    goals: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Benchmark:
    """Contenders as functions that run once and return a rate; `goal` as the least ratios."""

    unit: str
    ours: Rate
    ceiling: Rate
    peers: Mapping[str, Rate] = field(default_factory=dict)
    ratio_to_ceiling: float | None = None
    ratio_to_best_peer: float | None = None
    further: Callable[[], Further] = Further
    rounds: int = ROUNDS


Setup = Callable[[float], Iterator[Benchmark]]
REGISTRY: dict[str, Setup] = {}


def register(name: str) -> Callable[[Setup], Setup]:
    """Register a benchmark under `name`, which must be free."""

    def add(setup: Setup) -> Setup:
        if name in REGISTRY:
            raise ValueError(f"two benchmarks are called {name}")
        REGISTRY[name] = setup
        return setup

    return add


def timed(work: Callable[[], object], units: int) -> Rate:
    """A contender that does `work`, worth `units`, and returns units per second."""

    def rate() -> float:
        start = time.perf_counter()
        work()
        return units / (time.perf_counter() - start)

    return rate


def run(name: str, scale: float = 1.0) -> dict[str, Any]:
    """Measure one benchmark and return its line. A goal that is missed is `met: false`."""
    with contextmanager(REGISTRY[name])(scale) as benchmark:
        medians = _measure(benchmark)
        further = benchmark.further()
    ours, ceiling = medians.pop("ours"), medians.pop("ceiling")
    ratios = {
        "ratio_to_ceiling": ours / ceiling,
        "ratio_to_best_peer": ours / max(medians.values()) if medians else None,
    }
    goal = {key: least for key in ratios if (least := getattr(benchmark, key)) is not None}
    met = all((ratios[key] or 0) >= least for key, least in goal.items())
    return {
        "bench": name,
        "unit": benchmark.unit,
        "ours": _rounded(ours),
        "peers": {peer: _rounded(rate) for peer, rate in medians.items()},
        "ceiling": _rounded(ceiling),
        **{key: _rounded(ratio) for key, ratio in ratios.items()},
        "goal": {**goal, **dict.fromkeys(further.goals, True)},
        "met": met and all(further.goals.values()),
        "rounds": benchmark.rounds,
        **further.numbers,
        **further.goals,
    }


def _measure(benchmark: Benchmark) -> dict[str, float]:
    """The median rate of every contender; one unmeasured round first warms caches and imports."""
    contenders = {"ours": benchmark.ours, **benchmark.peers, "ceiling": benchmark.ceiling}
    if len(contenders) != 2 + len(benchmark.peers):
        raise ValueError("a peer cannot be called ours or ceiling")
    for contender in contenders.values():
        contender()
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(benchmark.rounds):
        for name, contender in contenders.items():
            rates[name].append(contender())
    return {name: statistics.median(values) for name, values in rates.items()}


def _rounded(value: float | None) -> float | None:
    """Four significant digits: more would be noise."""
    return None if value is None else float(f"{value:.4g}")
