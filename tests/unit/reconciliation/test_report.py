"""The report's words: each currency apart and in its own digits, and nothing a sheet would run."""

from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree as ET

from tinko_pipelines.core.reconciliation import charting
from tinko_pipelines.core.reconciliation.report import Report, as_csv, as_html, markdown

NOW = datetime(2026, 9, 16, tzinfo=UTC)
DAY = date(2026, 9, 15)


def day(currency, ledger, matched, place=0, **more):
    return {
        "day": DAY - timedelta(days=place), "psp": "stripe", "connection_id": "c1",
        "currency": currency, "ledger_minor": ledger, "psp_minor": ledger,
        "matched_minor": matched, "findings_minor": ledger - matched, "settled_minor": 0,
        "fee_minor": 0, "tax_minor": 0, "ledger_count": 1, "psp_count": 1, "findings_count": 0,
    } | more  # fmt: skip


def finding(subject="<b>ch_1</b>", **more):
    return {
        "id": "f1", "kind": "amount", "severity": "error", "state": "open", "leg": "ledger",
        "connection_id": "c1", "psp": "stripe", "subject_id": subject, "payment_id": "ch_1",
        "obligation_id": None, "amount_minor": 1250, "currency": "KWD", "day": DAY,
        "owner": "finance", "note": '=HYPERLINK("x")', "created_at": NOW - timedelta(days=3),
    } | more  # fmt: skip


DAYS = [day("JPY", 5000, 4000), day("KWD", 5000, 5000), day("KWD", 0, 0, 1)]


def report(days=DAYS, findings=(finding(),)):
    return Report(DAY, DAY, days, list(findings), NOW)


def test_the_table_shows_each_currency_in_its_own_digits():
    told = markdown(report())
    assert "| 2026-09-15 | stripe | JPY | ¥5,000 | ¥4,000 | ¥1,000 | ¥5,000 | ¥0 | yes |" in told
    assert "KWD 5.000" in told
    assert "| Amount | open | 1 |" in told
    broken = markdown(report([day("JPY", 5000, 4000, findings_minor=7)]))
    assert "**no**" in broken


def test_the_page_escapes_and_tells_the_age():
    page = as_html(report(), charting.svg(DAYS))
    assert "&lt;b&gt;ch_1&lt;/b&gt;" in page
    assert "<b>ch_1" not in page
    assert '<td class="number">3</td>' in page
    assert "the CSV has all" in as_html(report(findings=[finding()] * 201), "")


def test_the_sheet_runs_no_formula():
    head, line = as_csv(report()).splitlines()
    assert head.startswith("day,psp,connection_id,kind")
    assert "'=HYPERLINK" in line


def test_what_is_in_quarantine_is_told_apart_in_whatever_currency_it_is():
    def held(currency, minor, rows=2):
        return {
            "day": DAY, "psp": "stripe", "connection_id": "c1", "frame": "settlement_lines",
            "state": "quarantined", "currency": currency, "rows": rows, "minor": minor,
        }  # fmt: skip

    made = Report(DAY, DAY, DAYS, [], NOW, [held("KWD", 1250), held("???", 7), held(None, None)])
    told, page = markdown(made), as_html(made, "")
    assert "| 2026-09-15 | settlement_lines | quarantined | 2 | KWD 1.250 |" in told
    assert "| 7 ??? |" in told
    assert "in none of these sums" in page
    assert "in none of these sums" not in as_html(report(), "")
    assert (
        as_csv(made)
        .splitlines()[1]
        .startswith(
            "2026-09-15,stripe,c1,in_quarantine,,,quarantined,,2 of settlement_lines,,,1250,KWD"
        )
    )


def test_the_picture_has_a_panel_per_currency_with_money_and_is_well_formed():
    drawn = ET.fromstring(charting.svg(DAYS))
    texts = [one.text for one in drawn.iter() if one.tag.endswith("text")]
    assert [one for one in texts if "a day" in one] == [
        "JPY: up to ¥5,000 a day", "KWD: up to KWD 5.000 a day",
    ]  # fmt: skip
    heights = [float(one.get("height")) for one in drawn.iter() if one.tag.endswith("rect")]
    assert max(heights) <= charting.PANEL
    assert charting.svg([]) == charting.svg([day("JPY", 0, 0)]) == ""
