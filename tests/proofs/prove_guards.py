"""No attempt that the guards allow breaks a limit, counted by a checker that shares nothing with
them."""

from __future__ import annotations

import random
from collections import Counter

from tests.proofs.guard_checker import DAY, violations
from tests.proofs.guard_world import PROFILES, Year, instrument
from tests.proofs.harness import Finding, register

FIRST = 1733011200  # 2024-12-01: years that begin in the 12 months from here see limits change


def play(
    attempts: int, seed: int, profiles: tuple[str, ...] = tuple(PROFILES), rows=None
) -> tuple[Counter[str], Counter[str]]:
    """Years of instruments, one after the other, until so many attempts of ours were made.

    Returns the limits they broke, and what was played, both counted.
    """
    draw = random.Random(f"guards {seed}")
    broken: Counter[str] = Counter()
    played: Counter[str] = Counter()
    while played["attempts"] < attempts:
        number = played["instruments"]
        what = instrument(draw, profiles[number % len(profiles)])
        start = FIRST + draw.randrange(365 * DAY)
        year = Year(f"{seed} {number}", what, start, rows)
        tries = year.run()
        broken.update(name for name, _ in violations(what, tries))
        played.update(
            instruments=1, attempts=year.made, asked=year.asked,
            by_others=len(tries) - year.made,
        )  # fmt: skip
        played[what.network or what.method] += year.made
    return broken, played


@register("guards")
def guards(attempts: int = 1_000_000, seed: int = 1) -> Finding:
    """So many attempts of ours over virtual years, each allowed by evaluate(), none against a
    limit."""
    broken, played = play(attempts, seed)
    wrong = [f"{name}: {count} attempts" for name, count in sorted(broken.items())]
    return Finding(wrong, {"guard_violations": broken.total(), "played": dict(played)})
