"""The Razorpay-shaped sandbox over HTTP, driven by the unchanged official SDK."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import razorpay
import requests
from razorpay.errors import BadRequestError, SignatureVerificationError

from tests.contract.sandbox_server import Receiver, Sandbox

START = 1_780_272_000  # 2026-06-01T00:00:00Z, a Monday
HOUR, DAY = 3600, 86400
WHO = {"email": "asha@example.com", "contact": "+919000000001"}
ALL_ARRIVE = {"late": 0, "twice": 0, "never": 0}


@pytest.fixture
def receiver():
    running = Receiver()
    yield running
    running.close()


@pytest.fixture
def sandbox(tmp_path):
    running = Sandbox(tmp_path / "data", psps=("razorpay",))
    yield running
    running.close()


class Shop:
    """One merchant account and its SDK client."""

    def __init__(self, sandbox, url=None, **world):
        self.sandbox = sandbox
        self.account = sandbox.ask("POST", "accounts", psp="razorpay", account_id="acc_shop")
        if url:
            sandbox.ask("PUT", "endpoints", psp="razorpay", account_id="acc_shop", url=url)
        body = {"seed": 5, "start": "2026-06-01T00:00:00Z", "obligations": 0, "days": 10}
        sandbox.ask("PUT", "world", **{**body, **ALL_ARRIVE, "disputes": 0, **world})
        self.keys = (self.account["key_id"], self.account["key_secret"])
        self.client = razorpay.Client(auth=self.keys, base_url=f"{sandbox.url}/razorpay")

    def advance(self, to):
        answer = self.sandbox.ask("POST", "advance", to=to)
        assert answer["errors"] == 0
        return answer

    def customer(self):
        return self.client.customer.create({"name": "Asha", "fail_existing": "0", **WHO})

    def token(self, word="success", method="upi"):
        holder = self.customer()
        made = self.client.token.create(
            {"customer_id": holder["id"], "method": method, "vpa": f"{word}@razorpay"}
        )
        return holder["id"], made["id"]

    def order(self, token=None, amount=50_000, **more):
        body = {"amount": amount, "currency": "INR", "payment_capture": True, **more}
        if token:
            body["notification"] = {"token_id": token, **more.pop("notification", {})}
        return self.client.order.create({**body, **more})

    def debit(self, holder, token, order, **more):
        answer = self.client.payment.createRecurring(
            {**WHO, "amount": order["amount"], "currency": "INR", "order_id": order["id"],
             "customer_id": holder, "token": token, "recurring": "1", **more}
        )  # fmt: skip
        return answer["razorpay_payment_id"]

    def truth(self):
        return self.sandbox.ask("GET", "truth")

    def payments(self):
        found = []
        while True:
            page = self.client.payment.all({"count": 100, "skip": len(found)})["items"]
            found += page
            if len(page) < 100:
                return found


def kinds(receiver):
    return [event["event"] for event in receiver.events()]


# --- recurring debits ----------------------------------------------------------------------------


def test_a_recurring_debit_waits_for_its_notice_and_is_captured(sandbox, receiver):
    shop = Shop(sandbox, receiver.url)
    holder, token = shop.token()
    order = shop.order(token, receipt="r-1", notes={"plan": "gold"})
    assert re.fullmatch(r"order_\w{14}", order["id"])
    assert (order["status"], order["attempts"], order["amount_due"]) == ("created", 0, 50_000)
    assert order["notification"]["token_id"] == token
    payment_id = shop.debit(holder, token, order, notes={"tinko_attempt": "a-1"})

    made = shop.client.payment.fetch(payment_id)
    assert (made["status"], made["captured"], made["fee"]) == ("created", False, None)
    assert (made["method"], made["token_id"], made["customer_id"]) == ("upi", token, holder)
    assert made["notes"] == {"tinko_attempt": "a-1"}
    shop.advance(START + 24 * HOUR)
    assert kinds(receiver) == ["order.notification.delivered"]
    notice = receiver.events()[0]["payload"]["notification"]["entity"]
    assert (notice["order_id"], notice["token_id"]) == (order["id"], token)
    assert notice["payment_after"] == notice["delivered_at"] + 25 * HOUR
    assert shop.client.payment.fetch(payment_id)["status"] == "created"

    shop.advance(START + 36 * HOUR)
    paid = shop.client.payment.fetch(payment_id)
    assert (paid["status"], paid["captured"]) == ("captured", True)
    assert (paid["fee"], paid["tax"]) == (1180, 180)  # 2 % of 500 rupees, and 18 % of that on top
    assert paid["acquirer_data"]["rrn"]
    after = shop.client.order.fetch(order["id"])
    assert (after["status"], after["amount_paid"], after["amount_due"]) == ("paid", 50_000, 0)
    assert sorted(kinds(receiver)[1:]) == ["order.paid", "payment.authorized", "payment.captured"]
    assert [p["id"] for p in shop.client.order.payments(order["id"])["items"]] == [payment_id]
    assert shop.truth()["attempts_by_actor"]["tinko"] == 1


def test_a_failed_debit_says_why_and_is_not_retried_where_a_notice_was_set(sandbox, receiver):
    shop = Shop(sandbox, receiver.url)
    holder, token = shop.token("insufficient_funds")
    order = shop.order(token)
    payment_id = shop.debit(holder, token, order)
    shop.advance(START + 6 * DAY)
    failed = shop.client.payment.fetch(payment_id)
    assert failed["status"] == "failed"
    assert failed["error_code"] == "BAD_REQUEST_ERROR"
    assert failed["error_reason"] == "insufficient_funds"
    assert (failed["error_source"], failed["error_step"]) == ("customer", "payment_authorization")
    assert shop.client.order.fetch(order["id"])["attempts"] == 1
    event = next(e for e in receiver.events() if e["event"] == "payment.failed")
    assert event["payload"]["payment"]["entity"]["id"] == payment_id
    assert (shop.truth()["failures"], shop.truth()["attempts"]) == (1, 1)


def test_upi_without_a_notice_is_retried_three_times_by_razorpay(sandbox):
    shop = Shop(sandbox)
    holder, token = shop.token("insufficient_funds")
    order = shop.order()
    shop.debit(holder, token, order)
    shop.advance(START + 6 * DAY)
    tries = shop.client.order.payments(order["id"])["items"]
    assert [p["status"] for p in tries] == ["failed"] * 4
    actors = shop.truth()["attempts_by_actor"]
    assert (actors["tinko"], actors["psp"]) == (1, 3)


def test_a_card_is_debited_36_hours_after_the_notice_and_a_bank_account_on_a_working_day(sandbox):
    shop = Shop(sandbox)
    card = shop.token(method="card")
    bank = shop.token(method="emandate")
    by_card = shop.debit(*card, shop.order(card[1]))
    by_bank = shop.debit(*bank, shop.order(bank[1]))
    shop.advance(START + 36 * HOUR)
    assert shop.client.payment.fetch(by_card)["status"] == "created"
    shop.advance(START + 38 * HOUR)
    assert shop.client.payment.fetch(by_card)["status"] == "captured"
    assert shop.client.payment.fetch(by_bank)["status"] == "created"
    shop.advance(START + 4 * DAY)
    assert shop.client.payment.fetch(by_bank)["status"] == "captured"


def test_the_same_call_twice_is_two_payments_and_razorpay_returns_the_second(sandbox, receiver):
    shop = Shop(sandbox, receiver.url)
    holder, token = shop.token()
    order = shop.order(token)
    first, second = (shop.debit(holder, token, order) for _ in range(2))
    assert first != second
    shop.advance(START + 3 * DAY)
    found = {shop.client.payment.fetch(one)["status"] for one in (first, second)}
    assert found == {"captured", "refunded"}
    assert {"refund.created", "refund.processed"} <= set(kinds(receiver))
    truth = shop.truth()
    assert truth["double_charges"] == 0
    assert truth["guard_violations"] == {"debit_while_unresolved": 1}


def test_a_second_payment_on_another_order_charges_twice(sandbox):
    shop = Shop(sandbox, obligations=80, days=3)
    shop.advance(START + 3 * DAY)
    # a debt of the world that its merchant has collected
    paid = next(
        p for p in shop.payments() if p["status"] == "captured" and p["token_id"]
        and shop.client.order.fetch(p["order_id"]).get("notification")
    )  # fmt: skip
    assert shop.truth()["double_charges"] == 0
    order = shop.order(paid["token_id"], amount=paid["amount"])
    again = None
    for _ in range(12):  # the bank may refuse once; the trap is that it need not
        again = shop.debit(paid["customer_id"], paid["token_id"], order)
        shop.advance(sandbox.app.state.engine.now + 4 * DAY)
        if shop.client.payment.fetch(again)["status"] == "captured":
            break
    assert shop.client.payment.fetch(again)["status"] == "captured"
    truth = shop.truth()
    assert truth["double_charges"] == 1
    assert truth["guard_violations"]["charged_when_paid"] >= 1


def test_a_debit_that_outruns_its_notice_is_counted(sandbox):
    shop = Shop(sandbox)
    holder, token = shop.token()
    order = shop.order(token, notification={"payment_after": START + 4 * HOUR})
    shop.debit(holder, token, order)
    shop.advance(START + 2 * DAY)
    assert shop.truth()["guard_violations"] == {"debit_without_notice": 1}


def test_what_timed_out_may_be_authorised_within_five_days(sandbox, receiver):
    shop = Shop(sandbox, receiver.url)
    made = []
    for _ in range(30):
        holder, token = shop.token("processing_error")
        made.append(shop.debit(holder, token, shop.order(token)))
    shop.advance(START + 9 * DAY)
    ends = {one: shop.client.payment.fetch(one) for one in made}
    late = {one for one, payment in ends.items() if payment["status"] == "captured"}
    assert 0 < len(late) < len(made)
    assert all(ends[one]["error_reason"] is None for one in late)
    seen = [
        (e["payload"]["payment"]["entity"]["id"], e["event"], e["created_at"],
         e["payload"]["payment"]["entity"]["error_reason"])
        for e in receiver.events() if e["event"] in ("payment.failed", "payment.captured")
    ]  # fmt: skip
    for one in late:
        failed = next(row for row in seen if row[:2] == (one, "payment.failed"))
        captured = next(row for row in seen if row[:2] == (one, "payment.captured"))
        assert failed[3] in ("payment_timed_out", "deemed_transaction")
        assert 0 < captured[2] - failed[2] <= 5 * DAY


def test_a_scripted_late_success_fails_first_and_is_captured_after(sandbox, receiver):
    shop = Shop(sandbox, receiver.url)
    sandbox.ask("PUT", "faults", late_success={"times": 1, "match": "tinko"})
    holder, token = shop.token()
    first, second = (shop.debit(holder, token, shop.order(token)) for _ in range(2))
    shop.advance(START + 9 * DAY)
    assert [shop.client.payment.fetch(one)["status"] for one in (first, second)] == ["captured"] * 2
    failed = [
        event["payload"]["payment"]["entity"]
        for event in receiver.events() if event["event"] == "payment.failed"
    ]  # fmt: skip
    assert [(one["error_code"], one["error_reason"]) for one in failed] == [
        ("GATEWAY_ERROR", "payment_timed_out")
    ]
    assert sandbox.ask("GET", "faults")["late_success"]["struck"] == 1


# --- errors --------------------------------------------------------------------------------------


def test_refusals_come_in_razorpays_envelope(sandbox):
    shop = Shop(sandbox)
    base = f"{sandbox.url}/razorpay/v1"
    wrong = httpx.get(f"{base}/payments", auth=(shop.keys[0], "wrong"))
    assert wrong.status_code == 401
    assert wrong.json()["error"]["code"] == "BAD_REQUEST_ERROR"
    assert httpx.get(f"{base}/payments").status_code == 401
    missing = httpx.get(f"{base}/payments/pay_nobodys", auth=shop.keys)
    assert missing.status_code == 400
    error = missing.json()["error"]
    assert set(error) == {"code", "description", "source", "step", "reason", "metadata"}
    assert error["description"] == "The id provided does not exist"
    bad = httpx.post(f"{base}/orders", auth=shop.keys, json={"currency": "INR"}).json()["error"]
    assert (bad["field"], bad["reason"]) == ("amount", "input_validation_failed")
    assert httpx.post(f"{base}/orders", auth=shop.keys, content=b"{").status_code == 400
    with pytest.raises(BadRequestError, match="does not exist"):
        shop.client.order.fetch("order_nobodys")


def test_a_paid_order_and_a_wrong_amount_are_refused(sandbox):
    shop = Shop(sandbox)
    holder, token = shop.token()
    order = shop.order(token)
    with pytest.raises(BadRequestError, match="different from your order amount"):
        shop.debit(holder, token, {**order, "amount": 50_100})
    shop.debit(holder, token, order)
    shop.advance(START + 3 * DAY)
    with pytest.raises(BadRequestError, match="already done"):
        shop.debit(holder, token, order)


def test_another_account_sees_nothing(sandbox):
    shop = Shop(sandbox)
    order = shop.order()
    other = sandbox.ask("POST", "accounts", psp="razorpay", account_id="acc_other")
    theirs = razorpay.Client(
        auth=(other["key_id"], other["key_secret"]), base_url=f"{sandbox.url}/razorpay"
    )
    with pytest.raises(BadRequestError):
        theirs.order.fetch(order["id"])
    assert theirs.order.all()["count"] == 0


def test_an_answer_lost_after_the_charge_leaves_the_payment(sandbox):
    shop = Shop(sandbox)
    holder, token = shop.token()
    order = shop.order(token, receipt="attempt-7")
    sandbox.ask("PUT", "faults", timeout_after_charge=1)
    with pytest.raises(requests.exceptions.ConnectionError):
        shop.debit(holder, token, order)
    found = shop.client.order.all({"receipt": "attempt-7"})["items"]
    assert [one["id"] for one in found] == [order["id"]]
    assert shop.client.order.payments(order["id"])["count"] == 1


# --- listing, webhooks ---------------------------------------------------------------------------


def test_lists_page_by_skip_and_count_newest_first(sandbox):
    shop = Shop(sandbox)
    made = []
    for hour in range(5):
        shop.advance(START + hour * HOUR)
        made.append(shop.order(receipt=f"r-{hour}")["id"])
    newest = made[::-1]
    listed = shop.client.order.all({"count": 2, "skip": 1})
    assert (listed["entity"], listed["count"]) == ("collection", 2)
    assert [one["id"] for one in listed["items"]] == newest[1:3]
    span = shop.client.order.all({"from": START + HOUR, "to": START + 3 * HOUR})
    assert [one["id"] for one in span["items"]] == newest[1:4]
    assert shop.client.order.all({"receipt": "r-2"})["items"][0]["id"] == made[2]
    with pytest.raises(BadRequestError):
        shop.client.order.all({"count": 101})


def test_cards_are_shown_where_they_are_expanded(sandbox):
    shop = Shop(sandbox)
    holder, token = shop.token(method="card")
    payment_id = shop.debit(holder, token, shop.order(token))
    assert "card" not in shop.client.payment.fetch(payment_id)
    shown = shop.client.payment.fetch(payment_id, {"expand[]": "card"})
    assert (shown["card"]["network"], shown["card"]["last4"]) == ("Visa", "1111")
    assert shop.client.payment.fetchCardDetails(payment_id)["id"] == shown["card_id"]


def test_webhooks_are_signed_as_the_sdk_verifies(sandbox, receiver):
    shop = Shop(sandbox, receiver.url)
    holder, token = shop.token()
    shop.debit(holder, token, shop.order(token))
    shop.advance(START + 2 * DAY)
    secret, verify = shop.account["webhook_secret"], shop.client.utility.verify_webhook_signature
    ids = set()
    for headers, raw in receiver.got:
        assert verify(raw.decode(), headers["x-razorpay-signature"], secret)
        with pytest.raises(SignatureVerificationError):
            verify(raw.decode() + " ", headers["x-razorpay-signature"], secret)
        body = json.loads(raw)
        assert (body["entity"], body["account_id"]) == ("event", "acc_shop")
        assert sorted(body["contains"]) == sorted(body["payload"])
        assert "_" not in {key[0] for part in body["payload"].values() for key in part["entity"]}
        ids.add(headers["x-razorpay-event-id"])
    assert len(ids) == len(receiver.got) == 4


# --- payers --------------------------------------------------------------------------------------


def test_payers_pay_orders_on_checkout_by_themselves(sandbox):
    shop = Shop(sandbox, obligations=60)
    shop.advance(START + 11 * DAY)
    present = [p for p in shop.payments() if p["token_id"] is None]
    assert {"captured", "failed"} <= {p["status"] for p in present}
    assert len(present) == shop.truth()["attempts_by_actor"]["payer"] > 0
    assert {p["method"] for p in present} <= {"card", "upi", "netbanking"}


def test_a_payer_pays_a_payment_link_and_its_debt(sandbox, receiver):
    shop = Shop(sandbox, receiver.url, obligations=40, seed=3)
    engine = sandbox.app.state.engine
    shop.advance(START + 9 * DAY)
    failed = next(
        row for debt in engine.ledger.debts() if not engine.ledger.is_paid(debt["id"])
        for row in engine.ledger.attempts(debt["id"])[-1:]
        if row["state"] == "failed" and engine.payers.would_succeed(
            engine.payers.instrument(row["instrument"]), debt["amount"], engine.now, True).ok
    )  # fmt: skip
    debt = engine.ledger.debt(failed["debt"])
    payer = engine.payers.get(debt["payer"])
    link = shop.client.payment_link.create(
        {"amount": debt["amount"], "currency": "INR", "reference_id": "tinko-1",
         "customer": {"email": payer.email, "contact": payer.phone},
         "callback_url": "http://127.0.0.1:1/back", "callback_method": "get"}
    )  # fmt: skip
    assert (link["status"], link["amount_paid"]) == ("created", 0)
    with pytest.raises(BadRequestError, match="already exists"):
        shop.client.payment_link.create({"amount": 100, "reference_id": "tinko-1"})
    engine.at(engine.now, "payer.hosted", payer=payer.id, url=link["short_url"])
    shop.advance(engine.now + HOUR)
    paid = shop.client.payment_link.fetch(link["id"])
    assert (paid["status"], paid["amount_paid"]) == ("paid", debt["amount"])
    payment = shop.client.payment.fetch(paid["payments"][0]["payment_id"])
    assert (payment["status"], payment["token_id"]) == ("captured", None)
    assert payment["description"] == f"#{link['id'].removeprefix('plink_')}"
    found = shop.client.payment_link.all({"payment_id": payment["id"]})["payment_links"]
    assert [one["id"] for one in found] == [link["id"]]
    assert engine.ledger.is_paid(debt["id"])
    shop.advance(engine.now + HOUR)
    assert "payment_link.paid" in kinds(receiver)
    assert shop.truth()["recovered_by"]["payer"] >= 1


def test_a_link_can_be_paid_in_a_browser_and_tells_the_shop(sandbox):
    shop = Shop(sandbox)
    link = shop.client.payment_link.create(
        {"amount": 30_000, "currency": "INR", "callback_url": "http://shop.test/back?a=1",
         "callback_method": "get"}
    )  # fmt: skip
    assert 'id="pay"' in sandbox.get(link["short_url"]).text
    answer = sandbox.post(link["short_url"], card="new")
    assert answer.status_code == 303
    told = {k: v[0] for k, v in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    assert told["razorpay_payment_link_status"] == "paid"
    assert shop.client.utility.verify_payment_link_signature(
        {"payment_link_id": link["id"], "payment_link_reference_id": "",
         "payment_link_status": "paid", "razorpay_payment_id": told["razorpay_payment_id"],
         "razorpay_signature": told["razorpay_signature"]}
    )  # fmt: skip
    assert 'id="pay"' not in sandbox.get(link["short_url"]).text


def test_links_close_by_being_cancelled_or_running_out(sandbox, receiver):
    shop = Shop(sandbox, receiver.url)
    first = shop.client.payment_link.create({"amount": 30_000, "currency": "INR"})
    second = shop.client.payment_link.create({"amount": 30_000, "expire_by": START + HOUR})
    assert shop.client.payment_link.cancel(first["id"])["status"] == "cancelled"
    with pytest.raises(BadRequestError, match="cannot be cancelled"):
        shop.client.payment_link.cancel(first["id"])
    assert 'id="pay"' not in sandbox.post(first["short_url"], card="new").text
    shop.advance(START + 2 * HOUR)
    assert shop.client.payment_link.fetch(second["id"])["status"] == "expired"
    assert sorted(kinds(receiver)) == ["payment_link.cancelled", "payment_link.expired"]
    assert shop.truth()["attempts"] == 0


def test_embedded_checkout_takes_the_form_and_posts_back(sandbox):
    shop = Shop(sandbox)
    order = shop.order()
    url = f"{sandbox.url}/razorpay/v1/checkout/embedded"
    form = {
        "key_id": shop.keys[0],
        "order_id": order["id"],
        "callback_url": "http://shop.test/done",
    }
    assert sandbox.post(url, **{**form, "key_id": "rzp_test_other"}).status_code == 400
    page = sandbox.post(url, **form).text
    action = re.search(r'action="([^"]+)"', page)[1]
    answer = sandbox.post(action, card="new", callback_url=form["callback_url"])
    assert answer.headers["x-sandbox-outcome"] == "succeeded"
    assert 'action="http://shop.test/done"' in answer.text
    fields = dict(re.findall(r'name="(razorpay_\w+)" value="([^"]+)"', answer.text))
    assert shop.client.utility.verify_payment_signature(fields)
    payment = shop.client.payment.fetch(fields["razorpay_payment_id"])
    assert (payment["status"], payment["token_id"]) == ("captured", None)


# --- subscriptions, tokens, money back -----------------------------------------------------------


def test_a_subscription_is_retried_three_days_then_halted_and_paid_on_its_page(sandbox, receiver):
    shop = Shop(sandbox, receiver.url, obligations=150, days=3)
    shop.advance(START + 14 * DAY)
    subs = shop.client.subscription.all({"count": 100})["items"]
    halted = next(one for one in subs if one["status"] == "halted")
    assert halted["auth_attempts"] == 4
    found = shop.client.invoice.all({"subscription_id": halted["id"]})["items"]
    assert [one["status"] for one in found] == ["issued"]
    invoice = found[0]
    assert invoice["billing_start"] == halted["current_start"]
    tries = shop.client.order.payments(invoice["order_id"])["items"]
    assert [one["status"] for one in tries] == ["failed"] * 4
    assert all(one["token_id"] and one["invoice_id"] == invoice["id"] for one in tries)
    days = sorted(round((one["created_at"] - tries[-1]["created_at"]) / DAY) for one in tries)
    assert days == [0, 1, 2, 3]
    about = [(e["event"], e["payload"].get("subscription", {})) for e in receiver.events()]
    of_it = [kind for kind, sub in about if sub.get("entity", {}).get("id") == halted["id"]]
    assert sorted(of_it) == ["subscription.halted", "subscription.pending"]
    debt = sandbox.app.state.engine.ledger.tied(invoice["order_id"], "debt")
    actors = [row["actor"] for row in sandbox.app.state.engine.ledger.attempts(debt)]
    assert actors == ["merchant", "psp", "psp", "psp"]

    for card in ("new", "saved") * 12:
        shop.advance(sandbox.app.state.engine.now + DAY)
        page = sandbox.post(halted["short_url"], card=card)
        if page.headers["x-sandbox-outcome"] == "succeeded":
            break
    after = shop.client.subscription.fetch(halted["id"])
    assert (after["status"], after["paid_count"]) == ("active", halted["paid_count"] + 1)
    assert shop.client.invoice.fetch(invoice["id"])["status"] == "paid"


def test_tokens_can_be_read_cancelled_and_deleted(sandbox, receiver):
    shop = Shop(sandbox, receiver.url)
    holder, token = shop.token()
    read = shop.client.token.fetch(holder, token)
    assert (read["method"], read["recurring_details"]["status"]) == ("upi", "confirmed")
    assert shop.client.token.all(holder)["count"] == 1
    order = shop.order(token)
    pending = shop.debit(holder, token, order)
    shop.client.token.cancel(holder, token)
    with pytest.raises(BadRequestError, match="not in the confirmed state"):
        shop.debit(holder, token, order)
    assert shop.client.token.delete(holder, token) == {"deleted": True}
    with pytest.raises(BadRequestError):
        shop.client.token.fetch(holder, token)
    shop.advance(START + 2 * DAY)
    assert shop.client.payment.fetch(pending)["status"] == "failed"
    assert "token.cancelled" in kinds(receiver)


def test_manual_capture_and_refunds(sandbox):
    shop = Shop(sandbox)
    order = shop.order(payment_capture=False)
    assert (
        "done"
        in sandbox.post(f"{sandbox.url}/hosted/razorpay/checkout/{order['id']}", card="new").text
    )
    payment = shop.client.order.payments(order["id"])["items"][0]
    assert payment["status"] == "authorized"
    assert shop.client.payment.capture(payment["id"], 50_000)["status"] == "captured"
    part = shop.client.payment.refund(payment["id"], {"amount": 20_000})
    assert (part["amount"], part["status"]) == (20_000, "processed")
    assert shop.client.payment.fetch(payment["id"])["refund_status"] == "partial"
    shop.client.refund.create({"payment_id": payment["id"]})
    after = shop.client.payment.fetch(payment["id"])
    assert (after["status"], after["amount_refunded"]) == ("refunded", 50_000)
    with pytest.raises(BadRequestError):
        shop.client.payment.refund(payment["id"], {"amount": 1})
    assert shop.client.payment.fetch_multiple_refund(payment["id"])["count"] == 2
    assert shop.truth()["paid_minor"] == {"INR": 0}


def test_captures_settle_two_working_days_later_less_the_fee(sandbox, receiver):
    shop = Shop(sandbox, receiver.url)
    for _ in range(2):
        order = shop.order()
        sandbox.post(f"{sandbox.url}/hosted/razorpay/checkout/{order['id']}", card="new")
    shop.advance(START + 2 * DAY)
    assert shop.client.settlement.all()["count"] == 0
    shop.advance(START + 3 * DAY)
    settled = shop.client.settlement.all()["items"]
    assert [(one["amount"], one["fees"], one["tax"]) for one in settled] == [(97_640, 2_360, 360)]
    lines = shop.client.settlement.report({"year": 2026, "month": 6, "day": 3, "count": 1000})
    assert {one["type"] for one in lines["items"]} == {"payment"}
    assert sum(one["credit"] - one["debit"] for one in lines["items"]) == settled[0]["amount"]
    assert {one["settlement_id"] for one in lines["items"]} == {settled[0]["id"]}
    page = {"year": 2026, "month": 6, "count": 1, "skip": 1}
    assert shop.client.settlement.report(page)["items"] == lines["items"][1:]
    assert shop.client.settlement.report({"year": 2026, "month": 6, "day": 4})["count"] == 0
    event = next(e for e in receiver.events() if e["event"] == "settlement.processed")
    assert event["payload"]["settlement"]["entity"]["utr"] == settled[0]["utr"]


def test_some_captures_are_disputed_and_a_lost_one_is_taken_back(sandbox, receiver):
    shop = Shop(sandbox, receiver.url, obligations=120, days=20, disputes=0.3)
    shop.advance(START + 28 * DAY)
    found = shop.client.dispute.all({"count": 100})["items"]
    assert {one["status"] for one in found} == {"open", "won", "lost"}
    lost = [one for one in found if one["status"] == "lost"]
    lines = shop.client.settlement.report({"year": 2026, "month": 6, "count": 1000})["items"]
    taken = {line["dispute_id"]: line for line in lines if line["type"] == "adjustment"}
    settled = [one for one in lost if one["id"] in taken]
    assert settled
    assert all(taken[one["id"]]["debit"] == one["amount_deducted"] > 0 for one in settled)
    assert {"payment.dispute.created", "payment.dispute.won", "payment.dispute.lost"} <= set(
        kinds(receiver)
    )


# --- the world -----------------------------------------------------------------------------------


def story(shop):
    """What the world came to, in PSP objects and in the truth."""
    said = [
        (p["id"], p["status"], p["error_reason"], p["amount_refunded"]) for p in shop.payments()
    ]
    truth = {k: v for k, v in shop.truth().items() if k != "events_acknowledged"}
    return said, truth


def test_the_same_seed_gives_the_same_world_elsewhere_and_after_a_restart(tmp_path):
    stories = []
    for name in ("one", "two"):
        running = Sandbox(tmp_path / name, psps=("razorpay",))
        shop = Shop(running, obligations=120)
        shop.advance(START + 5 * DAY)
        if name == "two":
            port = running.port
            running.close()
            running = Sandbox(tmp_path / name, port=port, psps=("razorpay",))
            shop.sandbox = running
        for hour in range(5 * 24, 12 * 24, 7):
            shop.advance(START + hour * HOUR)
        shop.advance(START + 15 * DAY)
        stories.append(story(shop))
        running.close()
    assert stories[0] == stories[1]
    said, truth = stories[0]
    assert len(said) == truth["attempts"] > 120
    assert truth["unknown"] > 0
    assert truth["double_charges"] == 0
    assert truth["guard_violations"] == {}


def test_test_tokens_survive_a_restart(tmp_path):
    running = Sandbox(tmp_path, psps=("razorpay",))
    shop = Shop(running)
    holder, token = shop.token()
    payment_id = shop.debit(holder, token, shop.order(token))
    port = running.port
    running.close()
    running = Sandbox(tmp_path, port=port, psps=("razorpay",))
    shop.sandbox = running
    shop.advance(START + 2 * DAY)
    assert shop.client.payment.fetch(payment_id)["status"] == "captured"
    running.close()


def test_the_baselines_are_asked_for_over_the_control_api(sandbox):
    shop = Shop(sandbox, obligations=80, days=20)
    shop.advance(START + 12 * DAY)
    before = story(shop)
    found = sandbox.ask("GET", "baselines")
    assert found["oracle"]["INR"] > found["ladder_8_8_8"]["INR"] > found["alone"]["INR"]
    assert found["counts"]["oracle"] > found["counts"]["ladder_8_8_8"]
    assert story(shop) == before
