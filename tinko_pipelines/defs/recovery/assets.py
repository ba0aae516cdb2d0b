"""From inbox to charge: each step a batch over what SQL says is undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import dagster as dg

from tinko_pipelines.core.clock import WallClock
from tinko_pipelines.core.failures.store import classify_failures
from tinko_pipelines.core.failures.taxonomy import CATEGORIES, Category
from tinko_pipelines.core.inbox.process import process_inbox
from tinko_pipelines.core.notifications.delivery import send_due
from tinko_pipelines.core.recovery.cases import open_cases
from tinko_pipelines.core.recovery.deciding import decide_due
from tinko_pipelines.core.recovery.executing import execute_due
from tinko_pipelines.core.recovery.unknown import read_pending, resolve_unresolved
from tinko_pipelines.defs.platform import OWNERS, Platform

GROUP = "recovery"
BATCH = 500
MOST_PASSES = 40  # of one run; what is left rings again


def _table(counts: Mapping[str, int], name: str) -> dg.MetadataValue:
    rows = [f"| {key} | {value} |" for key, value in sorted(counts.items())]
    return dg.MetadataValue.md("\n".join([f"| {name} | count |", "| --- | --- |", *rows]))


def _rows(count: int, **more: object) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"dagster/row_count": count, **more})  # type: ignore[arg-type]


@dg.asset(
    deps=["inbox_events"],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "postgres"},
    description="Raw PSP events, normalised into obligations, doors and the attempts ledger.",
)
def events(platform: Platform) -> dg.MaterializeResult:
    """Work the inbox off, pass by pass; an event that cannot be read is quarantined."""
    desk, count = platform.desk(), Counter[str]()
    for _ in range(MOST_PASSES):
        report = process_inbox(platform.engine, desk, platform.clock, BATCH)
        count.update(
            applied=report.applied,
            ignored=report.ignored,
            quarantined=report.quarantined,
            read_at_psp=report.resolved,
        )
        if report.done < BATCH:
            break
    return _rows(count["applied"], outcomes=_table(count, "outcome"))


@dg.asset(
    deps=[events],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "postgres"},
    description="Failed attempts with category, retry advice, confidence and the deciding row.",
)
def failures(platform: Platform) -> dg.MaterializeResult:
    """Classify what failed; a code nobody knows is `unknown`, counted here and never a crash."""
    mix = Counter[str]()
    for _ in range(MOST_PASSES):
        report = classify_failures(platform.engine, platform.clock, BATCH)
        mix.update(report.by_category)
        if report.total < BATCH:
            break
    labelled = {CATEGORIES[Category(key)].label: value for key, value in mix.items()}
    return _rows(mix.total(), unknown=mix[Category.UNKNOWN], mix=_table(labelled, "category"))


@dg.asset(
    deps=[failures],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "postgres"},
    description="One case for every obligation with a failure, pinned to its policy version.",
)
def cases(platform: Platform) -> dg.MaterializeResult:
    """Open cases; one whose debt was paid meanwhile is recovered at once."""
    count = Counter[str]()
    for _ in range(MOST_PASSES):
        report = open_cases(platform.engine, platform.clock, BATCH)
        count.update(opened=report.opened, woken=report.woken, already_paid=report.already_paid)
        if report.opened + report.woken < BATCH:
            break
    return _rows(count["opened"], cases=_table(count, "what"))


@dg.asset(
    deps=[cases],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "postgres"},
    description="What policy and guards answer for each case that is due, with the reasons.",
)
def decisions(platform: Platform) -> dg.MaterializeResult:
    """Decide due cases: schedule a retry, ask the payer, watch, wait or stop."""
    actions = Counter[str]()
    for _ in range(MOST_PASSES):
        report = decide_due(platform.engine, platform.clock, BATCH)
        actions.update(report.actions)
        if report.actions.total() < BATCH:
            break
    return _rows(actions.total(), actions=_table(actions, "action"))


@dg.asset(
    deps=[decisions],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "stripe"},
    description="Due attempts, made once each through the PSPs under locks, guards and keys.",
)
def attempts(platform: Platform) -> dg.MaterializeResult:
    """Charge what is due. No retry policy stands around this: a broken attempt is `unknown`."""
    made = execute_due(platform.engine, platform.desk(), platform.clock, platform.settings)
    return _rows(made.total(), outcomes=_table(made, "outcome"))


@dg.asset(
    deps=[attempts],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "stripe"},
    description="Attempts whose outcome nobody knew, resolved by asking the PSP.",
)
def attempt_outcomes(platform: Platform) -> dg.MaterializeResult:
    """Look after attempts that outlived their lease, and those pending for a business day."""
    desk = platform.desk()
    found = resolve_unresolved(platform.engine, desk, platform.clock, WallClock())
    found.update(read_pending(platform.engine, desk, platform.clock))
    return _rows(found.total(), outcomes=_table(found, "outcome"))


@dg.asset(
    deps=[decisions],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "email"},
    description="Messages to payers: the outbox, sent through SMTP with a signed link.",
)
def payer_messages(platform: Platform) -> dg.MaterializeResult:
    """Send what is due; nothing goes out for a debt that is no longer owed."""
    report = send_due(platform.engine, platform.settings, platform.clock, BATCH)
    return _rows(report.sent, report=dg.MetadataValue.text(repr(report)))
