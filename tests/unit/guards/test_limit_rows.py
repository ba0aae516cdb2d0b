"""limits.yaml against the table of limits, and every bad row refused by its name."""

import json
from datetime import UTC, date, datetime

import pytest
import yaml

from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.guards.model import Facts, MerchantCategory
from tinko_pipelines.core.guards.rows import LIMITS, Book, covering, limit, limits, read_limits
from tinko_pipelines.core.settings import get_settings

GOOD = {
    "id": "own.test", "kind": "rolling_cap", "scope": {"network": ["visa"]},
    "params": {"limit": 3, "days": 1, "same_amount": False}, "since": date(2026, 1, 1),
    "source": "a test of ours", "checked": date(2026, 11, 20), "certainty": "own",
    "note": "So that there is one.",
}  # fmt: skip
# what the rows have to say, read off the published limits
TABLE = {
    "visa.category1.2026": {"network_decline_code":
        {"04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3"}},
    "visa.reattempts.2025": {"limit": 20, "days": 30, "same_amount": True},
    "visa.reattempts.2020": {"limit": 15, "days": 30, "same_amount": True},
    "mastercard.advice.never": {"network_advice_code": {"03", "21"}},
    "mastercard.advice.new_data": {"network_advice_code": {"01"}},
    "mastercard.advice.later": {"network_advice_code": {"02": 72}},
    "mastercard.advice.wait": {"network_advice_code": {"24": 1, "25": 24, "26": 48, "27": 96,
                                                       "28": 144, "29": 192, "30": 240}},
    "mastercard.day": {"limit": 10, "days": 1, "same_amount": False},
    "mastercard.month": {"limit": 35, "days": 30, "same_amount": False},
    "own.other_networks": {"limit": 20, "days": 30, "same_amount": False},
    "npci.autopay.attempts": {"limit": 4},
    "npci.autopay.windows": {"timezone": "Asia/Kolkata", "debit_after_hours": 25, "windows":
        [["00:00", "10:00"], ["13:00", "17:00"], ["21:30", "24:00"]]},
    "rbi.without_second_factor": {"limit_minor": 15_000_00},
    "rbi.without_second_factor.essentials": {"limit_minor": 1_00_000_00},
    "rbi.without_second_factor.cards": {"limit_minor": 15_000_00},
    "rbi.without_second_factor.cards.essentials": {"limit_minor": 1_00_000_00},
    "rbi.notice": {"hours": 24, "fresh": True},
    "rbi.notice.cards": {"hours": 24, "fresh": True},
    "stripe.notice.cards": {"hours": 26, "fresh": True},
    "razorpay.late_authorisation": {"days": 5},
    "cycle.last_day": {"hours": 24, "debit_after_hours": 25, "timezone": "Asia/Kolkata"},
    "cycle.one_success": {"debit_after_hours": 25, "timezone": "Asia/Kolkata"},
}  # fmt: skip
DATES = {"visa.reattempts.2025": date(2025, 5, 1), "npci.autopay.attempts": date(2025, 8, 1),
         "npci.autopay.windows": date(2025, 8, 1),
         "rbi.without_second_factor": date(2026, 4, 21)}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_the_rows_say_what_the_table_says(name):
    (row,) = [one for one in limits() if one.id == name]
    said = row.params.model_dump()
    assert {key: said[key] for key in TABLE[name]} == TABLE[name]
    assert row.row.since == DATES.get(name, row.row.since)


