"""A whole seeded world, read event by event: the readers' debts are the sandbox's own debts.

Every webhook is verified, parsed and observed, and a debt's first event is resolved. What comes
out is grouped by shared refs alone, and held against the sandbox's ledger of truth.
"""

import json
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.contract.sandbox_server import Receiver, Sandbox
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.merge import merge_all, refresh
from tinko_pipelines.core.psp.razorpay import kinds as razorpay_kinds
from tinko_pipelines.core.psp.stripe import kinds as stripe_kinds
from tinko_pipelines.core.psp.types import Credentials, DoorStatus, Psp
from tinko_pipelines.core.settings import Settings

START = datetime(2026, 3, 1, tzinfo=UTC)
KINDS = {Psp.STRIPE: stripe_kinds, Psp.RAZORPAY: razorpay_kinds}
RETRIED_BY_THE_PSP = {"auto_invoice", "upi_order", "subscription_cycle"}


class World:
    """A finished world: the webhooks it sent and the debts it knows, by PSP."""

    def __init__(self, folder):
        self.sandbox = Sandbox(folder)
        self.accounts, self.hooks = {}, {}
        ask = self.sandbox.ask
        for psp in Psp:
            name = f"acct_{psp}"
            self.accounts[psp] = ask("POST", "accounts", psp=psp, account_id=name)
            self.hooks[psp] = Receiver()
            ask("PUT", "endpoints", psp=psp, account_id=name, url=self.hooks[psp].url)
        ask("PUT", "world", seed=11, start=START.isoformat(), obligations=100, days=8, never=0.0)
        for day in range(1, 24):
            ask("POST", "advance", to=(START + timedelta(days=day)).isoformat())
        ask("POST", "finish")
        self.debts = [debt for debt in ask("GET", "debts")["debts"] if debt["attempts"]]

    def adapter(self, psp):
        keys, base = self.accounts[psp], f"{self.sandbox.url}/{psp}"
        held = (
            Credentials(keys["secret_key"], base_url=base)
            if psp is Psp.STRIPE
            else Credentials(keys["key_id"], keys["key_secret"], base_url=base)
        )
        return registry.adapter(uuid.uuid4(), psp, held, Settings())

    def close(self):
        for hook in self.hooks.values():
            hook.close()
        self.sandbox.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


def groups_of(observations):
    """Observations that share a ref, put together: one merged observation for each debt."""
    parent = {}

    def find(one):
        while parent.setdefault(one, one) != one:
            one = parent[one]
        return one

    for seen in observations:
        for ref in seen.refs:
            parent[find(ref.object_id)] = find(seen.refs[0].object_id)
    groups = {}
    for seen in observations:
        groups.setdefault(find(seen.refs[0].object_id), []).append(seen)
    return [merge_all(group) for group in groups.values()]


@pytest.fixture(scope="module", params=list(Psp))
def seen(request, world):
    """(psp, adapter, debts as the readers see them)"""
    psp = request.param
    adapter, reader = world.adapter(psp), registry.reader(psp)
    known, observations = set(), []
    for headers, raw in world.hooks[psp].got:
        reader.verify_webhook(raw, headers, (world.accounts[psp]["webhook_secret"],))
        body = json.loads(raw)
        event = reader.parse_event(body, headers)
        assert event.event_type in {*KINDS[psp].OBSERVED, *KINDS[psp].IGNORED}
        one = reader.observe_event(body)
        if not one.refs:
            continue
        assert {payment.object_id for payment in one.payments} <= set(event.object_ids)
        if known.isdisjoint(ref.object_id for ref in one.refs):
            one = adapter.resolve(one)
        known.update(ref.object_id for ref in one.refs)
        observations.append(one)
    return psp, adapter, groups_of(observations)


def test_debts_are_neither_split_nor_joined(seen, world):
    psp, _, groups = seen
    prefix = {Psp.STRIPE: ("ch_", "py_"), Psp.RAZORPAY: ("pay_",)}[psp]
    truth = [
        {one["id"] for one in debt["attempts"]}
        for debt in world.debts
        if debt["attempts"][0]["id"].startswith(prefix)
    ]
    ours = [{one.object_id for one in group.payments} for group in groups if group.payments]
    assert sorted(map(sorted, ours)) == sorted(map(sorted, truth))
    assert len(ours) > 20


def attempts_with_debts(seen, world):
    _, _, groups = seen
    ours = {one.object_id: (one, group) for group in groups for one in group.payments}
    found = [
        (*ours[one["id"]], one, debt)
        for debt in world.debts
        for one in debt["attempts"]
        if one["id"] in ours
    ]
    assert found
    return found


def test_each_attempt_ends_as_it_did(seen, world):
    wrong = [
        (payment.object_id, payment.status.value, truth["state"])
        for payment, _, truth, _ in attempts_with_debts(seen, world)
        if payment.status.value != truth["state"]
    ]
    assert wrong == []


def test_who_was_there_is_told_rightly(seen, world):
    wrong = [
        (debt["kind"], truth["actor"])
        for payment, _, truth, debt in attempts_with_debts(seen, world)
        if payment.payer_present != (truth["actor"] == "payer")
    ]
    assert wrong == []


def retried_by_the_psp(debt, group):
    """A "upi_order" debt of a card or e-mandate is nobody's to retry."""
    debited = any(one.method == "upi" and one.instrument_key for one in group.payments)
    return debt["kind"] in RETRIED_BY_THE_PSP and (debt["kind"] != "upi_order" or debited)


def test_what_is_due_and_who_retries_are_told_rightly(seen, world):
    wrong = Counter(
        (debt["kind"], group.due - debt["amount"], group.psp_retries)
        for _, group, _, debt in attempts_with_debts(seen, world)
        if group.due != debt["amount"] or group.psp_retries is not retried_by_the_psp(debt, group)
    )
    assert not wrong


def test_a_fresh_read_agrees_with_all_the_events(seen):
    _, adapter, groups = seen
    for group in groups[:15]:
        now = adapter.read(group.refs)
        assert {one.object_id: one.status for one in now.payments} == {
            one.object_id: one.status for one in group.payments
        }
        assert (now.due, now.currency) == (group.due, group.currency)
        # nothing a read says is news to what the events said
        assert set(refresh(group, now).refs) == set(group.refs)


def test_every_unpaid_debt_has_a_page_of_its_own(seen, world):
    """Whatever kind of debt: its own page, nothing new, and for a cycle its subscription's."""
    psp, adapter, groups = seen
    kinds = Counter()
    for group in groups:
        now = adapter.read(group.refs)
        owed = (now.paid or 0) < (now.due or 0)
        if not owed or not any(door.status is DoorStatus.OPEN for door in now.doors):
            continue
        way = adapter.hand_over(now, "https://shop.example.com/back")
        assert way.door is None
        to = world.sandbox.post if way.post else world.sandbox.get
        assert 'id="pay"' in to(way.url, **way.fields).text
        kinds[now.refs[0].kind.value] += 1
    wanted = {Psp.STRIPE: {"invoice", "payment_intent"}, Psp.RAZORPAY: {"order", "invoice"}}[psp]
    assert wanted <= set(kinds)


def test_a_listing_heals_whatever_never_came(seen):
    psp, adapter, groups = seen
    listed = list(adapter.list_changes(START - timedelta(days=1), START + timedelta(days=30)))
    reader = registry.reader(psp)
    payments = {
        one.object_id: one.status for body in listed for one in reader.observe_object(body).payments
    }
    ours = {one.object_id: one.status for group in groups for one in group.payments}
    assert payments == ours
