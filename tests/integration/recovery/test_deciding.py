"""Deciding on real Postgres: what is written down, what a case is pinned to, what is undone."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tinko_pipelines.core.canonical import to_json
from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.failures.classifier import ErrorInfo
from tinko_pipelines.core.failures.store import classify_failures
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.apply import Account, apply_observation, lock_refs
from tinko_pipelines.core.psp.types import (
    CustomerSeen,
    Observation,
    PaymentSeen,
    PaymentStatus,
    Ref,
    RefKind,
)
from tinko_pipelines.core.recovery import attempts
from tinko_pipelines.core.recovery.cases import open_cases
from tinko_pipelines.core.recovery.deadline import GRACE
from tinko_pipelines.core.recovery.deciding import decide_due
from tinko_pipelines.core.recovery.policies import add_policy_version, policy_version
from tinko_pipelines.core.recovery.policy import DEFAULT_POLICY, Policy
from tinko_pipelines.core.recovery.replay import (
    read_inputs,
    replay_decision,
    rules_of,
    stored_answer,
)
from tinko_pipelines.core.recovery.stopping import stop_case
from tinko_pipelines.core.rules.model import RuleBody
from tinko_pipelines.core.rules.store import RuleDraft, RuleStore
from tinko_pipelines.core.tenants.organisations import create_organisation

NOW = datetime(2026, 9, 16, 12, tzinfo=UTC)
SOFT = ErrorInfo(psp="stripe", decline_code="insufficient_funds")


class Desk:
    """One organisation's debts at one account, and the clock over them."""

    def __init__(self, database):
        self.database, self.clock = database, FixedClock(NOW)
        with unit_of_work(database.worker) as connection:
            self.org_id = create_organisation(connection, "acme", "Acme", NOW).org_id
            connection_id = new_id(NOW)
            connection.execute(
                text(
                    "insert into connections (id, org_id, psp, account_id, livemode, label,"
                    " credentials, wrapped_key, created_at, updated_at) values"
                    " (:id, :org, 'stripe', 'acct_1', false, '', '', '', :now, :now)"
                ),
                {"id": connection_id, "org": self.org_id, "now": NOW},
            )
        self.account = Account(self.org_id, connection_id, "stripe", "acct_1")

    def say(self, *observations):
        with unit_of_work(self.database.worker) as connection:
            lock_refs(connection, self.account, observations)
            for one in observations:
                apply_observation(connection, self.account, one, self.clock.now())

    def fail(self, name, method="pm_1", email="someone@example.com", **more):
        """A debt whose first try failed softly."""
        self.say(told(name, charge(f"ch_{name}", self.clock.now(), method), method, email, **more))
        self.work()

    def work(self):
        classify_failures(self.database.worker, self.clock)
        open_cases(self.database.worker, self.clock)

    def decide(self, **span):
        self.clock.instant += timedelta(**span)
        return decide_due(self.database.worker, self.clock)

    def adopt(self, **definition):
        with unit_of_work(self.database.worker) as connection:
            policy = Policy.model_validate(definition)
            return add_policy_version(connection, self.org_id, policy, self.clock.now())

    def rule(self, *actions, when=None):
        body = {"when": when or {"amount": {"ge": 1, "currency": "USD"}}, "then": list(actions)}
        with unit_of_work(self.database.worker) as connection:
            draft = RuleDraft("mine", RuleBody.model_validate(body))
            store = RuleStore(connection, self.org_id)
            return store.save(draft, "someone", self.clock.now())

    def rows(self, statement, **values):
        with unit_of_work(self.database.worker) as connection:
            return [tuple(one) for one in connection.execute(text(statement), values)]

    def write(self, statement, **values):
        with unit_of_work(self.database.worker) as connection:
            connection.execute(text(statement), values)

    def ours(self):
        return self.rows(
            "select state, payment_method_ref from attempts where actor = 'tinko' order by id"
        )


def charge(name, at, method="pm_1", status=PaymentStatus.FAILED, **more):
    error = SOFT if status is PaymentStatus.FAILED else None
    key = f"fp_{method}"
    return PaymentSeen(
        name, status, 1000, "USD", at, at, "card", "visa", "US", key, method, error=error, **more
    )


def told(name, payment, method, email="someone@example.com", **more):
    refs = (Ref(RefKind.INVOICE, f"in_{name}"), Ref(RefKind.PAYMENT, payment.object_id))
    return Observation(
        refs=refs, due=1000, currency="USD", payments=(payment,), psp_retries=False,
        has_mandate=True, mandate_ref=method, customer=CustomerSeen(email=email, **more),
    )  # fmt: skip


@pytest.fixture
def desk(database):
    return Desk(database)


