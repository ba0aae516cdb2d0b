"""One payment at a time: what is a finding, over how much, and with which evidence."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from tinko_pipelines.core.ledger.states import AttemptState
from tinko_pipelines.core.psp.types import PaymentStatus
from tinko_pipelines.core.reconciliation import frames
from tinko_pipelines.core.reconciliation.frames import LEDGER_STANDING, PSP_STANDING, Books
from tinko_pipelines.core.reconciliation.matching import match
from tinko_pipelines.core.reconciliation.vocabulary import (
    FINDING_TRANSITIONS,
    KINDS,
    FindingKind,
    FindingState,
)

NOW = datetime(2026, 9, 16, 12, tzinfo=UTC)
OVERDUE = NOW - timedelta(days=3)
OLD = NOW - timedelta(days=8)
PAYMENT = {
    "connection_id": "c1", "payment_id": "pay_1", "status": "succeeded", "amount_minor": 1000,
    "refunded_minor": 0, "currency": "INR",
}  # fmt: skip
LINE = {
    "connection_id": "c1", "line_id": "l_1", "kind": "payment", "source_id": "pay_1",
    "payment_id": "pay_1", "payout_id": "po_1", "payout_status": "paid", "gross_minor": 1000,
    "fee_minor": 24, "tax_minor": 4, "net_minor": 976, "currency": "INR", "exchange_rate": None,
    "on_hold": False,
}  # fmt: skip
PAYOUT = {
    "connection_id": "c1", "payout_id": "po_1", "status": "paid", "amount_minor": 976,
    "currency": "INR", "itemised": True, "final": True,
}  # fmt: skip


def theirs(**more):
    return {**PAYMENT, "fee_minor": 24, "tax_minor": 4, "captured_at": OLD, **more}


def ours(**more):
    return {**PAYMENT, "obligation_id": "debt", "attempt_id": "try", **more}


def told(psp=(), ledger=(), lines=(), payouts=(), payout_lines=None, **aftermath):
    """(kind, leg, subject, amount) of each finding."""
    found = match(books(psp, ledger, lines, payouts, payout_lines, **aftermath), OVERDUE)
    return list(found.select("kind", "leg", "subject_id", "amount_minor").iter_rows())


def books(psp, ledger, lines=(), payouts=(), payout_lines=None, refunds=(), disputes=(), known=()):
    lines = list(lines)
    rows = lines if payout_lines is None else list(payout_lines)
    return Books(
        transactions=pl.DataFrame(list(psp), schema=frames.TRANSACTIONS),
        ledger=pl.DataFrame(list(ledger), schema=frames.LEDGER),
        lines=pl.DataFrame(lines, schema=frames.LINES),
        payouts=pl.DataFrame(list(payouts), schema=frames.PAYOUTS),
        payout_lines=pl.DataFrame(rows, schema=frames.LINES),
        refunds=pl.DataFrame(list(refunds), schema=frames.AFTERMATH),
        disputes=pl.DataFrame(list(disputes), schema=frames.AFTERMATH),
        known_disputes=pl.DataFrame(list(known), schema=frames.KNOWN_DISPUTES),
    )


def test_three_books_that_agree():
    assert told([theirs()], [ours()], [LINE], [PAYOUT]) == []


@pytest.mark.parametrize(
    ("psp", "ledger", "expected"),
    [
        ([theirs()], [], [("missing_here", 1000)]),
        ([], [ours()], [("missing_there", 1000)]),
        ([theirs()], [ours(amount_minor=900)], [("amount", 100)]),
        # of two currencies nothing is subtracted
        ([theirs()], [ours(amount_minor=900, currency="USD")], [("currency", 900)]),
        ([theirs(status="failed")], [ours()], [("status", 1000)]),
        ([theirs(refunded_minor=400)], [ours()], [("refund_not_reflected", 400)]),
        ([theirs()], [ours(), ours()], [("duplicate", 1000)]),
        # twice on one side and otherwise on the other is told once
        ([theirs(amount_minor=5)], [ours(), ours()], [("duplicate", 1000)]),
        ([theirs(), theirs(amount_minor=7)], [ours()], [("duplicate", 7)]),
        ([theirs()], [ours(amount_minor=900, status="open")], [("amount", 100), ("status", 900)]),
        # what was planned and never sent no PSP has
        ([], [ours(status="not_made")], []),
        # the same id at another connection is another payment
        ([theirs(), theirs(connection_id="c2")], [ours()], [("missing_here", 1000)]),
    ],
)  # fmt: skip
def test_the_ledger_against_the_psp(psp, ledger, expected):
    line = [LINE, {**LINE, "connection_id": "c2"}]
    found = [one for one in told(psp, ledger, line, []) if one[1] == "ledger"]
    assert [(kind, amount) for kind, _, _, amount in found] == expected


@pytest.mark.parametrize(
    ("changes", "lines", "expected"),
    [
        ({}, [], [("unsettled", 1000)]),
        ({"captured_at": NOW}, [], []),
        ({"status": "failed", "captured_at": None}, [], []),
        ({}, [{"payout_id": None, "payout_status": None}], [("unsettled", 1000)]),
        ({}, [{"payout_status": "failed"}], [("unsettled", 1000)]),
        ({}, [{"on_hold": True}], [("unsettled", 1000)]),
        ({}, [{"payout_status": "pending"}], []),
        ({}, [{"gross_minor": 1007, "net_minor": 983}], [("amount", 7)]),
        ({}, [{"currency": "USD"}], [("currency", 1000)]),
        ({}, [{"currency": "USD", "exchange_rate": "0.012", "gross_minor": 12}], []),
        ({}, [{"fee_minor": 30, "net_minor": 970}], [("fee_or_tax", 6)]),
        ({}, [{"tax_minor": 5}], [("fee_or_tax", 1)]),
        ({"fee_minor": None, "tax_minor": None}, [{"fee_minor": 30}], []),
        ({}, [{}, {"line_id": "l_2"}], [("duplicate", 1000)]),
        ({"status": "failed"}, [{}], [("settled_without_capture", 1000)]),
        ({"payment_id": "pay_2", "captured_at": NOW}, [{}], [("settled_without_capture", 1000)]),
    ],
)  # fmt: skip
def test_the_psp_against_its_lines(changes, lines, expected):
    psp = theirs(**changes)
    mine = ours(**{name: value for name, value in changes.items() if name in PAYMENT})
    found = told([psp], [mine], [{**LINE, **one} for one in lines])
    assert [(kind, amount) for kind, _, _, amount in found] == expected


BACK = {"kind": "refund", "source_id": "re_1", "line_id": "l_r", "gross_minor": -300,
        "fee_minor": 0, "net_minor": -300}  # fmt: skip
FAILED = {**BACK, "kind": "refund_failure", "line_id": "l_f", "gross_minor": 300}
TAKEN = {**BACK, "kind": "dispute", "source_id": "du_1", "line_id": "l_d"}
GIVEN = {**FAILED, "kind": "dispute_reversal", "source_id": "du_1", "line_id": "l_v"}
BY_HAND = {**FAILED, "kind": "adjustment", "source_id": "adj_1", "line_id": "l_a"}
AFTER = {"connection_id": "c1", "payment_id": "pay_1", "amount_minor": 300, "currency": "INR"}


@pytest.mark.parametrize(
    ("status", "since", "lines", "expected"),
    [
        ("succeeded", OLD, [], [("refund_not_reflected", "re_1")]),
        ("succeeded", NOW, [], []),
        ("failed", OLD, [], []),
        ("pending", OLD, [], []),
        ("succeeded", OLD, [BACK], []),
        ("succeeded", OLD, [{**BACK, "currency": "USD", "gross_minor": -4}], []),
    ],
)
def test_refunds_that_no_line_shows(status, since, lines, expected):
    refund = {**AFTER, "object_id": "re_1", "status": status, "since": since}
    found = told([theirs()], [ours()], [LINE, *({**LINE, **one} for one in lines)],
                 refunds=[refund])  # fmt: skip
    assert [(kind, subject) for kind, _, subject, _ in found] == expected


@pytest.mark.parametrize(
    ("name", "status", "lines", "amount"),
    [
        # a refund of 300 that was settled as 3, and as two
        ("re_1", "succeeded", [{**BACK, "gross_minor": -3}], 297),
        ("re_1", "succeeded", [BACK, {**BACK, "line_id": "l_s"}], 300),
        ("re_1", "succeeded", [BACK, FAILED], 300),
        # one that failed: its money is back, by whatever line, or is not
        ("re_1", "failed", [BACK], 300),
        ("re_1", "failed", [BACK, {**FAILED, "gross_minor": 290}], 10),
        ("re_1", "failed", [BACK, FAILED], None),
        ("re_1", "failed", [BACK, BY_HAND], None),
        # a lost dispute whose money came back, a won one whose did not
        ("du_1", "lost", [TAKEN], None),
        ("du_1", "lost", [TAKEN, GIVEN], 300),
        ("du_1", "lost", [{**TAKEN, "gross_minor": -299}], 1),
        ("du_1", "won", [TAKEN], 300),
        ("du_1", "won", [TAKEN, GIVEN], None),
    ],
)
def test_signed_lines_of_a_refund_or_dispute_add_up(name, status, lines, amount):
    row = {**AFTER, "object_id": name, "status": status, "since": OLD}
    kind = "refunds" if name == "re_1" else "disputes"
    rows = [LINE, *({**LINE, **one} for one in lines)]
    found = told([theirs()], [ours()], rows, known=[
        {key: row[key] for key in frames.KNOWN_DISPUTES}], **{kind: [row]})  # fmt: skip
    assert [(leg, subject, at) for _, leg, subject, at in found] == (
        [("settlement", name, amount)] if amount else []
    )


@pytest.mark.parametrize(
    ("status", "adjustment", "expected"),
    [
        # a debit that came back after it was captured, and one of which a part was taken
        ("failed", -1000, []),
        ("failed", -990, [("settled_without_capture", 10)]),
        ("succeeded", -1000, [("amount", 1000)]),
    ],
)
def test_what_was_adjusted_of_a_payment_is_part_of_its_line(status, adjustment, expected):
    change = {**LINE, "kind": "adjustment", "line_id": "l_a", "gross_minor": adjustment}
    psp = theirs(status=status, captured_at=None if status == "failed" else OLD)
    found = told([psp], [ours(status=status)], [LINE, change])
    assert [(kind, amount) for kind, _, _, amount in found] == expected


def test_what_was_given_back_without_being_captured_is_nothing_to_settle():
    lapsed = theirs(refunded_minor=1000, fee_minor=None, tax_minor=None, captured_at=None)
    refund = {**AFTER, "object_id": "re_1", "status": "succeeded", "since": OLD}
    assert told([lapsed], [ours(refunded_minor=1000)], refunds=[refund]) == []


@pytest.mark.parametrize(
    ("known", "status", "expected"),
    [
        (None, "open", [("ledger", "du_1")]),
        ("open", "open", []),
        ("open", "lost", [("ledger", "du_1"), ("settlement", "du_1")]),
        ("lost", "lost", [("settlement", "du_1")]),
        ("won", "won", []),
    ],
)
def test_disputes_that_the_ledger_or_the_lines_do_not_show(known, status, expected):
    dispute = {**AFTER, "object_id": "du_1", "status": status, "since": OLD}
    have = {**AFTER, "object_id": "du_1", "status": known}
    have.pop("payment_id")
    found = told([theirs()], [ours()], [LINE], disputes=[dispute], known=[have] if known else [])
    assert [(leg, subject) for _, leg, subject, _ in found] == expected
    assert {kind for kind, *_ in found} <= {"dispute_not_reflected"}


SIGNED = [
    {"line_id": "l_2", "kind": "refund", "net_minor": -500},
    {"line_id": "l_3", "kind": "refund_failure", "net_minor": 500},
    {"line_id": "l_4", "kind": "dispute", "net_minor": -700},
    {"line_id": "l_5", "kind": "dispute_reversal", "net_minor": 700},
    {"line_id": "l_6", "kind": "adjustment", "net_minor": -6},
]


@pytest.mark.parametrize(
    ("payout", "lines", "expected"),
    [
        ({"amount_minor": 970}, SIGNED, []),
        ({"amount_minor": 971}, SIGNED, [("payout_total", "po_1", 1)]),
        ({"amount_minor": 976}, [{"currency": "USD", "line_id": "l_9"}], []),
        ({"amount_minor": 1}, [], [("payout_total", "po_1", 975)]),
        # its lines are not all listed yet, or never will be
        ({"amount_minor": 1, "final": False}, [], []),
        ({"amount_minor": 1, "itemised": False}, [], []),
    ],
)
def test_a_payout_is_the_sum_of_its_signed_lines(payout, lines, expected):
    rows = [LINE, *({**LINE, **one} for one in lines)]
    found = told([theirs()], [ours()], [LINE], [{**PAYOUT, **payout}], rows)
    assert [(kind, subject, amount) for kind, _, subject, amount in found] == expected


def test_a_finding_shows_both_sides():
    found = match(books([theirs()], [ours(amount_minor=900)], [LINE]), OVERDUE)
    (row,) = found.iter_rows(named=True)
    assert json.loads(row["psp"])["amount_minor"] == 1000
    assert json.loads(row["ledger"]) == {
        "status": "succeeded", "amount_minor": 900, "refunded_minor": 0, "currency": "INR",
        "obligation_id": "debt", "attempt_id": "try",
    }  # fmt: skip
    assert row["line"] is None
    (row,) = match(books([theirs()], [ours()], [{**LINE, "tax_minor": 9}]), OVERDUE).iter_rows(
        named=True
    )
    assert json.loads(row["psp"])["tax_minor"] == 4
    assert json.loads(row["line"])["tax_minor"] == 9


def test_every_word_is_mapped():
    assert set(PSP_STANDING) == set(PaymentStatus)
    assert set(LEDGER_STANDING) == set(AttemptState)
    assert set(KINDS) == set(FindingKind)
    assert set(FINDING_TRANSITIONS) == set(FindingState)
    assert all(row.label and row.meaning for row in KINDS.values())
