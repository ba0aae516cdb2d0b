"""GET /v1/attempts/{id}/explanation: what an attempt was decided and allowed on, made again."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import insert

from tests.api.deliveries import make_merchant
from tinko_pipelines.core.canonical import to_plain
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.tables.ledger import attempts, obligations
from tinko_pipelines.core.db.tables.recovery import decisions, policy_versions
from tinko_pipelines.core.failures.taxonomy import RetryAdvice
from tinko_pipelines.core.guards.evaluate import evaluate
from tinko_pipelines.core.guards.evidence import evidence_of
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.states import AttemptState
from tinko_pipelines.core.psp.types import Actor
from tinko_pipelines.core.recovery.case import AttemptView, CaseView, facts, last_unattended
from tinko_pipelines.core.recovery.decide import decide
from tinko_pipelines.core.recovery.policy import DEFAULT_POLICY

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
VIEW = CaseView(
    key="ch_1", psp="stripe", obligation_state="open", amount=1999, currency="USD",
    retry_owner="tinko", psp_retries=False, has_mandate=True, method="card", network="visa",
    country="US", instrument_key="fp_1", opened_at=NOW, asked_at=None, messages=0,
    attempts=(AttemptView(Actor.MERCHANT, AttemptState.FAILED, NOW - timedelta(hours=1),
                          advice=RetryAdvice.TIMED),),
)  # fmt: skip


def sent_attempt(worker, merchant, **changed):
    """An attempt of ours with the decision and the evidence that led to it."""
    ids = {name: new_id(NOW) for name in ("attempt", "decision", "policy", "debt", "case")}
    answer = decide(VIEW, DEFAULT_POLICY, NOW)
    known = facts(VIEW, last_unattended(VIEW))
    written = evidence_of(known, answer.at, evaluate(known, answer.at))
    # as it was stored before limits were kept once
    evidence = json.loads(written.document) | {"rows": json.loads(written.limits)}
    del evidence["limits"]
    said = {k: v for k, v in dataclasses.asdict(answer).items() if k not in ("action", "at")}
    owned = {"org_id": merchant.org_id, "obligation_id": ids["debt"]}
    rows = [
        (obligations, {"id": ids["debt"], "org_id": merchant.org_id, "state": "open",
                       "connection_id": merchant.stripe, "psp": "stripe", "due_minor": 1999,
                       "currency": "USD", "created_at": NOW, "updated_at": NOW}),
        (policy_versions, {"id": ids["policy"], "org_id": merchant.org_id, "name": "default",
                           "version": 7, "created_at": NOW,
                           "definition": DEFAULT_POLICY.model_dump(mode="json")}),
        (decisions, owned | {"id": ids["decision"], "case_id": ids["case"], "action": "retry",
                             "policy_version_id": ids["policy"], "act_at": answer.at,
                             "reasons": said, "decided_at": NOW,
                             "inputs": {"view": to_plain(VIEW), "now": NOW.isoformat(),
                                        "rules": []}}),
        (attempts, owned | {"id": ids["attempt"], "connection_id": merchant.stripe,
                            "psp": "stripe", "actor": "tinko", "state": "submitted",
                            "amount_minor": 1999, "currency": "USD",
                            "decision_id": ids["decision"], "evidence": evidence,
                            "submitted_at": answer.at, "created_at": NOW, "updated_at": NOW}
                  | changed),
    ]  # fmt: skip
    with unit_of_work(worker) as connection:
        for table, values in rows:
            connection.execute(insert(table).values(**values))
    return ids["attempt"]


@pytest.fixture
def ask(client, merchant):
    def get(attempt, key=merchant.api_key):
        return client.get(f"/v1/attempts/{attempt}/explanation", headers={"X-API-KEY": key})

    return get


def test_the_explanation_names_what_allowed_it_and_makes_it_again(ask, worker, merchant):
    answer = ask(sent_attempt(worker, merchant))
    assert answer.status_code == 200
    said = answer.json()
    assert said["same"] is True
    assert said["policy_version"] == 7
    assert said["decision"]["stored"] == said["decision"]["again"]
    assert said["decision"]["again"]["action"] == "retry"
    assert said["known"]["amount"] == 1999
    assert said["decision_limits"] == "submission"  # this decision kept none of its own
    assert said["verdict"]["again"]["allowed"] is True
    row = next(one for one in said["evidence"]["rows"] if one["id"] == "visa.reattempts.2025")
    assert row["source"]
    assert row["checked"]


def test_what_does_not_come_out_the_same_says_so(ask, worker, merchant):
    said = ask(sent_attempt(worker, merchant, evidence={"rows": []})).json()
    assert (said["same"], said["verdict"]["same"], said["decision"]["same"]) == (
        False, False, True,
    )  # fmt: skip


def test_it_is_the_organisations_own(ask, worker, merchant, settings):
    attempt = sent_attempt(worker, merchant)
    other = make_merchant(worker, settings.credentials_key, "zenith")
    for answer in (ask(attempt, other.api_key), ask(uuid4())):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert ask(attempt, "tk_guess").status_code == 401
    assert ask("no-id").status_code == 422
