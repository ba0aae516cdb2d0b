"""/v1/reconciliation: days, findings page by page, what is said of them, repairs, the report."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.tables.reconciliation import settlements
from tinko_pipelines.core.db.tables.recovery import cases
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.reconciliation.frames import FINDINGS
from tinko_pipelines.core.reconciliation.sources import Whose
from tinko_pipelines.core.reconciliation.store import save_day
from tinko_pipelines.core.reconciliation.totals import Totals

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = NOW.date() - timedelta(days=1)
BASE = "/v1/reconciliation"
NOBODYS = "01990000-0000-7000-8000-000000000000"
PSP_SAYS = json.dumps({"amount_minor": 1000, "currency": "INR"})
KINDS = ["missing_here", "amount", "unsettled", "fee_or_tax", "payout_total"]


def find(worker, merchant, kinds=KINDS, day=DAY):
    """Findings and the money of a day, kept as a reconciliation keeps them."""
    rows = [
        {"kind": kind, "leg": "ledger", "connection_id": str(merchant.stripe),
         "subject_id": f"=ch_{number}", "payment_id": f"ch_{number}", "currency": "INR",
         "amount_minor": 100 + number, "psp": PSP_SAYS,
         "line": json.dumps({"on_hold": True}) if kind == "unsettled" else None, "ledger": None}
        for number, kind in enumerate(kinds)
    ]  # fmt: skip
    money = Totals("INR", 5000, 6000, 4000, 1000, 2000, 4000, 100, 18, 5, 6, len(rows))
    whose = Whose(merchant.org_id, merchant.stripe, Psp.STRIPE)
    with unit_of_work(worker) as connection:
        save_day(connection, whose, day, pl.DataFrame(rows, schema=FINDINGS), [money], NOW)


@pytest.fixture
def ask(client, merchant):
    def send(method, path, body=None, key=merchant.api_key, **params):
        headers = {"X-API-KEY": key} if key else {}
        return client.request(method, f"{BASE}{path}", json=body, headers=headers, params=params)

    return send


def refusal(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def first(ask, **filters):
    return ask("GET", "/findings", **filters).json()["items"][0]


@pytest.mark.parametrize(
    "path", ["/days", "/settlements", "/findings", f"/findings/{NOBODYS}", "/report"]
)
def test_every_route_needs_a_key(ask, path):
    assert refusal(ask("GET", path, key=None)) == (401, "unauthenticated")


def test_days_tell_money_that_adds_up(ask, worker, merchant):
    find(worker, merchant)
    (line,) = ask("GET", "/days").json()["items"]
    assert line["ledger_minor"] == line["matched_minor"] + line["findings_minor"]
    assert (line["day"], line["currency"], line["fee_minor"]) == (str(DAY), "INR", 100)
    assert ask("GET", "/days", currency="USD").json()["items"] == []
    assert ask("GET", "/days", to=str(DAY - timedelta(days=1))).json()["items"] == []
    assert refusal(ask("GET", "/days", currency="rupees"))[0] == 422


def recover(worker, merchant, state, case_state="recovered"):
    """A recovery whose money is where `state` says."""
    ids = {"case": new_id(NOW), "debt": new_id(NOW)}
    with unit_of_work(worker) as connection:
        case = cases.insert().values(
            id=ids["case"], org_id=merchant.org_id, obligation_id=ids["debt"],
            connection_id=merchant.stripe, policy_version_id=new_id(NOW), state=case_state,
            opened_at=NOW, updated_at=NOW,
        )  # fmt: skip
        line = settlements.insert().values(
            case_id=ids["case"], org_id=merchant.org_id, connection_id=merchant.stripe,
            obligation_id=ids["debt"], state=state, reason="because", amount_minor=1000,
            currency="USD", due_on=NOW.date() - timedelta(days=3), updated_at=NOW,
        )  # fmt: skip
        for statement in (case, line):
            connection.execute(statement)
    return str(ids["case"])


def test_where_the_money_of_recoveries_is_can_be_asked(ask, worker, merchant, add_merchant):
    states = ("settled", "overdue", "not_due")
    made = [recover(worker, merchant, state) for state in states]
    recover(worker, merchant, "settled", case_state="reversed")
    page = ask("GET", "/settlements", limit=2).json()
    assert [one["case_id"] for one in page["items"]] == made[:0:-1]
    rest = ask("GET", "/settlements", limit=2, cursor=page["next_cursor"]).json()
    assert [one["case_id"] for one in rest["items"]] == made[:1]
    assert rest["next_cursor"] is None
    (late,) = ask("GET", "/settlements", state="overdue").json()["items"]
    since = (datetime.now(UTC).date() - NOW.date()).days  # midnight may have passed
    assert (late["reason"], late["amount_minor"], late["late_days"]) == ("because", 1000, 3 + since)
    assert ask("GET", "/settlements", currency="INR").json()["items"] == []
    assert refusal(ask("GET", "/settlements", state="lost"))[0] == 422
    stranger = add_merchant("stranger").api_key
    assert ask("GET", "/settlements", key=stranger).json()["items"] == []


def test_findings_are_filtered_and_paged(ask, worker, merchant):
    find(worker, merchant)
    seen, cursor = [], None
    while True:
        page = ask("GET", "/findings", limit=2, **({"cursor": cursor} if cursor else {})).json()
        seen += [one["kind"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(KINDS)
    assert refusal(ask("GET", "/findings", cursor="?")) == (422, "invalid_input")
    assert refusal(ask("GET", "/findings", kind="typo"))[0] == 422
    (held,) = ask("GET", "/findings", severity="info").json()["items"]
    assert held["kind"] == "unsettled"
    (amount,) = ask("GET", "/findings", kind="amount", state="open", owner="data-ops").json()[
        "items"
    ]
    assert (amount["repair"], amount["label"], amount["age_days"]) == ("heal", "Amount", 0)
    assert ask("GET", "/findings", state="fixed").json()["items"] == []


def test_a_finding_is_explained_accepted_and_opened_again(ask, worker, merchant):
    find(worker, merchant, ["amount"])
    one = f"/findings/{first(ask)['id']}"
    told = ask("GET", one).json()
    assert told["evidence"] == {"psp": {"amount_minor": 1000, "currency": "INR"}}
    assert told["may_become"] == ["accepted", "explained"]
    said = ask("POST", f"{one}/state", {"state": "explained", "note": " rounding "}).json()
    assert (said["state"], said["note"]) == ("explained", "rounding")
    assert ask("POST", f"{one}/state", {"state": "accepted", "note": "so be it"}).status_code == 200
    assert refusal(ask("POST", f"{one}/state", {"state": "explained", "note": "no"})) == (
        409, "invalid_transition",
    )  # fmt: skip
    ask("POST", f"{one}/state", {"state": "open", "note": "after all"})
    ask("POST", f"{one}/owner", {"owner": "asha"})
    told = ask("GET", one).json()
    assert (told["state"], told["owner"]) == ("open", "asha")
    story = [(event["action"], event["to_state"], event["note"]) for event in told["history"]]
    assert story == [
        ("state", "open", None), ("state", "explained", "rounding"),
        ("state", "accepted", "so be it"), ("state", "open", "after all"), ("assigned", None, None),
    ]  # fmt: skip
    assert told["history"][1]["by"].startswith("key:")
    assert told["history"][-1]["detail"] == {"owner": "asha"}


@pytest.mark.parametrize(
    "body",
    [{}, {"state": "explained"}, {"state": "explained", "note": "  "},
     {"state": "fixed", "note": "x"}, {"state": "accepted", "note": "x", "more": 1}],
)  # fmt: skip
def test_what_is_said_must_say_why(ask, worker, merchant, body):
    find(worker, merchant, ["amount"])
    assert refusal(ask("POST", f"/findings/{first(ask)['id']}/state", body))[0] == 422


def test_a_repair_is_asked_for_once_and_only_where_one_is_proposed(ask, worker, merchant):
    find(worker, merchant, ["amount", "payout_total"])
    one = f"/findings/{first(ask, kind='amount')['id']}"
    for _ in range(2):
        asked = ask("POST", f"{one}/repair")
        assert (asked.status_code, asked.json()["repair"]) == (202, "heal")
    told = ask("GET", one).json()
    assert told["repair_state"] == "requested"
    assert [event["action"] for event in told["history"]] == ["state", "repair_requested"]
    other = f"/findings/{first(ask, kind='payout_total')['id']}"
    assert refusal(ask("POST", f"{other}/repair")) == (409, "conflict")
    # what is found no more is not repaired
    find(worker, merchant, ["payout_total"])
    find(worker, merchant, [])
    assert refusal(ask("POST", f"{one}/repair"))[0] == 409


def test_another_organisations_findings_are_not_there(ask, worker, merchant, add_merchant):
    find(worker, merchant, ["amount"])
    id_ = first(ask)["id"]
    stranger = add_merchant("stranger").api_key
    assert ask("GET", "/findings", key=stranger).json()["items"] == []
    for method, path, body in (
        ("GET", "", None), ("POST", "/repair", None),
        ("POST", "/state", {"state": "explained", "note": "x"}), ("POST", "/owner", {"owner": "x"}),
    ):  # fmt: skip
        assert refusal(ask(method, f"/findings/{id_}{path}", body, key=stranger)) == (
            404, "not_found",
        )  # fmt: skip


def test_the_report_is_a_page_and_a_sheet(ask, worker, merchant):
    find(worker, merchant)
    page = ask("GET", "/report", **{"from": str(DAY), "to": str(DAY)})
    assert page.headers["content-disposition"].endswith(f'reconciliation-{DAY}.html"')
    assert "<svg" in page.text
    assert "₹50.00" in page.text
    sheet = ask("GET", "/report", format="csv", **{"from": str(DAY)}).text.splitlines()
    assert len(sheet) == len(KINDS) + 1
    # no cell is a formula
    assert "'=ch_0" in "".join(sheet)
    assert refusal(ask("GET", "/report", **{"from": "2026-02-02", "to": "2026-02-01"}))[0] == 422
