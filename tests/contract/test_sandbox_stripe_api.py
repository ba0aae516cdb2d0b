"""The official Stripe SDK, unchanged, against the sandbox over HTTP."""

import threading
import time

import pytest
import stripe

from tests.contract.sandbox_server import Sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    running = Sandbox(tmp_path_factory.mktemp("stripe"), psps=("stripe",))
    yield running
    running.close()


@pytest.fixture
def account(sandbox, request):
    """An account of the test's own."""
    return sandbox.ask("POST", "accounts", psp="stripe", account_id=f"acct_{request.node.name}")


def client_of(sandbox, key):
    return stripe.StripeClient(
        key, base_addresses={"api": f"{sandbox.url}/stripe"}, max_network_retries=0
    )


@pytest.fixture
def client(sandbox, account):
    yield client_of(sandbox, account["secret_key"])
    sandbox.ask("PUT", "faults")


@pytest.fixture
def customer(client):
    return client.v1.customers.create(
        {
            "email": "someone@example.com",
            "payment_method": "pm_card_visa",
            "metadata": {"plan": "a"},
        }
    )


def pay(client, customer, card="pm_card_visa", amount=1500, **options):
    return client.v1.payment_intents.create(
        {
            "amount": amount,
            "currency": "usd",
            "customer": customer.id,
            "payment_method": card,
            "off_session": True,
            "confirm": True,
            "metadata": {"order": "7"},
        },
        options or None,
    )


def open_invoice(client, customer, amount=2500, card="pm_card_visa"):
    method = client.v1.payment_methods.attach(card, {"customer": customer.id})
    client.v1.customers.update(
        customer.id, {"invoice_settings": {"default_payment_method": method.id}}
    )
    client.v1.invoice_items.create(
        {"customer": customer.id, "amount": amount, "currency": "usd", "description": "A month"}
    )
    made = client.v1.invoices.create({"customer": customer.id, "auto_advance": False})
    return client.v1.invoices.finalize_invoice(made.id)


def test_a_charge_off_session_shows_everything_and_expands(client, customer):
    intent = pay(client, customer)
    assert (intent.status, intent.amount_received) == ("succeeded", 1500)
    full = client.v1.payment_intents.retrieve(
        intent.id,
        {"expand": ["latest_charge.balance_transaction", "payment_method", "customer"]},
    )
    charge = full.latest_charge
    assert charge.metadata["order"] == "7"  # copied from the intent
    assert charge.payment_method_details.card.checks.cvc_check is None  # nobody was there
    assert charge.balance_transaction.fee == 74  # 2.9 % + 30
    assert charge.balance_transaction.net == 1500 - 74
    assert full.payment_method.card.last4 == "4242"
    assert full.customer.email == "someone@example.com"
    assert "invoice" not in charge.to_dict()
    assert isinstance(client.v1.payment_intents.retrieve(intent.id).latest_charge, str)


def test_a_decline_is_a_402_with_codes_and_leaves_the_intent_open(client, customer):
    with pytest.raises(stripe.CardError) as caught:
        pay(client, customer, "pm_card_chargeDeclinedInsufficientFunds")
    error = caught.value.json_body["error"]
    assert caught.value.http_status == 402
    assert (error["type"], error["code"]) == ("card_error", "card_declined")
    assert error["decline_code"] == "insufficient_funds"
    assert error["network_decline_code"] == "51"
    assert error["advice_code"] == "try_again_later"
    intent = client.v1.payment_intents.retrieve(error["payment_intent"]["id"])
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error.payment_method.card.last4 == "9995"
    failed = client.v1.charges.retrieve(error["charge"])
    assert (failed.status, failed.paid, failed.failure_code) == ("failed", False, "card_declined")
    assert failed.outcome.network_status == "declined_by_network"
    again = client.v1.payment_intents.confirm(
        intent.id, {"payment_method": "pm_card_visa", "off_session": True}
    )
    assert again.status == "succeeded"
    charges = client.v1.charges.list({"payment_intent": intent.id}).data
    assert [c.status for c in charges] == ["succeeded", "failed"]