def test_every_row_says_where_it_comes_from_when_that_was_read_and_what_it_means():
    for written in yaml.safe_load(LIMITS.read_text(encoding="utf-8")):
        for name in ("source", "checked", "note"):
            assert written.get(name), f"{written['id']} has no {name}"
        assert written["checked"] <= date(2026, 12, 31)
    assert len({one.id for one in limits()}) == len(limits())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "magic"}, "nothing evaluates the kind magic"),
        ({"scope": {"colour": ["red"]}}, "no attempt has a colour"),
        ({"scope": {"network": []}}, "the scope network is empty"),
        # Norway, unquoted
        ({"scope": {"country": [False]}}, "the scope country holds"),
        ({"scope": {}}, "scope"),
        ({"params": {"limit": 0, "days": 1, "same_amount": False}}, "limit: Input should be"),
        ({"params": {"limit": 2.5, "days": 1, "same_amount": False}}, "limit: Input should be"),
        ({"params": {"limit": 3, "days": 1}}, "same_amount: Field required"),
        # further back nobody counts
        ({"params": {"limit": 3, "days": 31, "same_amount": False}}, "days: Input should be"),
        ({"params": {"limit": 3, "days": 1, "same_amount": False, "x": 1}}, "x: Extra inputs"),
        ({"until": date(2026, 1, 1)}, "until is not after since"),
        ({"since": "soon"}, "since"),
        ({"source": ""}, "source"),
        ({"checked": None}, "checked"),
        ({"note": None}, "note"),
        ({"note": ""}, "note"),
        ({"certainty": "surely"}, "certainty"),
        ({"id": "Own Test"}, "id"),
        ({"unknown": 1}, "unknown"),
        ({"kind": "never_after", "params": {}}, "names no code"),
        ({"kind": "wait_after", "params": {"network_advice_code": {}}}, "network_advice_code"),
        ({"kind": "banking_day", "params": {"timezone": "Asia/Kolkata", "debit_after_hours": 0,
                                            "country": "XX"}}, "XX"),
        ({"kind": "banking_day", "params": {"timezone": "Asia/Nowhere", "debit_after_hours": 0,
                                            "country": "IN"}}, "Asia/Nowhere is no timezone"),
        *(
            ({"kind": "local_window", "params": {"timezone": "Asia/Kolkata",
                                                 "debit_after_hours": 0, "windows": windows}}, said)
            for windows, said in [
                ([], "windows"),
                ([["10:00", "09:00"]], "overlap, are empty or stand out of order"),
                ([["10:00", "10:00"]], "overlap, are empty or stand out of order"),
                ([["00:00", "10:00"], ["09:00", "12:00"]], "overlap"),
                ([["10:00"]], "is no window"),
                ([["25:00", "26:00"]], "windows"),
            ]
        ),
    ],
)  # fmt: skip
def test_a_bad_row_is_refused_by_its_name(change, said):
    written = GOOD | change
    with pytest.raises(SettingsError) as refused:
        limit(written)
    assert refused.value.detail.startswith(f"limit {written['id']}: ")
    assert said in refused.value.detail


@pytest.mark.parametrize("text", ["- 1", "a: 1", "", "just words"])
def test_a_file_that_is_no_list_of_rows_is_refused(text):
    with pytest.raises(SettingsError, match="list of rows"):
        read_limits(text)


def test_two_rows_of_one_id_are_refused():
    row = yaml.safe_dump([GOOD, GOOD])
    with pytest.raises(SettingsError, match=r"own\.test: two rows"):
        read_limits(row)


@pytest.fixture
def operators(tmp_path, monkeypatch):
    """Writes the operator's file and reads the limits with it over ours."""

    def read(text):
        path = tmp_path / "limits.yaml"
        path.write_text(text)
        monkeypatch.setenv("GUARD_LIMITS_FILE", str(path))
        get_settings.cache_clear()
        return limits.__wrapped__()

    yield read
    monkeypatch.undo()
    get_settings.cache_clear()


def test_an_operators_row_takes_the_place_of_ours(operators):
    ours = next(one for one in limits() if one.id == "rbi.notice")
    written = ours.row.model_dump() | {"params": {"hours": 24, "fresh": False}}
    found = operators(yaml.safe_dump([written, GOOD]))
    assert [one.id for one in found] == [*(one.id for one in limits()), "own.test"]
    (notice,) = [one for one in found if one.id == "rbi.notice"]
    assert notice.params.fresh is False


@pytest.mark.parametrize("text", ["just words", "- {id: own.test}", "[", "- a: [1, 2"])
def test_an_operators_bad_file_is_named(operators, text):
    with pytest.raises(SettingsError, match="GUARD_LIMITS_FILE"):
        operators(text)


def test_a_row_written_as_evidence_is_the_same_row():
    since, until = datetime(2026, 9, 12, 6, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)
    for one in limits():
        again = limit(json.loads(one.document(since, until)))
        assert again.document(since, until) == one.document(since, until)
        assert (again.scope, again.since, again.until) == (one.scope, one.since, one.until)


def test_a_book_finds_the_rows_that_cover_an_attempt():
    facts = [
        Facts(psp, method, network, country, "key", 1, currency)
        for psp in ("stripe", "razorpay")
        for method, network in [("card", "visa"), ("card", None), ("upi", None), ("nach", None)]
        for country in ("IN", "US", None)
        for currency in ("INR", "USD")
    ]
    book = Book(limits())
    for one in facts:
        expected = [row.id for row in limits() if row.covers(one)]
        assert [row.id for row in book.covering(one)] == expected
        assert [row.id for row in covering(one, limits())] == expected
        assert [row.id for row in covering(one)] == expected
    assert LIMITS.name == "limits.yaml"


def test_limits_name_only_categories_that_a_merchant_can_be_given():
    named = {
        value
        for one in limits()
        for name in ("merchant_category", "not_merchant_category")
        for value in one.scope.get(name, ())
    }
    assert named
    assert named <= set(MerchantCategory) - {MerchantCategory.OTHER}
