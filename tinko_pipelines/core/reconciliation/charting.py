"""The picture of some days: per currency, what matched and what is in findings. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from typing import Any

from tinko_pipelines.core.money import Money

WIDTH, PANEL, TOP = 640, 120, 24
MATCHED, FOUND = "#4f9d69", "#d1603d"


def svg(days: Sequence[Mapping[str, Any]]) -> str:
    """An SVG of one panel per currency, each with its own scale, a bar per day (rows of
    `days_page`): matched below, findings above. Empty where there is no money."""
    panels = _by_currency(days)
    if not panels:
        return ""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{PANEL * len(panels)}"'
        ' font-family="sans-serif" font-size="11" role="img"'
        ' aria-label="Money matched and in findings, per day and currency">'
    ]
    for place, (currency, by_day) in enumerate(sorted(panels.items())):
        parts += _panel(currency, by_day, place * PANEL)
    return "".join([*parts, "</svg>"])


def _by_currency(days: Sequence[Mapping[str, Any]]) -> dict[str, dict[date, tuple[int, int]]]:
    sums: dict[str, dict[date, tuple[int, int]]] = defaultdict(dict)
    for one in days:
        matched, found = sums[one["currency"]].get(one["day"], (0, 0))
        sums[one["currency"]][one["day"]] = (
            matched + one["matched_minor"],
            found + one["findings_minor"],
        )
    return {
        currency: by_day
        for currency, by_day in sums.items()
        if any(sum(both) for both in by_day.values())
    }


def _panel(currency: str, by_day: dict[date, tuple[int, int]], top: int) -> list[str]:
    most = max(sum(both) for both in by_day.values())
    scale = (PANEL - TOP - 16) / most
    step = WIDTH / len(by_day)
    base = top + PANEL - 14
    told = escape(f"{currency}: up to {Money(most, currency).format()} a day")
    parts = [f'<text x="4" y="{top + 14}">{told}</text>']
    for place, (day, (matched, found)) in enumerate(sorted(by_day.items())):
        x, wide = place * step + 2, max(step - 4, 1)
        low, high = matched * scale, found * scale
        title = escape(
            f"{day}: {Money(matched, currency).format()} matched,"
            f" {Money(found, currency).format()} in findings"
        )
        parts.append(
            f"<g><title>{title}</title>"
            f'<rect x="{x:.1f}" y="{base - low:.1f}" width="{wide:.1f}" height="{low:.1f}"'
            f' fill="{MATCHED}"/>'
            f'<rect x="{x:.1f}" y="{base - low - high:.1f}" width="{wide:.1f}"'
            f' height="{high:.1f}" fill="{FOUND}"/></g>'
        )
        if step > 36 or place in (0, len(by_day) - 1):
            parts.append(f'<text x="{x:.1f}" y="{base + 11}">{day:%d %b}</text>')
    return parts
