"""The payer's page over HTTP, on a real Postgres as the API's role."""

import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from api.pay.pages import I18N, PSP_NAMES
from api.pay.view import PageState, page_state
from tests.integration.notifications.pay_app import Doors, link_of, make_app
from tests.integration.notifications.payer_world import START
from tinko_pipelines.core.db.engine import make_engine
from tinko_pipelines.core.errors import Conflict, NotFound, PspUnreachable
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.states import AttemptState, ObligationState
from tinko_pipelines.core.notifications.languages import LANGUAGES, catalogue, gaps
from tinko_pipelines.core.notifications.links import VALID_FOR
from tinko_pipelines.core.psp.currencies import CURRENCIES, takes
from tinko_pipelines.core.psp.types import HandOver, Psp
from tinko_pipelines.core.recovery.payer_door import (
    AlreadyPaid,
    AttemptInFlight,
    MayBeConfirmed,
    NotOffered,
)
from tinko_pipelines.local.ports import free_port


@pytest.fixture
def doors():
    return Doors()


@pytest.fixture
def client(world, doors):
    with TestClient(make_app(world, doors), follow_redirects=False) as made:
        yield made


def says(state, language="en", part="title", **values):
    return catalogue(I18N, language)[f"{state}.{part}"].format_map(
        {"merchant": "Asha Yoga Studio", "amount": "₹1,299.00", "psp": "Stripe"} | values
    )


def test_the_pages_words_have_no_gaps():
    assert gaps(I18N) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_shows_who_how_much_and_why(world, client, language):
    page = client.get(link_of(world, world.add_debt()) + f"?lang={language}")
    assert page.status_code == 200
    assert f'<html lang="{language}">' in page.text
    assert "Asha Yoga Studio" in page.text
    assert "₹1,299.00" in page.text
    assert "Monthly membership, August" in page.text
    assert says("payable", language, "button") in page.text
    reason = {"en": "not enough balance", "hi": "पर्याप्त राशि", "ta": "போதுமான தொகை"}
    assert reason[language] in page.text
    assert "17 " in page.text


@pytest.mark.parametrize(
    ("asked", "payers", "accepts", "spoken"),
    [
        ("ta", "hi", "en", "ta"),
        (None, "hi", "ta,en", "hi"),
        (None, None, "fr-FR, ta;q=0.8", "ta"),
        (None, None, None, "en"),
        ("xx", "hi", None, "hi"),
    ],
)
def test_the_links_language_then_the_payers_then_the_browsers(
    world, client, asked, payers, accepts, spoken
):
    link = link_of(world, world.add_debt(language=payers))
    page = client.get(
        link + (f"?lang={asked}" if asked else ""),
        headers={"Accept-Language": accepts} if accepts else {"Accept-Language": ""},
    )
    assert page.headers["Content-Language"] == spoken


def test_nothing_comes_from_elsewhere_and_nothing_leaks(world, client):
    page = client.get(link_of(world, world.add_debt()))
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert "noindex" in page.headers["X-Robots-Tag"]
    csp = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in csp
    assert "frame-ancestors 'none'" in csp
    assert "unsafe" not in csp
    nonce = re.search(r"'nonce-([^']+)'", csp)[1]
    assert page.text.count(f'nonce="{nonce}"') == len(re.findall(r"<(?:style|script)\b", page.text))
    assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", page.text)
    again = client.get(link_of(world, world.add_debt()))
    assert nonce not in again.headers["Content-Security-Policy"]


def test_names_are_escaped(world, client):
    debt = world.add_debt(description="<script>alert(1)</script>")
    assert "<script>alert" not in client.get(link_of(world, debt)).text


@pytest.mark.parametrize("path", ["/pay/x", "/pay/" + "A" * 72 + ".BBBB", "/pay/%E2%82%B9"])
def test_a_link_that_is_not_ours_is_404_and_says_so(client, doors, path):
    for answer in (client.get(path), client.post(path), client.get(path + "/return")):
        assert answer.status_code == 404
        assert says("unknown") in answer.text
    assert doors.asked == []


def test_another_tenants_debt_is_not_shown(world, client):
    debt = world.add_debt()
    answer = client.get(link_of(world, debt, org_id=new_id(START)))
    assert answer.status_code == 404
    assert "Asha" not in answer.text


def test_an_expired_link_is_410_in_business_time(world, client, doors):
    link = link_of(world, world.add_debt())
    world.clock.advance(VALID_FOR)
    for answer in (client.get(link), client.post(link)):
        assert answer.status_code == 410
        assert says("expired") in answer.text
    assert doors.asked == []


def test_a_paid_debt_says_thank_you_even_after_the_link_expired(world, client, doors):
    obligation, case = world.add_debt()
    link = link_of(world, (obligation, case))
    world.pay(obligation)
    assert says("paid") in client.get(link).text
    assert client.post(link).status_code == 409
    world.clock.advance(timedelta(days=30))
    late = client.get(link)
    assert late.status_code == 200
    assert says("paid") in late.text
    assert doors.asked == []