def test_off_session_a_card_that_wants_its_owner_is_declined(client, customer):
    with pytest.raises(stripe.CardError) as caught:
        pay(client, customer, "pm_card_authenticationRequired")
    assert caught.value.code == "authentication_required"
    intent = caught.value.json_body["error"]["payment_intent"]
    assert client.v1.charges.retrieve(intent["latest_charge"]).status == "failed"
    present = client.v1.payment_intents.confirm(
        intent["id"], {"payment_method": "pm_card_authenticationRequired"}
    )
    assert present.status == "requires_action"
    assert "/hosted/stripe/pi/" in present.next_action.redirect_to_url.url


def test_the_same_key_and_parameters_get_the_same_answer(client, customer):
    first = pay(client, customer, idempotency_key="k-same")
    again = pay(client, customer, idempotency_key="k-same")
    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.body == first.last_response.body
    assert len(client.v1.charges.list({"customer": customer.id}).data) == 1


def test_a_decline_is_replayed_too(client, customer):
    ids = set()
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            pay(client, customer, "pm_card_chargeDeclined", idempotency_key="k-declined")
        ids.add(caught.value.json_body["error"]["charge"])
    assert len(ids) == 1
    assert len(client.v1.charges.list({"customer": customer.id}).data) == 1


def test_the_same_key_with_other_parameters_is_an_error(client, customer):
    pay(client, customer, idempotency_key="k-other")
    with pytest.raises(stripe.IdempotencyError) as caught:
        pay(client, customer, amount=1501, idempotency_key="k-other")
    assert caught.value.http_status == 400
    assert len(client.v1.charges.list({"customer": customer.id}).data) == 1


def test_a_key_in_flight_is_a_409(sandbox, account, client, customer):
    sandbox.ask("PUT", "faults", delay_after_charge={"times": 1, "ms": 3000})
    answers = []
    first = threading.Thread(
        target=lambda: answers.append(pay(client, customer, idempotency_key="k-flight"))
    )
    first.start()
    other = client_of(sandbox, account["secret_key"])
    while sandbox.ask("GET", "faults")["delay_after_charge"]["left"]:
        time.sleep(0.01)  # until the first one has been charged and waits
    with pytest.raises(stripe.APIError) as caught:
        pay(other, customer, idempotency_key="k-flight")
    assert caught.value.http_status == 409
    first.join()
    assert pay(other, customer, idempotency_key="k-flight").id == answers[0].id
    assert len(client.v1.charges.list({"customer": customer.id}).data) == 1


def test_a_refused_request_does_not_use_up_its_key(client, customer):
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create({"currency": "usd"}, {"idempotency_key": "k-refused"})
    assert pay(client, customer, idempotency_key="k-refused").status == "succeeded"


def test_keys_can_be_forgotten_as_after_a_day(sandbox, client, customer):
    first = pay(client, customer, idempotency_key="k-old")
    sandbox.ask("PUT", "faults", forget_idempotency_keys=True)
    assert pay(client, customer, idempotency_key="k-old").id != first.id


def test_a_connection_dropped_after_charging_has_charged(sandbox, client, customer):
    sandbox.ask("PUT", "faults", timeout_after_charge=1)
    with pytest.raises(stripe.APIConnectionError):
        pay(client, customer, idempotency_key="k-dropped")
    charges = client.v1.charges.list({"customer": customer.id}).data
    assert [c.status for c in charges] == ["succeeded"]
    assert pay(client, customer, idempotency_key="k-dropped").latest_charge == charges[0].id


def test_a_connection_dropped_before_charging_has_not(sandbox, client, customer):
    sandbox.ask("PUT", "faults", timeout_before_charge=1)
    with pytest.raises(stripe.APIConnectionError):
        pay(client, customer)
    assert client.v1.charges.list({"customer": customer.id}).data == []


def test_a_500_after_charging_has_charged_and_is_replayed(sandbox, client, customer):
    sandbox.ask("PUT", "faults", error_500_after_charge=1)
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            pay(client, customer, idempotency_key="k-500")
        assert caught.value.http_status == 500
    assert len(client.v1.charges.list({"customer": customer.id}).data) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("error_429", stripe.RateLimitError),
        ("error_409", stripe.APIError),
        ("api_key_expired", stripe.AuthenticationError),
        ("outage", stripe.APIConnectionError),
    ],
)
def test_refusals_of_the_script_do_nothing(sandbox, client, customer, fault, error):
    sandbox.ask("PUT", "faults", **{fault: {"times": 1}})
    with pytest.raises(error):
        pay(client, customer)
    assert client.v1.charges.list({"customer": customer.id}).data == []


