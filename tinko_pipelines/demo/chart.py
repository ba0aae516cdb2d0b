"""The picture of it: money recovered over time, per currency, beside the ladder and the oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from tinko_pipelines.core.money import Money


def draw(
    path: Path,
    recovered: Sequence[tuple[datetime, Mapping[str, int]]],
    baselines: Mapping[str, Mapping[str, int]],
) -> Path:
    """Write an SVG of one panel per currency (they are never added); returns its path."""
    # matplotlib takes a second to import, and only the demo draws
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    currencies = sorted({currency for _, minor in recovered for currency in minor})
    figure, panels = plt.subplots(
        len(currencies) or 1, 1, figsize=(9, 3 * (len(currencies) or 1)), squeeze=False
    )
    for panel, currency in zip(panels[:, 0], currencies, strict=False):
        days = [at for at, _ in recovered]
        major = [float(Money(minor.get(currency, 0), currency).major) for _, minor in recovered]
        panel.plot(days, major, marker="o", markersize=3, label="Tinko")
        for name, style in (("ladder_8_8_8", "--"), ("oracle", ":")):
            level = Money(baselines[name].get(currency, 0), currency)
            label = f"{name.replace('_', ' ')}: {level.format()}"
            panel.axhline(float(level.major), linestyle=style, color="grey", label=label)
        panel.set_title(f"{currency} recovered", loc="left")
        panel.legend(loc="upper left", fontsize=8)
        panel.grid(alpha=0.3)
    figure.autofmt_xdate()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)
    return path