@pytest.mark.parametrize("state", ["void", "uncollectible", "superseded"])
def test_a_debt_that_is_gone_asks_for_nothing(world, client, doors, state):
    link = link_of(world, world.add_debt(state=state))
    for answer in (client.get(link), client.post(link)):
        assert answer.status_code == 410
        assert says("cancelled") in answer.text
    assert doors.asked == []


def test_a_merged_debt_is_paid_as_the_one_it_became(world, client, doors):
    kept = world.add_debt(due=50000)
    merged = world.add_debt()
    world.set_obligation(merged[0], state="superseded", superseded_by=kept[0])
    link = link_of(world, merged)
    assert "₹500.00" in client.get(link).text
    assert client.post(link).status_code == 303
    assert doors.asked[0].obligation_id == kept[0]


@pytest.mark.parametrize(
    ("attempt", "shown"),
    [
        ("claimed", "processing"),
        ("submitted", "processing"),
        ("unknown", "pending"),
        ("pending", "pending"),
    ],
)
def test_while_a_try_is_in_the_air_nobody_pays(world, client, doors, attempt, shown):
    debt = world.add_debt()
    world.add_attempt(debt[0], attempt)
    link = link_of(world, debt)
    page = client.get(link)
    assert says(shown) in page.text
    assert '<meta http-equiv="refresh"' in page.text
    assert "<form" not in page.text
    refused = client.post(link)
    assert refused.status_code == 409
    assert says(shown) in refused.text
    assert doors.asked == []


def test_the_button_leads_to_the_psp_and_back(world, client, doors):
    debt = world.add_debt()
    link = link_of(world, debt)
    answer = client.post(link + "?lang=hi")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "https://psp.example/h"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    (asked,) = doors.asked
    assert (asked.org_id, asked.obligation_id) == (world.org_id, debt[0])
    assert asked.return_url == f"http://127.0.0.1:8000{link}/return?lang=hi"


def test_a_page_that_wants_a_post_gets_a_form(world, client, doors):
    doors.answer = HandOver(
        "https://psp.example/checkout?a=1&b=2", post=True, fields={"key_id": "k", "n": '"><i>'}
    )
    answer = client.post(link_of(world, world.add_debt()) + "?lang=ta")
    assert answer.status_code == 200
    assert (
        '<form id="handover" method="post" action="https://psp.example/checkout?a=1&amp;b=2">'
        in (answer.text)
    )
    assert '<input type="hidden" name="key_id" value="k">' in answer.text
    assert "&#34;&gt;&lt;i&gt;" in answer.text
    assert says("handover", "ta", "button") in answer.text


@pytest.mark.parametrize(
    ("refusal", "status", "shown"),
    [
        (AlreadyPaid("paid"), 409, "paid"),
        (AttemptInFlight("wait"), 409, "processing"),
        (Conflict("another"), 409, "processing"),
        (NotFound("gone"), 410, "cancelled"),
        (PspUnreachable("timeout"), 503, "unavailable"),
        (HandOver("javascript:alert(1)"), 503, "unavailable"),
    ],
)
def test_what_the_door_rules_refuse_is_said_kindly(world, client, doors, refusal, status, shown):
    doors.answer = refusal
    answer = client.post(link_of(world, world.add_debt()))
    assert answer.status_code == status
    assert says(shown) in answer.text


def test_what_the_door_read_at_the_psp_is_what_the_payer_is_told(world, client, doors):
    obligation, case = world.add_debt()

    def find_it_void():
        world.set_obligation(obligation, state="void")
        raise AlreadyPaid("the obligation is void")

    doors.answer = find_it_void
    answer = client.post(link_of(world, (obligation, case)))
    assert answer.status_code == 410
    assert says("cancelled") in answer.text


def test_while_the_ledger_is_down_the_payer_is_asked_to_wait(world, client, doors):
    link = link_of(world, world.add_debt())
    world.app = make_engine(f"postgresql://tinko_app@127.0.0.1:{free_port()}/tinko")
    for answer in (client.get(link), client.post(link), client.get(link + "/return")):
        assert answer.status_code == 503
        assert says("unavailable") in answer.text
    assert doors.asked == []


def test_coming_back_shows_what_the_ledger_knows(world, client):
    obligation, case = world.add_debt()
    link = link_of(world, (obligation, case))
    waiting = client.get(link + "/return?lang=en&razorpay_payment_id=pay_1&status=paid")
    assert says("confirming") in waiting.text
    assert f'href="{link}?lang=en"' in waiting.text
    world.add_attempt(obligation, "pending", actor="payer")
    assert says("confirming") in client.get(link + "/return").text
    world.pay(obligation)
    assert says("paid") in client.get(link + "/return").text


