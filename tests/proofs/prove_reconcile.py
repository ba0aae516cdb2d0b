"""Reconciliation finds every planted fault and nothing else, at every share of faults."""

from __future__ import annotations

import time

import polars as pl

from tests.proofs.books_world import OVERDUE, World, plant
from tests.proofs.harness import Finding, register
from tinko_pipelines.core.reconciliation.matching import match

NAMES = ("kind", "leg", "connection_id", "subject_id")
MOST_TOLD = 10


@register("reconcile")
def reconcile(
    rows: int = 5_000_000, rates: tuple[float, ...] = (0.001, 0.01, 0.1), seed: int = 20261123
) -> Finding:
    """`rows` transactions against as many attempts and their settlement lines, with faults planted
    in each share of `rates`: precision and recall are 1."""
    wrong: list[str] = []
    numbers: dict[str, object] = {}
    for rate in rates:
        world = plant(rows, rate, seed)
        began = time.perf_counter()
        found = match(world.books, OVERDUE)
        seconds = time.perf_counter() - began
        numbers[f"at_{rate:g}"] = {
            "planted": world.expected.height,
            "kinds": world.expected.select("kind", "leg", "how").n_unique(),
            "found": found.height,
            "lines": world.books.lines.height,
            "seconds": round(seconds, 2),
            **accuracy(world, found),
        }
        wrong += differences(world, found, rate)
        del world, found
    return Finding(wrong[:MOST_TOLD], numbers)


def accuracy(world: World, found: pl.DataFrame) -> dict[str, float]:
    """Precision: the share of findings that were planted. Recall: of the planted, found."""
    right = found.join(world.expected, on=NAMES, how="semi").height
    caught = world.expected.join(found, on=NAMES, how="semi").height
    return {
        "precision": right / found.height if found.height else 1.0,
        "recall": caught / world.expected.height if world.expected.height else 1.0,
    }


def differences(world: World, found: pl.DataFrame, rate: float) -> list[str]:
    """Each finding too many, each fault that was not found, and each told twice, in words."""
    extra = found.join(world.expected, on=NAMES, how="anti").head(MOST_TOLD)
    missed = world.expected.join(found, on=NAMES, how="anti").head(MOST_TOLD)
    twice = found.filter(pl.struct(NAMES).is_duplicated()).head(MOST_TOLD)
    if not world.expected.height:
        return [f"at {rate}: nothing was planted"]
    return [
        f"at {rate}: {what}: {row}"
        for what, frame in (("found too much", extra), ("missed", missed), ("twice", twice))
        for row in frame.iter_rows(named=True)
    ]
