"""Read what decide() looks at: cases with their ledgers and the counters of their instruments."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.db.arrays import uuids
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.failures.taxonomy import Category, RetryAdvice
from tinko_pipelines.core.guards.cycles import LONGEST_CYCLE, Frequency
from tinko_pipelines.core.guards.model import Counted
from tinko_pipelines.core.guards.rows import book
from tinko_pipelines.core.ledger.states import AttemptState
from tinko_pipelines.core.notifications.channels import ChannelName
from tinko_pipelines.core.psp.types import Actor
from tinko_pipelines.core.recovery.case import AttemptView, CaseView
from tinko_pipelines.core.recovery.tries import Try, tries_at

# nothing is counted further back (Visa and Mastercard: 30 days), but for what took a mandate's
# cycle: a debit that was asked for before the cycle may have come in it
COUNTED_SPAN = timedelta(days=31)
TAKEN_SPAN = LONGEST_CYCLE + timedelta(days=2)


class Counters:
    """Everyone's counted attempts on one instrument, oldest first, as the guards take them: made
    once for all the debts on it that did not make them themselves."""

    def __init__(self) -> None:
        self._rows: list[tuple[uuid.UUID, Row[Any]]] = []
        self._others: dict[int, Counted] = {}

    def add(self, row: Row[Any]) -> None:
        """The next row of `counters`."""
        self._rows.append((row.obligation_id, row))

    def seen_from(self, obligation_id: uuid.UUID) -> tuple[Counted, ...]:
        """For a try at this debt."""
        others = self._others
        counted = []
        for place, (owner, row) in enumerate(self._rows):
            if owner == obligation_id:
                counted.append(_counted(row, True))
                continue
            if place not in others:
                others[place] = _counted(row, False)
            counted.append(others[place])
        return tuple(counted)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A case as decide() sees it, with the rows that scheduling needs."""

    row: Row[Any]
    view: CaseView
    tries: tuple[Try, ...]

    @property
    def stored(self) -> Try | None:
        """The newest unattended try: its door is what a retry would use."""
        return next((one for one in reversed(self.tries) if not one.payer_present), None)


def load_views(connection: Connection, rows: Sequence[Row[Any]], now: datetime) -> list[Loaded]:
    """Views of the rows of `due_cases`."""
    tries = tries_at(connection, [row.obligation_id for row in rows])
    loaded = [
        Loaded(row, _view(row, tries[row.obligation_id], ()), tries[row.obligation_id])
        for row in rows
    ]
    return _with_counters(connection, loaded, now)


def counted_on(
    connection: Connection,
    psp: str,
    account_id: str,
    instrument_keys: Sequence[str],
    now: datetime,
    obligation_ids: Sequence[uuid.UUID] = (),
) -> dict[str, Counters]:
    """Everyone's counted attempts by instrument, oldest first: of the last 31 days, and however
    old they are those at the given debts and those with a code after which there is no other; of
    mandates, what succeeded within the longest cycle."""
    found: dict[str, Counters] = defaultdict(Counters)
    for one in connection.execute(
        query("recovery", "counters"),
        {
            "psp": psp,
            "account_id": account_id,
            "instrument_keys": list(instrument_keys),
            "since": now - COUNTED_SPAN,
            "obligation_ids": uuids(obligation_ids),
            "never_decline": book().never_decline,
            "never_advice": book().never_advice,
            "taken_since": now - TAKEN_SPAN,
        },
    ).all():
        found[one.instrument_key].add(one)
    return found


def _counted(row: Row[Any], same_obligation: bool) -> Counted:
    return Counted(
        at=row.counted_at,
        amount=row.amount_minor,
        currency=row.currency,
        initiator=row.initiator,
        same_obligation=same_obligation,
        state=row.state,
        network_decline_code=row.network_decline_code,
        network_advice_code=row.network_advice_code,
    )


def instrument_of(row: Row[Any], tries: Sequence[Try]) -> Try | None:
    """The newest try on the instrument that a retry would use: the mandate's own. One that nobody
    has tried yet is unknown, and the guards fail closed (rule 11)."""
    if row.mandate_ref is None:
        return next((one for one in reversed(tries) if not one.payer_present), None)
    same = (one for one in reversed(tries) if one.payment_method_ref == row.mandate_ref)
    return next(same, None)


def _with_counters(connection: Connection, loaded: list[Loaded], now: datetime) -> list[Loaded]:
    by_account: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in loaded:
        if one.view.instrument_key is not None:
            by_account[one.row.psp, one.row.account_id].add(one.view.instrument_key)
    debts = [one.row.obligation_id for one in loaded]
    counters = {
        account: counted_on(connection, *account, sorted(keys), now, debts)
        for account, keys in by_account.items()
    }
    return [
        Loaded(
            one.row,
            _view(
                one.row,
                one.tries,
                ()
                if one.view.instrument_key is None
                else counters[one.row.psp, one.row.account_id][one.view.instrument_key].seen_from(
                    one.row.obligation_id
                ),
            ),
            one.tries,
        )
        for one in loaded
    ]


def _view(row: Row[Any], tries: Sequence[Try], counted: tuple[Counted, ...]) -> CaseView:
    stored = instrument_of(row, tries)
    return CaseView(
        key=next((one.psp_payment_id for one in tries if one.psp_payment_id), str(row.id)),
        psp=row.psp,
        obligation_state=row.obligation_state,
        amount=row.due_minor - row.paid_minor,
        currency=row.currency,
        retry_owner=row.retry_owner,
        psp_retries=bool(row.psp_retries),
        has_mandate=row.has_mandate,
        method=stored.method if stored else "unknown",
        network=stored.network if stored else None,
        country=stored.country if stored else None,
        instrument_key=stored.instrument_key if stored else None,
        opened_at=row.opened_at,
        asked_at=row.asked_at,
        messages=row.messages,
        attempts=tuple(
            AttemptView(
                actor=Actor(one.actor),
                state=AttemptState(one.state),
                at=one.at,
                payer_present=one.payer_present,
                advice=RetryAdvice(one.retry_advice) if one.retry_advice else None,
                hard=bool(one.hard),
                late_authorisation=bool(one.late_authorisation),
                network_decline_code=one.network_decline_code,
                network_advice_code=one.network_advice_code,
                category=Category(one.category) if one.category else None,
                code=one.code,
                reason=one.reason,
                advice_code=one.advice_code,
                method_ref=one.payment_method_ref,
                notice_asked=one.notice_asked,
            )
            for one in tries
        ),
        counted=counted,
        cycle_end=row.cycle_end,
        reach=tuple(
            channel.value
            for channel, address in (
                (ChannelName.EMAIL, row.payer_email),
                (ChannelName.SMS, row.payer_phone),
            )
            if address
        ),
        mandate_ref=row.mandate_ref,
        stopped_by=row.stopped_by,
        org_timezone=row.org_timezone,
        payer_country=row.payer_country,
        customer_tags=tuple(row.customer_tags),
        merchant_country=row.merchant_country,
        merchant_category=row.merchant_category,
        mandate_frequency=row.mandate_frequency and Frequency(row.mandate_frequency),
    )