def test_a_checkout_that_comes_back_with_a_post_is_led_to_the_page(world, client):
    link = link_of(world, world.add_debt())
    answer = client.post(link + "/return?lang=hi", data={"razorpay_signature": "x"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == link + "/return?lang=hi"


@pytest.mark.parametrize("obligation", ObligationState)
@pytest.mark.parametrize("attempt", AttemptState)
def test_every_pair_of_states_has_one_page(obligation, attempt):
    shown = page_state(obligation, 100, [("tinko", attempt.value)], expired=False)
    collectible = obligation in {"open", "partially_paid"}
    in_the_air = attempt in {"claimed", "submitted", "unknown", "pending"}
    assert (shown is PageState.PAYABLE) == (collectible and not in_the_air)
    assert (shown is PageState.PAID) == (obligation == "paid")


# --- rule 7: another PSP, where a rule offered it ------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_another_psp_is_offered_in_plain_words_and_chosen_by_a_post(world, client, doors, language):
    debt = world.add_debt()
    world.offer(debt)
    link = link_of(world, debt)
    page = client.get(f"{link}?lang={language}").text
    for part in ("title", "text", "button"):
        assert says("other", language, part, other="Razorpay") in page
    assert f'action="{link}?lang={language}&amp;psp=razorpay"' in page
    assert doors.asked == []
    assert client.post(f"{link}?lang={language}&psp=razorpay").status_code == 303
    assert client.post(f"{link}?lang={language}").status_code == 303
    assert [one.chosen for one in doors.asked] == [Psp.RAZORPAY, None]


@pytest.mark.parametrize(
    "spoil",
    [
        "update cases set offered_psp = null",
        "update cases set offered_psp = 'stripe'",
        "update connections set status = 'disconnected' where psp = 'razorpay'",
        "update connections set status = 'disconnected' where psp = 'stripe'",
        "update connections set livemode = true where psp = 'razorpay'",
        "update connections set retry_owner = 'psp' where psp = 'stripe'",
        "update obligations set currency = 'USD'",
        "update obligations set psp_retries = true",
        "insert into doors (id, org_id, connection_id, obligation_id, kind, object_id, status,"
        " opened_by, created_at, updated_at) select id, org_id, connection_id, id, 'invoice',"
        " 'in_1', 'open', 'psp', :now, :now from obligations",
    ],
)
def test_where_it_cannot_be_had_the_page_simply_does_not_offer_it(world, client, spoil):
    debt = world.add_debt()
    world.offer(debt)
    world.write(spoil)
    page = client.get(link_of(world, debt))
    assert page.text.count("<form") == 1
    assert "Razorpay" not in page.text


def test_another_merchants_connection_is_not_offered(world, client):
    debt = world.add_debt()
    world.offer(debt)
    world.write("update connections set org_id = :id where psp = 'razorpay'", id=new_id(START))
    assert "Razorpay" not in client.get(link_of(world, debt)).text


def test_while_a_bank_may_confirm_an_earlier_try_only_its_own_psp_is_open(world, client):
    debt = world.add_debt()
    other = world.offer(debt)
    world.late_failure(debt[0], debt[0])
    page = client.get(link_of(world, debt))
    assert says("other", part="wait", other="Razorpay", until="8 August 2026") in page.text
    assert "psp=razorpay" not in page.text
    # after the payer tried there: the debt's own has to wait for that
    world.write("update attempts set connection_id = :other", other=other)
    page = client.get(link_of(world, debt))
    assert says("other", part="wait", other="Stripe", until="8 August 2026") in page.text
    assert page.text.count("<form") == 1
    assert "psp=razorpay" in page.text
    world.late_failure(debt[0], debt[0])
    page = client.get(link_of(world, debt))
    assert says("pending") in page.text
    assert "<form" not in page.text
    world.clock.advance(timedelta(days=5))
    assert client.get(link_of(world, debt)).text.count("<form") == 2


@pytest.mark.parametrize(
    ("refusal", "shown"),
    [
        (NotOffered("a page cannot be closed"), says("other", part="only")),
        (
            MayBeConfirmed("it timed out", until=START + timedelta(days=5)),
            says("other", part="wait", other="Razorpay", until="8 August 2026"),
        ),
    ],
)
def test_a_choice_that_is_refused_leaves_the_other_button(world, client, doors, refusal, shown):
    debt = world.add_debt()
    world.offer(debt)
    doors.answer = refusal
    answer = client.post(link_of(world, debt) + "?psp=razorpay")
    assert answer.status_code == 409
    assert shown in answer.text
    assert answer.text.count("<form") == 1
    assert "psp=razorpay" not in answer.text


def test_a_psp_that_is_none_and_a_link_that_is_none_open_nothing(world, client, doors):
    debt = world.add_debt()
    world.offer(debt)
    link = link_of(world, debt)
    assert client.post(link + "?psp=elsewhere").status_code == 409
    assert client.post(link[:-3] + "xyz?psp=razorpay").status_code == 404
    world.clock.advance(VALID_FOR)
    assert client.post(link + "?psp=razorpay").status_code == 410
    assert doors.asked == []


def test_every_psp_has_a_name_that_payers_know():
    assert set(PSP_NAMES) == set(Psp)
    assert set(CURRENCIES) == set(Psp)
    assert all(takes(psp, "INR") for psp in Psp)
