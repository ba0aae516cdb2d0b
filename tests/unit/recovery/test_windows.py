"""Windows against a walker that asks the wall clock minute by minute; then cases by hand."""

import calendar
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tests.unit.recovery.window_walker import PRESETS, WEEKDAYS, shows, spelled, walk
from tinko_pipelines.core.recovery.places import Place, last_banking_day, place_of, timezone_of
from tinko_pipelines.core.recovery.windows import Window, Windows, is_open, next_open

# days around which clocks change, by zone: in spring and autumn, by half an hour, backwards around
# Ramadan, at midnight forwards (Beirut) and back into the day before (Cairo; St John's at a minute
# past it), and a date that never was (Apia); one without
SEASONS = {
    "Asia/Kolkata": [],
    "Europe/Berlin": [(2026, 3, 28), (2026, 10, 24)],
    "America/New_York": [(2026, 3, 7), (2026, 10, 31)],
    "Australia/Lord_Howe": [(2026, 4, 4), (2026, 10, 3)],
    "Africa/Casablanca": [(2026, 2, 14), (2026, 3, 21)],
    "America/St_Johns": [(2010, 11, 6), (2026, 3, 7)],
    "Asia/Beirut": [(2026, 3, 28), (2026, 10, 24)],
    "Africa/Cairo": [(2026, 4, 23), (2026, 10, 29)],
    "Pacific/Apia": [(2011, 12, 28), (2021, 4, 3)],
}
ZONES = [*SEASONS]
# the end of February of leap years and of others, the turn of a year, ends of months
EVERYWHERE = [(2024, 2, 27), (2026, 2, 27), (2028, 2, 28), (2026, 12, 30), (2026, 4, 29)]
YEARS = 5  # always with a leap year

clocks = st.integers(0, 24 * 60 - 1).map(lambda one: f"{one // 60:02d}:{one % 60:02d}")
# most changes of the clocks are between midnight and three
early = st.integers(0, 3 * 60).map(lambda one: f"{one // 60:02d}:{one % 60:02d}")
spans = (
    st.tuples(clocks | early, clocks | early | st.just("24:00"))
    .filter(lambda one: one[0] != one[1])
    .map(lambda one: {"from": one[0], "to": one[1]})
)


def is_possible(draft):
    """Whether some month that is meant has one of the days that are meant."""
    said = spelled(draft)
    longest = max(calendar.monthrange(2024, one)[1] for one in said.get("months", range(1, 13)))
    dates = said.get("days_of_month", [1])
    return said.get("last_banking_day") or min(map(abs, dates)) <= longest


# all that a window can say; what is left out does not restrict
window_drafts = st.fixed_dictionaries(
    {},
    optional={
        "preset": st.sampled_from([*PRESETS]),
        "days": st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=4, unique=True),
        "months": st.lists(st.integers(1, 12) | st.just(2), min_size=1, max_size=4),
        "last_banking_day": st.booleans(),
        "days_of_month": st.lists(
            st.sampled_from([1, 2, 7, 27, 28, 29, 30, 31, -1, -2, -29, -30, -31]),
            min_size=1, max_size=4,
        ),
        "times": st.lists(spans, min_size=1, max_size=3),
        "timezone": st.sampled_from(["org", "payer", "payer", *ZONES]),
    },
).filter(is_possible)  # fmt: skip


@st.composite
def questions(draw):
    """Windows of an organisation, an instant, and where its organisation and its payer are."""
    org, payer = draw(st.sampled_from(ZONES)), draw(st.none() | st.sampled_from(ZONES))
    windows = draw(st.lists(window_drafts, min_size=1, max_size=2))
    seasons = [day for zone in (org, payer or org) for day in SEASONS[zone]]
    start = datetime(*draw(st.sampled_from([*EVERYWHERE, *seasons, *seasons])), tzinfo=UTC)
    at = start + timedelta(seconds=draw(st.integers(0, 2 * 24 * 3600)))
    country = draw(st.sampled_from([None, "IN", "US", "DE", "XX"]))
    return windows, at, Place(org, payer, country)