def test_a_wrong_key_is_a_401_and_an_unknown_object_a_404(sandbox, client, account):
    with pytest.raises(stripe.AuthenticationError):
        client_of(sandbox, "sk_test_wrong").v1.payment_intents.list()
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.retrieve("pi_nothing")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    assert client.v1.accounts.retrieve_current().id == account["account_id"]


def test_one_account_does_not_see_another(sandbox, client, customer):
    intent = pay(client, customer)
    other = sandbox.ask("POST", "accounts", psp="stripe", account_id="acct_other")
    stranger = client_of(sandbox, other["secret_key"])
    with pytest.raises(stripe.InvalidRequestError):
        stranger.v1.payment_intents.retrieve(intent.id)
    assert stranger.v1.charges.list().data == []


def test_an_invoice_is_paid_and_joined_to_its_intent(client, customer):
    bill = open_invoice(client, customer)
    assert (bill.status, bill.amount_due, bill.auto_advance) == ("open", 2500, False)
    paid = client.v1.invoices.pay(bill.id, {"off_session": True})
    assert (paid.status, paid.amount_remaining) == ("paid", 0)
    assert "payment_intent" not in paid.to_dict()
    join = client.v1.invoice_payments.list({"invoice": bill.id}).data
    intent = join[0].payment.payment_intent
    assert (join[0].status, join[0].amount_paid) == ("paid", 2500)
    other_way = client.v1.invoice_payments.list(
        {"payment": {"type": "payment_intent", "payment_intent": intent}}
    ).data
    assert [row.invoice for row in other_way] == [bill.id]
    assert client.v1.payment_intents.retrieve(intent).status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        client.v1.invoices.pay(bill.id)


def test_a_declined_invoice_stays_open_and_can_be_paid_again(client, customer):
    bill = open_invoice(client, customer, card="pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError) as caught:
        client.v1.invoices.pay(bill.id)
    assert caught.value.json_body["error"]["payment_intent"]["last_payment_error"]
    assert client.v1.invoices.retrieve(bill.id).status == "open"
    other = client.v1.payment_methods.attach("pm_card_mastercard", {"customer": customer.id})
    assert client.v1.invoices.pay(bill.id, {"payment_method": other.id}).status == "paid"


def test_a_void_invoice_cancels_its_intent(client, customer):
    bill = open_invoice(client, customer)
    intent = client.v1.invoice_payments.list({"invoice": bill.id}).data[0].payment.payment_intent
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.cancel(intent)
    assert client.v1.invoices.void_invoice(bill.id).status == "void"
    assert client.v1.payment_intents.retrieve(intent).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.invoices.pay(bill.id)


def test_lists_page_without_a_gap_or_a_repeat(client, customer):
    made = [pay(client, customer, amount=1000 + n).latest_charge for n in range(7)]
    pages = list(client.v1.charges.list({"limit": 3}).auto_paging_iter())
    assert [c.id for c in pages] == made[::-1]
    first = client.v1.charges.list({"limit": 3})
    assert first.has_more is True
    second = client.v1.charges.list({"limit": 3, "starting_after": first.data[-1].id})
    assert [c.id for c in second.data] == made[::-1][3:6]
    created = first.data[0].created
    assert client.v1.charges.list({"created": {"gt": created}}).data == []
    since = client.v1.charges.list({"limit": 100, "created": {"gte": pages[-1].created}})
    assert len(since.data) == 7
    expanded = client.v1.charges.list({"limit": 1, "expand": ["data.payment_intent"]})
    assert expanded.data[0].payment_intent.object == "payment_intent"


def new_session(client, **more):
    price = {"currency": "eur", "unit_amount": 900, "product_data": {"name": "A month"}}
    return client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "line_items": [{"quantity": 2, "price_data": price}],
            "success_url": "https://example.com/thanks",
            "metadata": {"tinko": "x"},
            "payment_intent_data": {"metadata": {"tinko": "x"}},
            **more,
        }
    )


