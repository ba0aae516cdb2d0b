"""What `/metrics` shows. One registry per app, so that two apps in one process do not mix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from tinko_pipelines.core.ingestion.overview import HearingTotal, hearings, totals
from tinko_pipelines.core.ingestion.watch import Hearing
from tinko_pipelines.core.psp.types import Psp

# seconds; the goal for a webhook is 0.1 at the 99th percentile
_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class WebhookMetrics:
    """Counters of webhooks by PSP, bound once: looking labels up costs more than counting."""

    def __init__(self, registry: CollectorRegistry) -> None:
        received = Counter(
            "tinko_webhooks_received", "Webhook requests", ["psp"], registry=registry
        )
        stored = Counter("tinko_webhooks_stored", "Events stored", ["psp"], registry=registry)
        duplicates = Counter(
            "tinko_webhooks_duplicates",
            "Events that were stored already, by the key they were known by",
            ["psp", "matched"],
            registry=registry,
        )
        seconds = Histogram(
            "tinko_webhooks_seconds",
            "Time from request to answer",
            ["psp"],
            buckets=_LATENCY,
            registry=registry,
        )
        self.refused = Counter(
            "tinko_webhooks_refused", "Webhooks refused", ["psp", "code"], registry=registry
        )
        self.received = {psp: received.labels(psp) for psp in Psp}
        self.stored = {psp: stored.labels(psp) for psp in Psp}
        self.duplicates = {
            (psp, matched): duplicates.labels(psp, matched)
            for psp in Psp
            for matched in ("event_id", "body")
        }
        self.seconds = {psp: seconds.labels(psp) for psp in Psp}
        self.batch = Histogram(
            "tinko_webhooks_batch",
            "Events stored by one commit",
            buckets=_BATCH,
            registry=registry,
        )
        self.waiting = Gauge(
            "tinko_webhooks_waiting", "Events waiting to be stored", registry=registry
        )


class IngestionCollector(Collector):
    """What listings found that webhooks had missed, read from the database when it is asked for;
    nothing while the database is away."""

    def __init__(self, worker: Engine) -> None:
        self._worker = worker

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead: the API starts while the database is still down."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One figure of each kind per PSP."""
        try:
            found, heard = totals(self._worker), hearings(self._worker)
        except SQLAlchemyError:
            return
        missed = CounterMetricFamily(
            "tinko_webhooks_missed",
            "Events that no webhook brought, only a listing",
            labels=["psp"],
        )
        late = CounterMetricFamily(
            "tinko_ingested_late", "Rows that changed after their day was closed", labels=["psp"]
        )
        reopened = GaugeMetricFamily(
            "tinko_ingested_days_reopened", "Days to be listed again", labels=["psp"]
        )
        for one in found:
            missed.add_metric([one.psp], one.missed)
            late.add_metric([one.psp], one.late)
            reopened.add_metric([one.psp], one.reopened)
        yield from (missed, late, reopened)
        yield from _webhooks(heard)


def _webhooks(heard: Sequence[HearingTotal]) -> Iterator[Metric]:
    """Connections by how their webhooks stand, none left out of any PSP that was looked at."""
    stand = GaugeMetricFamily(
        "tinko_webhooks_hearing",
        "Active connections by how their webhook stands",
        labels=["psp", "hearing"],
    )
    looked = GaugeMetricFamily(
        "tinko_webhooks_looked_timestamp_seconds",
        "When a PSP's webhooks were last looked at, by the one that waits longest",
        labels=["psp"],
    )
    for psp in sorted({one.psp for one in heard}):
        own = [one for one in heard if one.psp == psp]
        counts = {one.hearing: one.connections for one in own}
        for hearing in Hearing:
            stand.add_metric([psp, hearing.value], counts.get(hearing.value, 0))
        looked.add_metric([psp], min(one.looked_wall for one in own).timestamp())
    yield from (stand, looked)


def new_registry() -> CollectorRegistry:
    """A registry with the process's own figures."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry
