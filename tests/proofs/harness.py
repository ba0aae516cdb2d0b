"""Proofs: promises held at counts that are too long for every test run.

A proof is a function registered under its name, with the full counts as the defaults of its
keyword parameters. It returns what it found wrong. The pytest suite calls the same functions
with smaller counts; `make proof` runs them in full. Only there are seconds judged: a goal on a
number of a finding is the most it may be, and the functions themselves never look at it.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """`wrong` says each broken promise in plain words; `numbers` are printed beside them. `goal`:
    the most that some of the numbers may be, in full counts."""

    wrong: Sequence[str] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    goal: Mapping[str, float] = field(default_factory=dict)


Proof = Callable[..., Finding]
REGISTRY: dict[str, Proof] = {}


def register(name: str) -> Callable[[Proof], Proof]:
    """Register a proof under `name`, which must be free."""

    def add(proof: Proof) -> Proof:
        if name in REGISTRY:
            raise ValueError(f"two proofs are called {name}")
        REGISTRY[name] = proof
        return proof

    return add


def full_counts(proof: Proof) -> dict[str, Any]:
    """The counts that `make proof` uses: the defaults of the proof's parameters."""
    return {name: one.default for name, one in inspect.signature(proof).parameters.items()}


def run(name: str, **counts: Any) -> dict[str, Any]:
    """Run one proof, at its full counts where none are given, and return its line.

    A proof that cannot be carried out is not met: its error is the violation. So is a number over
    its goal, or one that was not measured.
    """
    proof = REGISTRY[name]
    used = full_counts(proof) | counts
    began = time.monotonic()
    try:
        found = proof(**used)
    except Exception as error:
        found = Finding([f"{type(error).__name__}: {error}"])
    wrong = [*found.wrong, *_missed(found)]
    line: dict[str, Any] = {
        "proof": name,
        "counts": used,
        "violations": len(wrong),
        "seconds": round(time.monotonic() - began, 1),
        "met": not wrong,
        "wrong": wrong,
        **found.numbers,
    }
    return line | ({"goal": dict(found.goal)} if found.goal else {})


def _missed(found: Finding) -> list[str]:
    measured = {name: found.numbers.get(name) for name in found.goal}
    return [
        f"{name} is {measured[name]}, the goal is at most {most:g}"
        for name, most in found.goal.items()
        if measured[name] is None or measured[name] > most
    ]