def test_a_pass_writes_each_decision_with_all_it_was_made_on(desk):
    desk.rule({"do": "tag", "words": ["soft"]})
    for name in ("a", "b", "c"):
        desk.fail(name)
    report = desk.decide()
    assert (dict(report.actions), report.scheduled, report.messages) == ({"retry": 3}, 3, 0)
    assert desk.ours() == [("scheduled", "pm_1")] * 3
    end = NOW + timedelta(days=DEFAULT_POLICY.max_days) + GRACE
    assert desk.rows("select distinct state, decide_at, tags from cases") == [
        ("retrying", end, ["soft"])
    ]
    decisions = desk.rows(
        "select d.policy_version_id, d.action, d.act_at, d.reasons, d.inputs,"
        " cast(g.rows as jsonb), a.scheduled_at"
        " from decisions as d inner join attempts as a on a.decision_id = d.id"
        " inner join guard_limits as g on g.digest = d.inputs ->> 'limits'"
    )
    assert len(decisions) == 3
    for version_id, action, at, reasons, inputs, limits, scheduled_at in decisions:
        assert inputs["policy_version_id"] == str(version_id)
        with unit_of_work(desk.database.worker) as connection:
            policy = policy_version(connection, desk.org_id, version_id).policy
            known = read_inputs(inputs, policy.model_dump(mode="json"), limits)
            rules = rules_of(connection, desk.org_id, known.rules)
        again = replay_decision(known, rules)
        assert to_json(again) == stored_answer(action, at, reasons)
        assert again.tags == ("soft",)
        assert at == scheduled_at


def test_one_case_that_cannot_be_decided_holds_up_no_other(desk, caplog):
    desk.fail("a")
    bad = uuid.uuid4()
    desk.write(
        "insert into policy_versions (id, org_id, name, version, definition, created_at)"
        " values (:id, :org, 'default', 9, '{\"max_days\": \"soon\"}', :now)",
        id=bad, org=desk.org_id, now=NOW,
    )  # fmt: skip
    desk.fail("b")
    report = desk.decide()
    assert dict(report.actions) == {"retry": 1, "broke_off": 1}
    assert "could not be decided" in caplog.text
    # it is neither lost nor asked about again at once
    assert desk.rows(
        "select state, decide_at from cases where policy_version_id = :bad", bad=bad
    ) == [("open", NOW + timedelta(days=1))]
    assert not desk.decide().actions


def test_a_running_case_stays_on_the_policy_it_was_opened_with(desk):
    desk.fail("a")
    desk.clock.instant += timedelta(minutes=1)
    desk.adopt(strategy={"kind": "ladder", "gaps": ["5d"]})
    desk.fail("b")
    desk.decide()
    found = desk.rows(
        "select p.version, a.scheduled_at - c.opened_at from cases as c"
        " inner join policy_versions as p on c.policy_version_id = p.id"
        " inner join attempts as a on a.case_id = c.id and a.actor = 'tinko' order by 1"
    )
    assert found[0][0] == 1
    assert found[0][1] <= timedelta(hours=36)
    assert found[1] == (2, timedelta(days=5))


def test_a_case_uses_the_rules_of_when_it_was_opened(desk):
    desk.fail("a")
    desk.clock.instant += timedelta(minutes=1)
    made = desk.rule(
        {"do": "stop"}, {"do": "tag", "words": ["given up"]},
        when={"category": {"eq": "insufficient_funds"}},
    )  # fmt: skip
    desk.fail("b")
    assert dict(desk.decide().actions) == {"retry": 1, "stop": 1}
    found = desk.rows(
        "select c.state, c.close_reason, c.tags, d.reasons ->> 'rule' from cases as c"
        " inner join decisions as d on d.case_id = c.id order by c.state"
    )
    assert found == [
        ("exhausted", "rule.stop", ["given up"], f"{made.rule_id}:v1"),
        ("retrying", None, [], None),
    ]


def test_advice_of_the_psp_and_windows_in_the_organisations_time(desk):
    """A PSP that says when to come again is asked at noon of that day in Kolkata."""
    desk.adopt(
        strategy={
            "kind": "advice",
            "steps": [{"codes": ["try_again_later"], "gaps": ["1d"]}],
            "otherwise": {"kind": "ladder", "gaps": ["2d"]},
        },
        windows=[{"times": [{"from": "12:00", "to": "12:30"}]}],
    )
    for name, advice_code in (("a", "try_again_later"), ("b", None)):
        said = replace(SOFT, advice_code=advice_code)
        failed = replace(charge(f"ch_{name}", NOW), error=said)
        desk.say(told(name, failed, "pm_1"))
    desk.work()
    desk.decide()
    noon = NOW.replace(hour=6, minute=30)
    found = desk.rows("select scheduled_at from attempts where actor = 'tinko' order by 1")
    assert found == [(noon + timedelta(days=2),), (noon + timedelta(days=3),)]


