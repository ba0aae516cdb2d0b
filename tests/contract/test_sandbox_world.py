"""The world through the control API: time, webhooks, payers, faults, restarts, the truth."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import stripe

from tests.contract.sandbox_server import SECRET, Receiver, Sandbox
from tests.integration.local.servers import wait_until
from tinko_pipelines.local import process
from tinko_pipelines.local.ports import free_port

START = 1_780_272_000  # 2026-06-01T00:00:00Z
DAY = 86400
ALL_ARRIVE = {"late": 0, "twice": 0, "never": 0}


@pytest.fixture
def receiver():
    running = Receiver()
    yield running
    running.close()


@pytest.fixture
def sandbox(tmp_path):
    running = Sandbox(tmp_path, psps=("stripe",))
    yield running
    running.close()


def begin(sandbox, url, **world):
    """One account with its endpoint, and a small world."""
    account = sandbox.ask("POST", "accounts", psp="stripe", account_id="acct_shop")
    sandbox.ask("PUT", "endpoints", psp="stripe", account_id="acct_shop", url=url)
    body = {"seed": 5, "start": "2026-06-01T00:00:00Z", "obligations": 40, "days": 4, **world}
    assert sandbox.ask("PUT", "world", **body)["created"] is True
    assert sandbox.ask("PUT", "world", **body)["created"] is False
    return account


def client_of(sandbox, account):
    return stripe.StripeClient(
        account["secret_key"],
        base_addresses={"api": f"{sandbox.url}/stripe"},
        max_network_retries=0,
    )


def advance(sandbox, to):
    answer = sandbox.ask("POST", "advance", to=to)
    assert answer["errors"] == 0
    return answer


def run_days(sandbox, days):
    delivered = 0
    for hour in range(1, days * 24 + 1):
        delivered += advance(sandbox, START + hour * 3600)["delivered"]
    return delivered + sandbox.ask("POST", "finish")["delivered"]


def test_webhooks_are_signed_as_stripe_signs_them(sandbox, receiver):
    account = begin(sandbox, receiver.url)
    advance(sandbox, START + DAY)
    assert receiver.got
    for headers, body in receiver.got:
        event = stripe.Webhook.construct_event(
            body, headers["stripe-signature"], account["webhook_secret"]
        )
        assert START <= event.created <= START + DAY
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(
            body + b" ", headers["stripe-signature"], account["webhook_secret"]
        )


def test_advance_returns_after_the_barrier_with_true_counts(sandbox, receiver):
    begin(sandbox, receiver.url)
    delivered = run_days(sandbox, 4)
    truth = sandbox.ask("GET", "truth")
    ids = [event["id"] for event in receiver.events()]
    assert delivered == len(ids)
    assert truth["events_acknowledged"] == len(set(ids))
    assert truth["duplicates_sent"] == len(ids) - len(set(ids))
    assert truth["events_emitted"] == truth["events_acknowledged"] + truth["events_dropped"]
    assert truth["obligations"] == 40
    assert truth["attempts"] == sum(truth["attempts_by_actor"].values())


def test_webhooks_come_late_twice_out_of_order_and_some_never(sandbox, receiver):
    begin(sandbox, receiver.url, late=0.2, twice=0.2, never=0.2)
    run_days(sandbox, 4)
    truth = sandbox.ask("GET", "truth")
    assert truth["events_dropped"] > 10
    assert truth["duplicates_sent"] > 10
    created = [event["created"] for event in receiver.events()]
    assert any(b < a - 3600 for a, b in pairwise(created))
    delivered = {event["id"] for event in receiver.events()}
    account = sandbox.ask("POST", "accounts", psp="stripe", account_id="acct_shop")
    listed = client_of(sandbox, account).v1.events.list({"limit": 100}).auto_paging_iter()
    missing = {event.id for event in listed} - delivered
    assert len(missing) == truth["events_dropped"]


def test_a_receiver_that_is_down_gets_everything_later(sandbox, receiver):
    begin(sandbox, f"http://127.0.0.1:{free_port()}/nobody", **ALL_ARRIVE)
    assert advance(sandbox, START + DAY)["delivered"] == 0
    sandbox.ask("PUT", "endpoints", psp="stripe", account_id="acct_shop", url=receiver.url)
    receiver.status = 503
    assert advance(sandbox, START + DAY + DAY // 2)["delivered"] == 0
    assert receiver.got
    receiver.status = 200
    advance(sandbox, START + 3 * DAY)
    sandbox.ask("POST", "finish")
    truth = sandbox.ask("GET", "truth")
    assert truth["events_acknowledged"] == truth["events_emitted"] > 0


def test_the_same_seed_gives_the_same_world(tmp_path, receiver):
    def whole(name, seed):
        other = Receiver()
        sandbox = Sandbox(tmp_path / name, psps=("stripe",))
        try:
            begin(sandbox, other.url, seed=seed)
            run_days(sandbox, 4)
            return sandbox.ask("GET", "truth"), sorted(event["id"] for event in other.events())
        finally:
            sandbox.close()
            other.close()

    first, again, different = whole("a", 5), whole("b", 5), whole("c", 6)
    assert first == again
    assert not set(first[1]) & set(different[1])


def test_a_double_charge_is_counted(sandbox, receiver):
    begin(sandbox, receiver.url, **ALL_ARRIVE)
    run_days(sandbox, 4)
    assert sandbox.ask("GET", "truth")["double_charges"] == 0
    account = sandbox.ask("POST", "accounts", psp="stripe", account_id="acct_shop")
    client = client_of(sandbox, account)
    paid = next(
        intent
        for intent in client.v1.payment_intents.list({"limit": 100}).auto_paging_iter()
        if intent.status == "succeeded"
    )
    made = client.v1.payment_intents.create(
        {"amount": paid.amount, "currency": paid.currency, "customer": paid.customer,
         "payment_method": "pm_card_visa", "confirm": True, "off_session": True}
    )  # fmt: skip
    truth = sandbox.ask("GET", "truth")
    assert truth["double_charges"] == 1
    assert truth["guard_violations"]["charged_when_paid"] == 1
    client.v1.refunds.create({"payment_intent": made.id})
    assert sandbox.ask("GET", "truth")["double_charges"] == 0


def test_a_retry_by_us_is_tinkos_and_recovers(sandbox, receiver):
    begin(sandbox, receiver.url, **ALL_ARRIVE)
    run_days(sandbox, 4)
    before = sandbox.ask("GET", "truth")
    debt = next(
        debt
        for debt in sandbox.ask("GET", "debts")["debts"]
        if debt["kind"] == "intent" and [a["state"] for a in debt["attempts"]] == ["failed"]
    )
    account = sandbox.ask("POST", "accounts", psp="stripe", account_id="acct_shop")
    client = client_of(sandbox, account)
    intent = client.v1.charges.retrieve(debt["attempts"][0]["id"]).payment_intent
    client.v1.payment_intents.confirm(
        intent, {"payment_method": "pm_card_visa", "off_session": True}
    )
    truth = sandbox.ask("GET", "truth")
    assert truth["recovered_by"]["retry"] == before["recovered_by"]["retry"] + 1
    assert truth["attempts_by_actor"]["tinko"] == 1
    gained = truth["paid_minor"][debt["currency"]] - before["paid_minor"][debt["currency"]]
    assert gained == debt["amount"]


def test_stripe_retries_its_own_invoices_and_counts_them(sandbox, receiver):
    begin(sandbox, receiver.url, obligations=150, **ALL_ARRIVE)
    run_days(sandbox, 15)
    truth = sandbox.ask("GET", "truth")
    assert truth["attempts_by_actor"]["psp"] > 5
    assert truth["recovered_by"]["psp"] > 0
    account = sandbox.ask("POST", "accounts", psp="stripe", account_id="acct_shop")
    client = client_of(sandbox, account)
    auto = [
        bill
        for bill in client.v1.invoices.list({"limit": 100}).auto_paging_iter()
        if bill.auto_advance and bill.status == "open"
    ]
    assert auto
    for bill in auto:
        join = client.v1.invoice_payments.list({"invoice": bill.id}).data[0]
        charges = client.v1.charges.list({"payment_intent": join.payment.payment_intent}).data
        assert all(charge.status == "failed" for charge in charges)
        # the count also rises when nothing is charged after a hard decline
        off_session = [c for c in charges if not c.payment_method_details.card.checks.cvc_check]
        assert bill.attempt_count >= len(off_session)


def test_payouts_add_up_line_by_line(sandbox, receiver):
    begin(sandbox, receiver.url, **ALL_ARRIVE)
    run_days(sandbox, 8)
    account = sandbox.ask("POST", "accounts", psp="stripe", account_id="acct_shop")
    client = client_of(sandbox, account)
    payouts = client.v1.payouts.list({"limit": 100}).data
    assert any(payout.reconciliation_status == "completed" for payout in payouts)
    for payout in payouts:
        lines = client.v1.balance_transactions.list({"payout": payout.id, "limit": 100}).data
        own = [line for line in lines if line.type == "payout"]
        assert [line.net for line in own] == [-payout.amount]
        rest = [line for line in lines if line.type != "payout"]
        assert sum(line.net for line in rest) == payout.amount
        assert all(line.net == line.amount - line.fee for line in lines)
        assert {line.currency for line in lines} == {payout.currency}


def test_dropped_webhooks_can_be_scripted(sandbox, receiver):
    begin(sandbox, receiver.url, **ALL_ARRIVE)
    sandbox.ask("PUT", "faults", drop_webhooks={"rate": 1.0})
    advance(sandbox, START + DAY)
    assert receiver.got == []
    truth = sandbox.ask("GET", "truth")
    assert truth["events_dropped"] == truth["events_emitted"] > 0


@pytest.mark.parametrize(
    ("method", "name", "body", "status"),
    [
        ("PUT", "world", {"seed": 1, "colour": "blue"}, 422),
        ("PUT", "world", {"seed": 9, "obligations": 3}, 409),
        ("PUT", "faults", {"earthquake": 1}, 422),
        ("POST", "advance", {"to": "soon"}, 422),
        ("POST", "advance", {}, 422),
        ("PUT", "endpoints", {"psp": "stripe", "account_id": "acct_no", "url": "http://x"}, 422),
        ("POST", "accounts", {"psp": "paypal", "account_id": "x"}, 422),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(sandbox, method, name, body, status):
    begin(sandbox, None)
    answer = sandbox.control(method, name, **body)
    assert answer.status_code == status
    assert answer.json()["detail"]


class Shop:
    """A mail page and the site its links lead to, which hands over to the PSP's page."""

    def __init__(self):
        self.messages, self.target, self.visits = [], {}, []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _answer(self, status, body=b"", **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                url = urlsplit(self.path)
                if url.path == "/api/messages":
                    after = int(parse_qs(url.query)["after"][0])
                    fresh = [m for m in shop.messages if m["id"] > after][:10]
                    self._answer(200, json.dumps(fresh).encode())
                else:
                    self._answer(200, b'<form id="pay" method="post"></form>')

            def do_POST(self):
                self.rfile.read(int(self.headers.get("content-length") or 0))
                token = self.path.rpartition("/")[2]
                shop.visits.append(token)
                way, url = shop.target[token]
                if way == "redirect":
                    self._answer(303, location=url)
                else:
                    form = f'<form id="handover" method="post" action="{url}"></form>'
                    self._answer(200, form.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def test_payers_act_on_their_mail_and_pay_on_the_hosted_page(tmp_path, receiver):
    shop = Shop()
    sandbox = Sandbox(tmp_path, psps=("stripe",), mail_url=shop.url)
    try:
        account = begin(sandbox, receiver.url, obligations=120, **ALL_ARRIVE)
        advance(sandbox, START + 4 * DAY)
        before = sandbox.ask("GET", "truth")
        client = client_of(sandbox, account)
        bills = [
            bill
            for bill in client.v1.invoices.list({"limit": 100}).auto_paging_iter()
            if bill.status == "open" and not bill.auto_advance
        ]
        assert len(bills) > 8
        for number, bill in enumerate(bills):
            # the site leads on by a redirect
            shop.target[f"t{number}"] = ("redirect", bill.hosted_invoice_url)
            shop.messages.append(
                {"id": number + 1, "to": bill.customer_email, "subject": "Your payment failed",
                 "text": f"Please pay here: {shop.url}/pay/t{number}", "html": ""}
            )  # fmt: skip
        read = sum(
            advance(sandbox, START + hour * 3600)["mail_read"] for hour in range(97, 16 * 24, 6)
        )
        after = sandbox.ask("GET", "truth")
        assert read == len(bills)
        # some act and some do not; most of those who act pay, and no one pays unasked
        assert 0 < len(set(shop.visits)) < len(bills)
        paid = [b for b in bills if client.v1.invoices.retrieve(b.id).status == "paid"]
        assert 0 < len(paid) <= len(set(shop.visits))
        assert after["recovered_by"]["payer"] >= before["recovered_by"]["payer"] + len(paid)
    finally:
        sandbox.close()
        shop.close()


def test_a_running_world_follows_its_clock_and_can_be_paused(sandbox, receiver):
    begin(sandbox, receiver.url, **ALL_ARRIVE)
    sandbox.ask("POST", "run", rate=20_000)
    wait_until(lambda: len(receiver.got) >= 20, what="traffic")
    sandbox.ask("POST", "pause")
    now = [sandbox.ask("GET", "world")["now"]]

    def stands():  # once the step that was going on is over
        time.sleep(0.6)
        now.append(sandbox.ask("GET", "world")["now"])
        return now[-1] == now[-2]

    wait_until(stands, what="a clock that stands")
    assert stands()
    sandbox.ask("POST", "resume")
    wait_until(lambda: sandbox.ask("GET", "world")["now"] > now[-1], what="a clock that goes")


class Process:
    """The sandbox as `make up` starts it: a process of its own."""

    def __init__(self, data, port):
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            process.shim(
                [
                    *(sys.executable, "-m", "tinko_pipelines.sandbox"),
                    *(f"--port={port}", f"--data={data}", "--psp=stripe"),
                ]
            ),
            env={**os.environ, "SANDBOX_SECRET": SECRET, "SANDBOX_URL": self.url},
        )
        self._http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        wait_until(self._answers, what="the sandbox")

    def _answers(self):
        assert self.process.poll() is None, "the sandbox ended"
        with contextlib.suppress(httpx.HTTPError):
            return self._http.get("/_sandbox/health").is_success

    def ask(self, method, name, **body):
        answer = self._http.request(method, f"/_sandbox/{name}", json=body or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def kill(self):
        self._http.close()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def test_a_kill_loses_nothing_that_was_answered(tmp_path, receiver):
    port = free_port()
    first = Process(tmp_path, port)
    try:
        account = begin(first, receiver.url, **ALL_ARRIVE)
        advance(first, START + 2 * DAY)
        client = client_of(first, account)
        customer = client.v1.customers.create({"email": "x@example.com"})
        asked = {"amount": 500, "currency": "usd", "customer": customer.id, "confirm": True,
                 "payment_method": "pm_card_visa", "off_session": True}  # fmt: skip
        paid = client.v1.payment_intents.create(asked, {"idempotency_key": "before-the-kill"})
        truth, world = first.ask("GET", "truth"), first.ask("GET", "world")
    finally:
        first.kill()
    second = Process(tmp_path, port)
    try:
        assert second.ask("GET", "truth") == truth
        assert second.ask("GET", "world") == world
        again = client.v1.payment_intents.create(asked, {"idempotency_key": "before-the-kill"})
        assert again.id == paid.id
        advance(second, START + 4 * DAY)
        second.ask("POST", "finish")
        killed = second.ask("GET", "truth")
    finally:
        second.kill()
    assert killed["obligations"] == 41
    assert killed["events_acknowledged"] == killed["events_emitted"]
    assert len({event["id"] for event in receiver.events()}) == killed["events_emitted"]


def test_before_there_is_a_world_time_can_be_set_back_to_its_start(sandbox, receiver):
    advance(sandbox, START)
    assert sandbox.ask("GET", "world")["now"] == "2026-06-01T00:00:00+00:00"
    begin(sandbox, receiver.url)
    advance(sandbox, START + DAY)
    advance(sandbox, START)  # and never again after
    assert sandbox.ask("GET", "world")["now"] == "2026-06-02T00:00:00+00:00"


def test_it_owns_the_row_of_the_business_clock(tmp_path, database):
    from tinko_pipelines.core.clock import DatabaseClock

    dsn = database.url("tinko_worker").replace("+psycopg", "")
    clock = DatabaseClock(dsn, max_age=0)
    sandbox = Sandbox(tmp_path, psps=("stripe",), clock_dsn=dsn)
    try:
        begin(sandbox, None)
        advance(sandbox, START + 3600)
        assert (clock.now().timestamp(), clock.rate()) == (START + 3600, 0)
        sandbox.ask("POST", "run", rate=500)
        assert clock.rate() == 500
        sandbox.ask("POST", "run", rate=500)  # a second start changes nothing
        assert START + 3600 < clock.now().timestamp() < START + 30 * DAY
    finally:
        sandbox.close()
        clock.close()
