"""POST /v1/webhooks/…: what is stored, what is refused and with what."""

import hashlib
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import text

from tests.api.deliveries import (
    encode,
    make_merchant,
    post_razorpay,
    post_stripe,
    razorpay_event,
    serving,
    settings_of,
    sign_stripe,
    stripe_event,
)
from tinko_pipelines.core.clock import DatabaseClock
from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.engine import libpq_url, make_engine, unit_of_work
from tinko_pipelines.core.ids import id_time
from tinko_pipelines.core.psp.types import Credentials
from tinko_pipelines.core.tenants.connections import disconnect, replace_credentials
from tinko_pipelines.core.tenants.envelope import Envelope
from tinko_pipelines.local import migrate
from tinko_pipelines.local.ports import free_port
from tinko_pipelines.local.postgres import EmbeddedPostgres

NOBODYS = "01990000-0000-7000-8000-000000000000"


def problem(response, status, code):
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (response.status_code, body["status"], body["code"]) == (status, status, code)
    assert {"type", "title", "detail", "instance"} <= body.keys()
    return body


def test_a_stripe_event_is_stored_as_it_was_signed(client, merchant, inbox):
    raw = encode(stripe_event())
    answer = post_stripe(client, merchant, raw)
    assert (answer.status_code, answer.json()) == (200, {"status": "stored"})
    (row,) = inbox()
    assert bytes(row["body"]) == raw
    assert bytes(row["body_sha256"]) == hashlib.sha256(raw).digest()
    assert (row["org_id"], row["connection_id"]) == (merchant.org_id, merchant.stripe)
    assert (row["psp"], row["source"]) == ("stripe", "webhook")
    assert row["event_id"] == "evt_1Q0000000000000000000001"
    assert row["event_type"] == "payment_intent.payment_failed"
    assert set(row["object_ids"]) == {
        "pi_3Q0000000000000000000001",
        "ch_3Q0000000000000000000001",
    }
    assert row["processed_at"] is None


def test_a_razorpay_event_is_stored(client, merchant, inbox):
    answer = post_razorpay(client, merchant, razorpay_event(), event_id="KevtHeader1")
    assert answer.json() == {"status": "stored"}
    (row,) = inbox()
    assert (row["psp"], row["event_id"], row["event_type"]) == (
        "razorpay",
        "KevtHeader1",
        "payment.failed",
    )
    assert {"pay_QAbcdefghijk01", "order_QAbcdefghijk01"} <= set(row["object_ids"])


def test_a_second_delivery_is_known_by_its_id_or_by_its_body(client, merchant, inbox, inbox_keys):
    first = razorpay_event()
    post_razorpay(client, merchant, first, event_id="one")
    # the id is an unsigned header: the same body under another id is the same event
    again = post_razorpay(client, merchant, first, event_id="two")
    assert again.json() == {"status": "duplicate", "matched": "body"}
    # Stripe changes pending_webhooks from one delivery to the next
    post_stripe(client, merchant, stripe_event())
    changed = post_stripe(client, merchant, stripe_event(pending_webhooks=0))
    assert changed.json() == {"status": "duplicate", "matched": "event_id"}
    assert len(inbox()) == 2
    assert len(inbox_keys()) == 4


def test_a_duplicate_takes_no_key_from_a_later_event(client, merchant, inbox):
    body, other = razorpay_event(), razorpay_event("pay_QAbcdefghijk02")
    post_razorpay(client, merchant, body, event_id="one")
    # a replay under an id that is still to come must not swallow the event that comes with it
    post_razorpay(client, merchant, body, event_id="two")
    assert post_razorpay(client, merchant, other, event_id="two").json() == {"status": "stored"}
    assert [row["event_id"] for row in inbox()] == ["one", "two"]


def test_two_connections_do_not_share_keys(client, add_merchant, inbox):
    for slug in ("acme", "zenith"):
        answer = post_stripe(client, add_merchant(slug), stripe_event())
        assert answer.json() == {"status": "stored"}
    assert len({row["org_id"] for row in inbox()}) == 2


def test_a_wrong_or_missing_signature(client, merchant, inbox):
    wrong = post_stripe(client, merchant, stripe_event(), secret="whsec_other")
    problem(wrong, 401, "signature_invalid")
    address = f"/v1/webhooks/stripe/{merchant.stripe}"
    problem(client.post(address, content=b"{}"), 401, "signature_invalid")
    problem(
        post_razorpay(client, merchant, razorpay_event(), secret="other"), 401, "signature_invalid"
    )
    raw = encode(stripe_event())
    headers = sign_stripe(raw, merchant.stripe_secret)
    changed = client.post(address, content=raw.replace(b"49900", b"49901"), headers=headers)
    problem(changed, 401, "signature_invalid")
    assert inbox() == []