def test_a_session_expires_once_and_cannot_be_paid_after(sandbox, client):
    session = new_session(client)
    assert (session.status, session.amount_total, session.payment_intent) == ("open", 1800, None)
    url = session.url
    assert client.v1.checkout.sessions.expire(session.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.expire(session.id)
    page = sandbox.post(url, card="new")
    assert page.headers["x-sandbox-outcome"] == "closed"
    assert client.v1.charges.list().data == []


def test_a_session_is_paid_on_its_page_by_a_payer_who_is_there(sandbox, client):
    session = new_session(client)
    page = sandbox.get(session.url)
    assert "€18.00" in page.text
    assert 'id="pay"' in page.text
    answer = sandbox.post(session.url, card="new")
    assert answer.status_code == 303
    assert answer.headers["location"] == "https://example.com/thanks"
    done = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (done.status, done.payment_status) == ("complete", "paid")
    charge = client.v1.charges.retrieve(done.payment_intent.latest_charge)
    assert charge.payment_method_details.card.checks.cvc_check == "pass"
    assert charge.metadata["tinko"] == "x"
    by_intent = client.v1.checkout.sessions.list({"payment_intent": done.payment_intent.id})
    assert [s.id for s in by_intent.data] == [session.id]


def test_a_sessions_intent_is_not_ours_to_confirm_or_cancel(sandbox, client, customer):
    session = new_session(client, customer=customer.id)
    assert sandbox.post(session.url, card="new").headers["x-sandbox-outcome"] == "succeeded"
    intent = client.v1.checkout.sessions.retrieve(session.id).payment_intent
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.confirm(intent, {"payment_method": "pm_card_visa"})
    assert caught.value.code == "payment_intent_unexpected_state"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.cancel(intent)


def test_the_page_of_an_intent_needs_its_secret_and_leads_back(sandbox, client, customer):
    intent = client.v1.payment_intents.create(
        {"amount": 700, "currency": "usd", "customer": customer.id}
    )
    page = f"{sandbox.url}/hosted/stripe/pi/{intent.id}"
    assert sandbox.get(page).status_code == 404
    assert sandbox.get(f"{page}?client_secret=guess").status_code == 404
    url = f"{page}?client_secret={intent.client_secret}&return_url=https%3A%2F%2Fx.example%2Fback"
    answer = sandbox.post(url, card="new")
    assert answer.headers["location"] == "https://x.example/back"
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_an_authorisation_is_captured_or_released(client, customer):
    held = {"amount": 900, "currency": "usd", "customer": customer.id, "confirm": True,
            "payment_method": "pm_card_visa", "off_session": True,
            "capture_method": "manual"}  # fmt: skip
    first = client.v1.payment_intents.create(held)
    assert (first.status, first.amount_capturable) == ("requires_capture", 900)
    done = client.v1.payment_intents.capture(first.id, {"amount_to_capture": 600})
    assert (done.status, done.amount_received) == ("succeeded", 600)
    second = client.v1.payment_intents.create(held)
    assert client.v1.payment_intents.cancel(second.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.capture(second.id)


def test_refunds_never_exceed_the_charge(client, customer):
    intent = pay(client, customer)
    part = client.v1.refunds.create({"payment_intent": intent.id, "amount": 500})
    assert (part.status, part.amount) == ("succeeded", 500)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"charge": intent.latest_charge, "amount": 1001})
    client.v1.refunds.create({"charge": intent.latest_charge})
    charge = client.v1.charges.retrieve(intent.latest_charge)
    assert (charge.refunded, charge.amount_refunded) == (True, 1500)
    assert len(client.v1.refunds.list({"payment_intent": intent.id}).data) == 2


def test_events_are_listed_with_who_caused_them(client, customer):
    pay(client, customer, idempotency_key="k-event")
    events = client.v1.events.list({"types": ["charge.succeeded"]}).data
    assert len(events) == 1
    assert events[0].request.idempotency_key == "k-event"
    assert events[0].request.id.startswith("req_")
    assert events[0].data.object["object"] == "charge"
    assert client.v1.events.retrieve(events[0].id).type == "charge.succeeded"
