"""Organisations, connections and keys on the real database, under its policies."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from tests.api.deliveries import make_merchant
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import (
    Conflict,
    InvalidInput,
    LivemodeMismatch,
    NotFound,
    SettingsError,
    Unauthenticated,
    UnknownConnection,
)
from tinko_pipelines.core.psp.types import Credentials, Psp
from tinko_pipelines.core.settings import Settings
from tinko_pipelines.core.tenants.api_keys import (
    create_api_key,
    find_key_owner,
    revoke_api_key,
)
from tinko_pipelines.core.tenants.connections import (
    create_connection,
    disconnect,
    find_connection,
    list_connections,
    load_credentials,
)
from tinko_pipelines.core.tenants.envelope import Envelope
from tinko_pipelines.core.tenants.environment import (
    ensure_environment_connections,
    identify_environment,
)
from tinko_pipelines.core.tenants.organisations import (
    Trade,
    create_organisation,
    ensure_organisation,
    find_organisation,
    list_organisations,
    set_trade,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HELD = Credentials("sk_test_1", None, ("whsec_1",), "http://127.0.0.1:8090/stripe")


@pytest.fixture
def envelope(settings):
    return Envelope.from_setting(settings.credentials_key)


@pytest.fixture
def connect(worker, envelope):
    def make(slug, *, livemode=False, credentials=HELD, account="acct_1", **more):
        with unit_of_work(worker) as connection:
            org = ensure_organisation(connection, slug, slug, NOW)
            made = create_connection(
                connection,
                org.org_id,
                Psp.STRIPE,
                account,
                credentials,
                NOW,
                livemode=livemode,
                envelope=envelope,
                **more,
            )
        return org.org_id, made

    return make


def test_credentials_come_back_as_they_went_in(database, connect, envelope):
    org_id, made = connect("acme")
    # the app's role has no tenant set here: the lookup finds the connection all the same
    with unit_of_work(database.app) as connection:
        found = find_connection(connection, made)
        assert list_connections(connection) == []
    assert (found.org_id, found.psp, found.livemode) == (org_id, Psp.STRIPE, False)
    assert load_credentials(found, envelope) == HELD


def test_an_account_is_connected_once_across_organisations(connect, worker):
    _, first = connect("acme")
    with pytest.raises(Conflict, match="already connected"):
        connect("zenith")
    connect("zenith", livemode=True, credentials=Credentials("sk_live_1"))
    with unit_of_work(worker) as connection:
        disconnect(connection, first, NOW)
    _, second = connect("zenith")
    with unit_of_work(worker) as connection:
        assert find_connection(connection, second).id == second
        with pytest.raises(UnknownConnection):
            find_connection(connection, first)
        with pytest.raises(UnknownConnection):
            disconnect(connection, first, NOW)


def test_a_refused_connection_leaves_the_transaction_usable(connect, worker, envelope):
    connect("acme")
    with unit_of_work(worker) as connection:
        org = create_organisation(connection, "zenith", "Zenith", NOW)
        with pytest.raises(Conflict):
            create_connection(
                connection,
                org.org_id,
                Psp.STRIPE,
                "acct_1",
                HELD,
                NOW,
                livemode=False,
                envelope=envelope,
            )
    with unit_of_work(worker) as connection:
        assert {item.slug for item in list_organisations(connection)} == {"acme", "zenith"}


def test_a_key_of_the_other_mode_and_an_unknown_retry_owner_are_refused(connect):
    with pytest.raises(LivemodeMismatch):
        connect("acme", livemode=True)
    with pytest.raises(InvalidInput):
        connect("acme", retry_owner="nobody")


def test_a_slug_is_taken_once(worker):
    with unit_of_work(worker) as connection:
        create_organisation(connection, "acme", "Acme", NOW)
        with pytest.raises(Conflict):
            create_organisation(connection, "acme", "Other", NOW)


def test_a_time_zone_a_country_and_a_category_are_ones_that_there_are(worker):
    with unit_of_work(worker) as connection:
        for zone in ("Mars/Olympus", "", "../etc/passwd", "IST5"):
            with pytest.raises(InvalidInput, match="time zone"):
                create_organisation(connection, "acme", "Acme", NOW, timezone=zone)
        assert list_organisations(connection) == []
    for country, category in (("XX", None), ("India", None), (None, "gold")):
        with pytest.raises(InvalidInput):
            Trade.said(country, category)


def test_what_is_said_of_a_merchants_trade_stays_until_it_is_said_anew(worker):
    with unit_of_work(worker) as connection:
        made = create_organisation(
            connection, "acme", "Acme", NOW, timezone="Asia/Kolkata", trade=Trade.said("in", None)
        )
        assert find_organisation(connection, "acme") == made
        assert (made.country, made.category) == ("IN", None)
        set_trade(connection, made.org_id, Trade.said("", "insurance"))
        found = find_organisation(connection, "acme")
        assert (found.country, found.category) == ("IN", "insurance")
        set_trade(connection, made.org_id, Trade.said(None, ""))
        assert find_organisation(connection, "acme") == found


def test_keys_are_kept_as_hashes_and_end_when_revoked(worker, database, settings):
    merchant = make_merchant(worker, settings.credentials_key)
    with unit_of_work(worker) as connection:
        key = create_api_key(connection, merchant.org_id, "second", NOW)
        kept = connection.execute(text("select * from api_keys")).mappings().all()
    assert key.startswith("tk_")
    assert all(key not in str(dict(row)) for row in kept)
    with unit_of_work(database.app) as connection:
        owner = find_key_owner(connection, key)
        assert owner.org_id == merchant.org_id
        with pytest.raises(Unauthenticated):
            find_key_owner(connection, key + "x")
    with unit_of_work(worker) as connection:
        revoke_api_key(connection, merchant.org_id, owner.key_id, NOW)
        with pytest.raises(NotFound):
            revoke_api_key(connection, merchant.org_id, owner.key_id, NOW)
        with pytest.raises(Unauthenticated):
            find_key_owner(connection, key)


def environment(**given):
    return Settings(
        **{
            "stripe_secret_key": "sk_test_env",
            "stripe_webhook_secret": "whsec_a",
            "razorpay_key_id": "rzp_live_env",
            "razorpay_key_secret": "secret",
            "razorpay_webhook_secret": "hook",
        }
        | given
    )


def test_the_environment_makes_connections_once_and_keeps_old_webhook_secrets(worker, envelope):
    def ensure(settings):
        accounts = identify_environment(settings, lambda psp, credentials: f"account_of_{psp}")
        with unit_of_work(worker) as connection:
            return ensure_environment_connections(connection, settings, accounts, NOW, envelope)

    first = ensure(environment())
    assert (
        ensure(environment(stripe_webhook_secret="whsec_b", stripe_secret_key="sk_test_2")) == first
    )
    with unit_of_work(worker) as connection:
        found = {one.psp: one for one in list_connections(connection)}
        assert [one.slug for one in list_organisations(connection)] == ["default"]
    stripe = load_credentials(found[Psp.STRIPE], envelope)
    assert (stripe.api_key, stripe.webhook_secrets) == ("sk_test_2", ("whsec_b", "whsec_a"))
    assert found[Psp.RAZORPAY].livemode is True
    assert found[Psp.RAZORPAY].account_id == "account_of_razorpay"


def test_the_environment_says_who_retries_and_unset_it_leaves_it_as_it_is(worker, envelope):
    for said, expected in (({"stripe_retry_owner": "psp"}, "psp"), ({}, "psp"),
                           ({"stripe_retry_owner": "tinko"}, "tinko")):  # fmt: skip
        settings = environment(**said)
        accounts = identify_environment(settings, lambda psp, credentials: f"account_of_{psp}")
        with unit_of_work(worker) as connection:
            ensure_environment_connections(connection, settings, accounts, NOW, envelope)
            owners = {one.psp: one.retry_owner for one in list_connections(connection)}
        assert owners == {Psp.STRIPE: expected, Psp.RAZORPAY: "tinko"}


def test_an_environment_without_psps_makes_nothing(worker):
    with unit_of_work(worker) as connection:
        assert ensure_environment_connections(connection, Settings(), {}, NOW) == []
        assert list_organisations(connection) == []


def test_a_razorpay_key_without_its_secret_is_named():
    with pytest.raises(SettingsError, match="RAZORPAY_KEY_SECRET"):
        identify_environment(environment(razorpay_key_secret=None), lambda *_: "x")
