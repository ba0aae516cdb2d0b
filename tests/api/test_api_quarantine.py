"""/v1/quarantine: what was set aside of one's own, page by page, and letting it back."""

import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from tests.api.deliveries import make_merchant
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.quality.model import Aside, Refusal, Source
from tinko_pipelines.core.quality.quarantine import Which, drop, set_aside

NOW = datetime(2026, 9, 16, 12, tzinfo=UTC)


@pytest.fixture
def call(client, merchant):
    def send(method, path, body=None, key=merchant.api_key):
        return client.request(method, path, json=body, headers={"X-API-KEY": key})

    return send


@pytest.fixture
def event(worker, merchant):
    """An event that was quarantined, and its entry."""

    def made(reason="event_currency"):
        key = new_id(NOW)
        with unit_of_work(worker) as connection:
            connection.execute(
                text(
                    "insert into inbox_events (id, org_id, connection_id, psp, source, event_id,"
                    " event_type, psp_created_at, received_at, body_sha256, body, object_ids,"
                    " processed_at, outcome, error) values (:id, :org, :org, 'stripe', 'webhook',"
                    " :name, 'x', :now, :now, '', '', '{}', :now, 'quarantined', 'because')"
                ),
                {"id": key, "org": merchant.org_id, "name": str(key), "now": NOW},
            )
            set_aside(
                connection,
                [Aside(merchant.org_id, Source.INBOX, "events", str(key),
                       Refusal((reason,), f"{reason}: because"), {"event_id": str(key)})],
                NOW,
            )  # fmt: skip
        return key

    return made


def waiting(worker):
    with unit_of_work(worker) as connection:
        return set(
            connection.scalars(text("select id from inbox_events where processed_at is null"))
        )


def test_entries_are_listed_page_by_page_and_let_back_one_by_one(call, worker, event):
    keys = [event() for _ in range(3)]
    first = call("GET", "/v1/quarantine?limit=2").json()
    assert [one["key"] for one in first["items"]] == [str(keys[2]), str(keys[1])]
    assert first["items"][0]["reasons"] == ["event_currency"]
    rest = call("GET", f"/v1/quarantine?limit=2&before={first['next']}").json()
    assert ([one["key"] for one in rest["items"]], rest["next"]) == ([str(keys[0])], None)
    entry = rest["items"][0]["id"]
    assert call("POST", f"/v1/quarantine/{entry}/replay").json() == {"replayed": 1}
    assert waiting(worker) == {keys[0]}
    assert len(call("GET", "/v1/quarantine").json()["items"]) == 2
    (back,) = call("GET", "/v1/quarantine?state=replayed").json()["items"]
    assert back["decided_by"].startswith("key:")
    # once more: it is not held any more
    assert call("POST", f"/v1/quarantine/{entry}/replay").status_code == 404


def test_all_that_a_check_holds_is_let_back_at_once(call, worker, event):
    mine = {event("event_time") for _ in range(2)}
    event("event_amount")
    answer = call("POST", "/v1/quarantine/replay", {"reason": "event_time"})
    assert answer.json() == {"replayed": 2}
    assert waiting(worker) == mine
    assert call("POST", "/v1/quarantine/replay", {}).status_code == 404
    assert call("POST", "/v1/quarantine/replay", {"all": True}).status_code == 422


def test_nobody_sees_or_lets_back_what_is_anothers(call, worker, settings, event):
    event()
    other = make_merchant(worker, settings.credentials_key, "zenith")
    (mine,) = call("GET", "/v1/quarantine").json()["items"]
    assert call("GET", "/v1/quarantine", key=other.api_key).json()["items"] == []
    path = f"/v1/quarantine/{mine['id']}/replay"
    assert call("POST", path, key=other.api_key).status_code == 404
    assert waiting(worker) == set()
    assert call("GET", "/v1/quarantine", key="tk_guess").status_code == 401


def test_what_was_refused_again_is_held_again_and_what_was_given_up_stays(call, worker, event):
    key = event()
    (entry,) = call("GET", "/v1/quarantine").json()["items"]
    call("POST", f"/v1/quarantine/{entry['id']}/replay")
    again = Aside(
        uuid.UUID(_org(worker)), Source.INBOX, "events", str(key), Refusal(("event_time",), "late")
    )
    with unit_of_work(worker) as connection:
        set_aside(connection, [again], NOW)
    (held,) = call("GET", "/v1/quarantine").json()["items"]
    assert (held["id"], held["times"], held["reasons"]) == (entry["id"], 2, ["event_time"])
    with unit_of_work(worker) as connection:
        assert drop(connection, Which((uuid.UUID(held["id"]),)), NOW, "cli:test") == 1
        set_aside(connection, [again], NOW)
    (dropped,) = call("GET", "/v1/quarantine?state=dropped").json()["items"]
    assert (dropped["times"], dropped["decided_by"]) == (3, "cli:test")
    with unit_of_work(worker) as connection:
        states = connection.scalars(
            text("select to_state from state_history where entity = 'quarantine' order by seq")
        ).all()
    assert states == ["quarantined", "replayed", "quarantined", "dropped"]


def test_what_psps_list_only_operators_load(call, worker, merchant):
    with unit_of_work(worker) as connection:
        set_aside(
            connection,
            [Aside(merchant.org_id, Source.LISTING, "payouts", "c po_1",
                   Refusal(("payout_time",), "1999"))],
            NOW,
        )  # fmt: skip
    (entry,) = call("GET", "/v1/quarantine?source=listing").json()["items"]
    answer = call("POST", f"/v1/quarantine/{entry['id']}/replay")
    assert answer.status_code == 409
    assert "tinko quarantine replay" in answer.json()["detail"]
    assert len(call("GET", "/v1/quarantine").json()["items"]) == 1


def _org(worker):
    with unit_of_work(worker) as connection:
        return str(connection.scalar(text("select org_id from quarantine")))