@given(questions())
@settings(max_examples=120, deadline=None)
def test_the_next_opening_is_the_walkers(question):
    said, at, place = question
    windows, plain = [Window.model_validate(one) for one in said], [spelled(one) for one in said]
    assert is_open(windows, at, place) == any(shows(one, at, place) for one in plain)
    found, walked = next_open(windows, at, place), walk(plain, at, place, YEARS)
    if walked is None:
        assert found is None or found > at + YEARS * timedelta(days=365)
    else:
        assert found == walked


@given(questions())
@settings(max_examples=60, deadline=None)
def test_an_opening_is_open_and_the_next_one_of_itself(question):
    said, at, place = question
    windows = [Window.model_validate(one) for one in said]
    found = next_open(windows, at, place)
    if found is not None:
        assert found >= at
        assert is_open(windows, found, place)
        assert next_open(windows, found, place) == found


def opening(window, at, place=None):
    return next_open([Window.model_validate(window)], at, place or Place())


@pytest.mark.parametrize(
    ("window", "at", "expected"),
    [
        # the clocks skip 02:00 to 03:00: a window in there is not there that Sunday
        ({"days": ["sunday"], "times": [{"from": "02:10", "to": "02:50"}],
          "timezone": "Europe/Berlin"},
         datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 4, 5, 0, 10, tzinfo=UTC)),
        # one that reaches out of the gap opens where the gap ends
        ({"times": [{"from": "02:30", "to": "04:00"}], "timezone": "Europe/Berlin"},
         datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)),
        # an hour that comes twice is open twice
        ({"times": [{"from": "02:10", "to": "02:50"}], "timezone": "Europe/Berlin"},
         datetime(2026, 10, 25, 0, 55, tzinfo=UTC), datetime(2026, 10, 25, 1, 10, tzinfo=UTC)),
        # over midnight, the span belongs to the day it begins on
        ({"days": ["friday"], "times": [{"from": "22:00", "to": "02:00"}]},
         datetime(2026, 9, 19, 1, 30, tzinfo=UTC), datetime(2026, 9, 19, 1, 30, tzinfo=UTC)),
        ({"days": ["saturday"], "times": [{"from": "22:00", "to": "02:00"}]},
         datetime(2026, 9, 19, 1, 30, tzinfo=UTC), datetime(2026, 9, 19, 22, tzinfo=UTC)),
        ({"months": [2], "days_of_month": [29]},
         datetime(2026, 9, 16, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC)),
        ({"months": [2], "days_of_month": [-1]},
         datetime(2026, 9, 16, tzinfo=UTC), datetime(2027, 2, 28, tzinfo=UTC)),
        ({"months": [2], "days": ["monday"], "days_of_month": [29]},
         datetime(2026, 9, 16, tzinfo=UTC), datetime(2044, 2, 29, tzinfo=UTC)),
        ({"days_of_month": [31]},
         datetime(2026, 9, 16, tzinfo=UTC), datetime(2026, 10, 31, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_openings_by_hand(window, at, expected):
    assert opening(window, at) == expected


def test_a_time_that_is_always_skipped_never_opens():
    window = {
        "months": [3], "days": ["sunday"], "days_of_month": list(range(25, 32)),
        "times": [{"from": "02:10", "to": "02:50"}], "timezone": "Europe/Berlin",
    }  # fmt: skip
    assert opening(window, datetime(2026, 9, 16, tzinfo=UTC)) is None


def test_presets():
    kolkata = Place("Asia/Kolkata", country="IN")
    wednesday = datetime(2026, 9, 16, 20, tzinfo=UTC)  # 01:30 on Thursday in Kolkata
    assert opening("business_hours", wednesday, kolkata) == datetime(2026, 9, 17, 3, 30, tzinfo=UTC)
    assert opening("weekends", wednesday, kolkata) == datetime(2026, 9, 19, 3, 30, tzinfo=UTC)
    assert opening("daily", wednesday, kolkata) == datetime(2026, 9, 17, 2, 30, tzinfo=UTC)
    # the 30th is a Wednesday, and the last day on which banks are open
    assert opening("paydays", wednesday, kolkata) == datetime(2026, 9, 30, 3, 30, tzinfo=UTC)
    assert Window.model_validate("paydays").preset == "paydays"


def test_what_a_preset_stood_for_is_kept_with_the_version():
    stored = Window.model_validate("paydays").model_dump_json()
    assert '"days_of_month":[1,2,3,7,10]' in stored
    assert Window.model_validate_json(stored) == Window.model_validate("paydays")
    own = Window.model_validate({"preset": "paydays", "days_of_month": [25]})
    assert own.days_of_month == (25,)
    assert Window.model_validate_json(own.model_dump_json()) == own


@pytest.mark.parametrize(
    ("year", "month", "country", "day"),
    [
        (2026, 2, None, 27),  # Saturday the 28th
        (2026, 12, "DE", 31),
        (2027, 5, "US", 28),  # Memorial Day is the 31st
        (2026, 5, "DE", 29),
        (2026, 10, "IN", 31),  # the fifth Saturday: India's banks are open
        (2026, 10, "US", 30),
        (2026, 10, "XX", 30),  # a country that nobody knows
    ],
)
def test_the_last_banking_day(year, month, country, day):
    assert last_banking_day(year, month, country).day == day


def test_whose_time_it_is():
    assert timezone_of("IN") == "Asia/Kolkata"
    assert timezone_of("DE") == "Europe/Berlin"  # listed with Büsingen, which keeps the same time
    assert timezone_of("US") is None
    assert timezone_of(None) is None
    assert timezone_of("XX") is None
    at = datetime(2026, 9, 16, tzinfo=UTC)
    for country, expected in (("JP", 0), ("US", 4), (None, 4)):
        place = place_of("America/New_York", country, "IN")
        window = {"times": [{"from": "09:00", "to": "09:01"}], "timezone": "payer"}
        # nine in Tokyo is midnight UTC; where the payer's time is not known, the organisation's
        found = opening(window, at, place)
        assert found.hour == (0 if expected == 0 else 13)


@pytest.mark.parametrize(
    ("draft", "where"),
    [
        ([], ()),
        ([{"days": []}], (0, "days")),
        ([{"times": []}], (0, "times")),
        ([{"days": ["noday"]}], (0, "days", 0)),
        ([{"times": [{"from": "09:00", "to": "09:00"}]}], (0, "times", 0)),
        ([{"times": [{"from": "25:00", "to": "09:00"}]}], (0, "times", 0, "from")),
        ([{"times": [{"from": "09:00"}]}], (0, "times", 0, "to")),
        ([{"months": [2], "days_of_month": [30]}], (0, "days_of_month")),
        ([{"months": [4, 6], "days_of_month": [-31]}], (0, "days_of_month")),
        ([{"days_of_month": [0]}], (0, "days_of_month")),
        ([{"days_of_month": [32]}], (0, "days_of_month", 0)),
        ([{"months": [13]}], (0, "months", 0)),
        ([{"timezone": "Mars/Olympus"}], (0, "timezone")),
        ([{"timezone": "../../etc/passwd"}], (0, "timezone")),
        ([{"timezone": ""}], (0, "timezone")),
        ([{"preset": "sometimes"}], (0, "preset")),
        (["sometimes"], (0, "preset")),
        ([{"hours": "9-5"}], (0, "hours")),
        ([{"days": WEEKDAYS}] * 9, ()),
        (["daily", {"times": [{"from": "09:00", "to": "10:00"}] * 13}], (1, "times")),
    ],
)
def test_an_impossible_window_is_an_error_at_its_place(draft, where):
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(Windows).validate_python(draft)
    assert raised.value.errors()[0]["loc"] == where


def test_a_day_that_only_some_named_months_have_is_possible():
    window = Window.model_validate({"months": [2, 3], "days_of_month": [31]})
    assert opening(window, datetime(2026, 9, 16, tzinfo=UTC)) == datetime(2027, 3, 31, tzinfo=UTC)
    Window.model_validate({"months": [2], "days_of_month": [30], "last_banking_day": True})