def test_a_stale_timestamp(client, merchant, inbox):
    stale = post_stripe(client, merchant, stripe_event(), at=time.time() - 3600)
    problem(stale, 400, "signature_stale")
    assert inbox() == []


@pytest.mark.parametrize(
    "connection", ["01990000-0000-7000-8000-000000000000", "not-a-uuid", "%00"]
)
def test_an_unknown_connection(client, merchant, inbox, connection):
    answer = post_stripe(client, merchant, stripe_event(), connection=connection)
    problem(answer, 404, "connection_unknown")
    assert inbox() == []


def test_the_other_psps_connection(client, merchant, inbox):
    answer = post_stripe(client, merchant, stripe_event(), connection=merchant.razorpay)
    problem(answer, 409, "psp_mismatch")
    assert inbox() == []


def test_another_tenants_secret(client, add_merchant, inbox):
    acme, zenith = add_merchant("acme"), add_merchant("zenith")
    answer = post_stripe(client, acme, stripe_event(), secret=zenith.stripe_secret)
    problem(answer, 401, "signature_invalid")
    assert inbox() == []


@pytest.mark.parametrize("body", [b"plain words", b"", b"[1]", b'"evt"', b"\xff\xfe", b"[" * 60000])
def test_a_body_that_is_no_json_object(client, merchant, inbox, body):
    answer = post_stripe(client, merchant, body)
    # Stripe's own check refuses bytes that are no text before anything can be read of them
    expected = (401, "signature_invalid") if body == b"\xff\xfe" else (400, "body_not_json")
    problem(answer, *expected)
    assert inbox() == []


def test_json_that_is_no_event(client, merchant, inbox):
    problem(post_stripe(client, merchant, {"hello": "world"}), 422, "invalid_input")
    assert inbox() == []


def test_an_oversized_body_announced_or_not(client, merchant, inbox):
    big = stripe_event(padding="x" * 70_000)
    problem(post_stripe(client, merchant, big), 413, "body_too_large")
    raw = encode(big)

    def chunks():
        for start in range(0, len(raw), 8192):
            yield raw[start : start + 8192]

    address = f"/v1/webhooks/stripe/{merchant.stripe}"
    headers = sign_stripe(raw, merchant.stripe_secret)
    problem(client.post(address, content=chunks(), headers=headers), 413, "body_too_large")
    assert inbox() == []


def test_livemode_of_the_other_kind(client, merchant, inbox):
    answer = post_stripe(client, merchant, stripe_event(livemode=True))
    problem(answer, 409, "livemode_mismatch")
    assert inbox() == []


def test_an_event_of_another_account(client, merchant, inbox):
    """Stripe names the account of an event where there is one; ours is known by its id."""
    answer = post_stripe(client, merchant, stripe_event(account="acct_somebody_else"))
    problem(answer, 409, "account_mismatch")
    assert inbox() == []
    assert post_stripe(client, merchant, stripe_event(account="acct_acme")).status_code == 200


def test_an_id_that_no_text_column_can_hold(client, merchant, inbox):
    for event_id in ("evt_\x00", "evt_\ud800"):
        problem(post_stripe(client, merchant, stripe_event(event_id)), 422, "invalid_input")
    assert inbox() == []


def test_a_rotated_secret_works_at_once_and_the_old_one_while_it_is_kept(
    client, merchant, worker, settings
):
    envelope = Envelope.from_setting(settings.credentials_key)
    assert post_stripe(client, merchant, stripe_event("evt_1")).status_code == 200

    def hold(*secrets):
        with unit_of_work(worker) as connection:
            replace_credentials(
                connection,
                merchant.stripe,
                Credentials("key", None, secrets),
                id_time(merchant.stripe),
                envelope=envelope,
            )

    hold("whsec_new", merchant.stripe_secret)
    assert post_stripe(client, merchant, stripe_event("evt_2"), secret="whsec_new").is_success
    assert post_stripe(client, merchant, stripe_event("evt_3")).is_success
    hold("whsec_newest")
    assert post_stripe(client, merchant, stripe_event("evt_4"), secret="whsec_newest").is_success
    problem(post_stripe(client, merchant, stripe_event("evt_5")), 401, "signature_invalid")