def test_the_offer_of_another_psp_is_kept_for_the_payers_page(desk):
    desk.rule({"do": "ask_payer", "channels": ["email"]}, {"do": "offer_psp", "psp": "razorpay"})
    desk.fail("a")
    assert desk.decide().messages == 1
    assert desk.rows("select state, offered_psp from cases") == [("awaiting_payer", "razorpay")]


@pytest.mark.parametrize(
    ("channels", "phone", "recipient"),
    [
        (["sms", "email"], "+919812300001", "+919812300001"),
        (["sms", "email"], None, "someone@example.com"),
        (["email"], "+919812300001", "someone@example.com"),
    ],
)
def test_the_payer_is_asked_where_there_is_an_address(desk, channels, phone, recipient):
    desk.adopt(channels=channels, max_retries={"timed": 0})
    desk.fail("a", phone=phone)
    assert desk.decide().messages == 1
    assert desk.rows("select recipient from outbox") == [(recipient,)]


def test_a_retry_that_is_put_off_again_and_again_ends_with_the_policy(desk):
    desk.fail("a")
    desk.decide()
    end = NOW + timedelta(days=DEFAULT_POLICY.max_days)
    # nobody is there to let it through: each time it is due it waits another hour
    desk.write("update attempts set scheduled_at = :at where actor = 'tinko'",
               at=end + timedelta(minutes=30))  # fmt: skip
    assert not desk.decide(days=17).actions
    assert dict(desk.decide(days=1, hours=1).actions) == {"ask_payer": 1}
    assert desk.ours() == [("cancelled", "pm_1")]
    assert desk.rows("select state from cases") == [("awaiting_payer",)]
    ((reasons,),) = desk.rows("select reasons from decisions order by id desc limit 1")
    assert reasons["reasons"] == ["policy.max_days", "attempt.put_off_too_long"]


def test_a_retry_is_planned_anew_on_the_mandate_that_took_the_place(desk):
    desk.fail("a")
    desk.decide()
    assert desk.ours() == [("scheduled", "pm_1")]
    # the payer's new card was tried once by the merchant, so its instrument is known
    desk.clock.instant += timedelta(hours=1)
    desk.say(told("a", charge("ch_a2", desk.clock.now(), "pm_2"), "pm_2"))
    desk.work()
    assert dict(desk.decide().actions) == {"retry": 1}
    assert desk.ours() == [("cancelled", "pm_1"), ("scheduled", "pm_2")]
    ((key,),) = desk.rows("select instrument_key from attempts where state = 'scheduled'")
    assert key == "fp_pm_2"


def test_a_new_mandate_that_nobody_has_tried_is_the_payers(desk):
    """Its instrument is not known, and what cannot be counted is not charged (rule 11)."""
    desk.fail("a")
    desk.decide()
    desk.say(told("a", charge("ch_a", NOW), "pm_2"))
    assert dict(desk.decide(minutes=1).actions) == {"ask_payer": 1}
    assert desk.ours() == [("cancelled", "pm_1")]


def stop(desk):
    ((case_id,),) = desk.rows("select id from cases")
    with unit_of_work(desk.database.app, desk.org_id) as connection:
        return stop_case(connection, case_id, desk.clock.now())


def test_a_stopped_case_is_never_woken(desk):
    desk.fail("a")
    desk.decide()
    assert stop(desk).cancelled_attempts == 1
    desk.say(told("a", charge("ch_a2", desk.clock.now(), "pm_2"), "pm_2"))
    desk.work()
    assert not desk.decide(days=2).actions
    assert desk.ours() == [("cancelled", "pm_1")]


def test_an_attempt_claimed_at_the_stop_is_dropped_when_it_is_given_back(desk):
    desk.fail("a")
    desk.decide()
    token = uuid.uuid4()
    ((attempt,),) = desk.rows("select id from attempts where actor = 'tinko'")
    desk.write("update attempts set state = 'claimed', lease_token = :token where id = :id",
               token=token, id=attempt)  # fmt: skip
    assert stop(desk).open_attempts == 1
    with unit_of_work(desk.database.worker) as connection:
        later = NOW + timedelta(hours=1)
        attempts.give_back(connection, [attempts.Back(attempt, token, later)], NOW)
    assert desk.ours() == [("cancelled", "pm_1")]


def test_a_late_success_of_a_stopped_case_wins(desk):
    desk.fail("a")
    desk.decide()
    stop(desk)
    won = charge("ch_a3", desk.clock.now(), status=PaymentStatus.SUCCEEDED)
    desk.say(told("a", won, "pm_1"))
    assert desk.rows("select state, close_reason from cases") == [("recovered", "paid")]
