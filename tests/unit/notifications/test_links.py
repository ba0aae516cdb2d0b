from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.notifications.links import (
    LinkClaims,
    LinkExpired,
    LinkInvalid,
    link_expiry,
    make_token,
    pay_url,
    read_token,
)
from tinko_pipelines.core.settings import Settings

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SETTINGS = Settings(jwt_secret="one secret of the tests", public_url="https://pay.example/")
CLAIMS = LinkClaims(new_id(NOW), new_id(NOW), new_id(NOW), NOW + timedelta(days=14))
TOKEN = make_token(CLAIMS, SETTINGS)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


def test_it_comes_back_as_it_went():
    assert read_token(TOKEN, NOW, SETTINGS) == CLAIMS


def test_it_is_short_and_needs_no_escaping_in_an_address():
    assert len(TOKEN) <= 120
    assert set(TOKEN) <= set(ALPHABET)
    assert pay_url(TOKEN, "ta", SETTINGS) == f"https://pay.example/pay/{TOKEN}?lang=ta"


def test_it_ends_at_its_second_of_business_time_and_still_says_what_it_was_for():
    last = CLAIMS.expires_at - timedelta(seconds=1)
    assert read_token(TOKEN, last, SETTINGS) == CLAIMS
    with pytest.raises(LinkExpired) as over:
        read_token(TOKEN, CLAIMS.expires_at, SETTINGS)
    assert over.value.claims == CLAIMS
    assert over.value.status == 410


@pytest.mark.parametrize(
    ("timezone", "ends"),
    [
        ("Asia/Kolkata", datetime(2026, 3, 16, 18, 29, 59, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 3, 17, 3, 59, 59, tzinfo=UTC)),  # summer time by then
        ("No/Where", datetime(2026, 3, 16, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_the_day_a_message_names_is_a_whole_day(timezone, ends):
    assert link_expiry(NOW, timezone) == ends


@given(position=st.integers(0, len(TOKEN) - 1), letter=st.sampled_from(ALPHABET))
def test_no_other_spelling_is_accepted(position, letter):
    changed = TOKEN[:position] + letter + TOKEN[position + 1 :]
    if changed != TOKEN:
        with pytest.raises(LinkInvalid) as wrong:
            read_token(changed, NOW, SETTINGS)
        assert wrong.value.status == 404


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text):
    with pytest.raises(LinkInvalid):
        read_token(text, NOW, SETTINGS)


def test_another_secret_signs_other_links():
    with pytest.raises(LinkInvalid):
        read_token(TOKEN, NOW, Settings(jwt_secret="another secret"))


@pytest.mark.parametrize("secret", [None, ""])
def test_without_a_secret_nothing_is_signed(secret):
    with pytest.raises(SettingsError, match="JWT_SECRET"):
        make_token(CLAIMS, Settings(jwt_secret=secret))