def test_a_disconnected_connection_is_unknown(settings, merchant, worker, inbox):
    with unit_of_work(worker) as connection:
        disconnect(connection, merchant.stripe, id_time(merchant.stripe))
    with serving(settings) as client:
        problem(post_stripe(client, merchant, stripe_event()), 404, "connection_unknown")


def test_events_are_received_at_business_time(client, merchant, worker, settings, inbox):
    clock = DatabaseClock(libpq_url(settings.database_worker_url))
    # within this month's partition, and not the wall's
    instant = (datetime.now(UTC) - timedelta(seconds=5)).replace(microsecond=0)
    clock.freeze_at(instant)
    clock.close()
    post_stripe(client, merchant, stripe_event())
    (row,) = inbox()
    assert row["received_at"] == instant
    assert id_time(row["id"]) == instant


def test_a_missing_partition_is_said_and_nothing_is_kept(
    client, merchant, settings, inbox, inbox_keys
):
    clock = DatabaseClock(libpq_url(settings.database_worker_url))
    clock.freeze_at(datetime(2020, 1, 1, tzinfo=UTC))
    clock.close()
    answer = post_stripe(client, merchant, stripe_event())
    problem(answer, 503, "partition_missing")
    assert answer.headers["retry-after"]
    assert (inbox(), inbox_keys()) == ([], [])


def test_a_lost_database_connection_is_made_again(client, merchant, database, inbox):
    assert post_stripe(client, merchant, stripe_event("evt_1")).is_success
    url = database.server.superuser_url(database.name)
    with psycopg.connect(url, autocommit=True) as connection:
        ended = connection.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            " where application_name = 'tinko-webhooks' and datname = current_database()"
        ).fetchone()
    assert ended[0] >= 1
    assert post_stripe(client, merchant, stripe_event("evt_2")).json() == {"status": "stored"}
    assert len(inbox()) == 2


def test_a_crashed_database_is_503_loses_nothing_answered_and_comes_back(tmp_path, credentials_key):
    with EmbeddedPostgres(tmp_path / "pg", free_port()) as server:
        migrate.upgrade_postgres(server.url("tinko_owner"))
        partitions.ensure(make_engine(server.url("tinko_owner"), pooled=False), datetime.now(UTC))
        worker = make_engine(server.url("tinko_worker"), pooled=False)
        settings = settings_of(server.url, credentials_key)
        merchant = make_merchant(worker, settings.credentials_key)
        with serving(settings) as client:
            assert post_stripe(client, merchant, stripe_event("evt_1")).is_success
            server.kill()
            problem(post_stripe(client, merchant, stripe_event("evt_2")), 503, "unavailable")
            assert client.get("/healthz").status_code == 200
            down = client.get("/readyz")
            assert (down.status_code, down.json()["parts"]["postgres"]["state"]) == (503, "down")
            server.start()
            again = post_stripe(client, merchant, stripe_event("evt_2"))
            assert again.json() == {"status": "stored"}
        with worker.connect() as connection:
            stored = connection.scalars(text("select event_id from inbox_events order by id"))
            assert stored.all() == ["evt_1", "evt_2"]


def test_what_was_taken_is_counted(client, merchant):
    post_stripe(client, merchant, stripe_event())
    post_stripe(client, merchant, stripe_event())
    post_stripe(client, merchant, stripe_event(), secret="whsec_other")
    shown = client.get("/metrics").text
    for line in (
        'tinko_webhooks_received_total{psp="stripe"} 3.0',
        'tinko_webhooks_stored_total{psp="stripe"} 1.0',
        'tinko_webhooks_duplicates_total{matched="event_id",psp="stripe"} 1.0',
        'tinko_webhooks_refused_total{code="signature_invalid",psp="stripe"} 1.0',
        'tinko_webhooks_seconds_count{psp="stripe"} 3.0',
    ):
        assert line in shown.splitlines()


def test_the_app_role_sees_no_event_without_its_tenant(client, merchant, settings):
    post_stripe(client, merchant, stripe_event())
    with psycopg.connect(libpq_url(settings.database_url)) as connection:
        assert connection.execute("select count(*) from inbox_events").fetchone() == (0,)
        connection.execute("select set_config('app.org_id', %s, true)", (str(merchant.org_id),))
        assert connection.execute("select count(*) from inbox_events").fetchone() == (1,)


def test_nothing_of_the_secrets_is_in_the_database_in_the_clear(merchant, worker):
    with unit_of_work(worker) as connection:
        rows = connection.execute(text("select * from connections")).mappings().all()
    kept = b"".join(bytes(row["credentials"]) + bytes(row["wrapped_key"]) for row in rows)
    assert b"whsec" not in kept
    assert b"key_acme" not in kept
