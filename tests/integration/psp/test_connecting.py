"""`tinko connect …`: credentials are tried, an account is connected once, secrets stay sealed."""

import pytest
from sqlalchemy import text

from tests.contract.adapter_stages import STAGES
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import (
    AccountMismatch,
    Conflict,
    InvalidInput,
    LivemodeMismatch,
    NotFound,
    PspKeyRefused,
)
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.types import Credentials, Psp
from tinko_pipelines.core.tenants.connecting import Wanted, add_webhook_secret, connect
from tinko_pipelines.core.tenants.connections import find_connection, load_credentials
from tinko_pipelines.core.tenants.organisations import Trade, create_organisation
from tinko_pipelines.core.tenants.retrying import set_retry_owner

HERE = "https://pay.example.com"


@pytest.fixture
def other(shop, request):
    """A second account at the shop's PSP, connected to nobody."""
    name = "".join(one for one in request.node.name if one.isalnum())[:40]
    prefix = {"stripe": "acct_", "razorpay": "acc_"}[shop.stage.psp]
    return STAGES[shop.stage.psp](shop.sandbox, f"{prefix}other{name}")


def wanted_of(shop, stage, **changes):
    account = stage.account["account_id"] if shop.stage.psp is Psp.RAZORPAY else None
    known = {"psp": shop.stage.psp, "credentials": stage.credentials, "livemode": False,
             "account_id": account}  # fmt: skip
    return Wanted(**(known | changes))


def connect_to(shop, wanted, org=None):
    def identify(psp, credentials):
        return registry.try_out(psp, credentials, shop.settings).verify_credentials()

    return connect(shop.engine, org or shop.org.slug, wanted, identify, HERE, shop.clock.now())


def stored(shop, connection_id):
    with unit_of_work(shop.engine) as connection:
        found = find_connection(connection, connection_id)
        return found, load_credentials(found)


def count(shop):
    return shop.rows("select count(*) from connections")[0][0]


def test_an_account_is_connected_and_says_where_its_webhooks_go(shop, other):
    made = connect_to(shop, wanted_of(shop, other))
    assert made.account_id == other.account["account_id"]
    assert made.webhook_url == f"{HERE}/v1/webhooks/{shop.stage.psp}/{made.connection_id}"
    found, credentials = stored(shop, made.connection_id)
    assert (found.org_id, found.livemode) == (shop.org.org_id, False)
    assert credentials.api_key == other.credentials.api_key
    # only at Razorpay does the merchant choose the secret, so only there one is made
    assert bool(made.webhook_secret) == (shop.stage.psp is Psp.RAZORPAY)
    assert credentials.webhook_secrets == ((made.webhook_secret,) if made.webhook_secret else ())


def test_what_the_merchant_sells_and_where_is_said_with_the_connection(shop, other):
    connect_to(shop, wanted_of(shop, other, trade=Trade.said("IN", "insurance", False)))
    trade = "select country, category, fresh_notice from organisations where slug = :s"
    assert shop.rows(trade, s=shop.org.slug) == [("IN", "insurance", False)]


def test_unless_a_merchant_says_otherwise_each_retry_has_a_notice_of_its_own(shop, other, command):
    def said():
        ((fresh,),) = shop.rows(
            "select fresh_notice from organisations where slug = :s", s=shop.org.slug
        )
        return fresh

    assert said() is True
    connect_to(shop, wanted_of(shop, other))
    assert said() is True
    for option, fresh in [("--one-notice", False), ("--category=other", False),
                          ("--fresh-notice", True)]:  # fmt: skip
        done = command("connect", "merchant", "--org", shop.org.slug, option)
        assert done.exit_code == 0, done.output
        assert said() is fresh
    for wrong in (["--org", "nobody"], ["--org", shop.org.slug, "--category", "yachts"]):
        assert command("connect", "merchant", *wrong, "--one-notice").exit_code != 0
        assert said() is True


def test_no_secret_is_stored_in_the_clear(shop, other):
    connect_to(shop, wanted_of(shop, other))
    with unit_of_work(shop.engine) as connection:
        rows = connection.execute(text("select connections::text from connections")).scalars()
        all_of_it = "".join(rows)
    for secret in filter(None, (other.credentials.api_key, other.credentials.api_secret)):
        assert secret not in all_of_it
        assert secret.encode().hex() not in all_of_it


@pytest.mark.parametrize("again", ["the same organisation", "another organisation"])
def test_an_account_is_connected_once_whoever_asks(shop, other, again):
    connect_to(shop, wanted_of(shop, other))
    org = shop.org.slug
    if again.startswith("another"):
        org = "rival"
        with unit_of_work(shop.engine) as connection:
            create_organisation(connection, org, "Rival", shop.clock.now())
    before = count(shop)
    with pytest.raises(Conflict, match="already connected in test mode"):
        connect_to(shop, wanted_of(shop, other), org)
    assert count(shop) == before


def refusals(shop, other):
    wrong = other.wrong_keys()
    live = {Psp.STRIPE: "sk_live_x", Psp.RAZORPAY: "rzp_live_x"}[shop.stage.psp]
    yield "keys that are wrong", {"credentials": wrong}, PspKeyRefused
    yield "a live key in test mode", {"credentials": Credentials(live, "s")}, LivemodeMismatch
    yield "a test key in live mode", {"livemode": True}, LivemodeMismatch
    yield "no key at all", {"credentials": Credentials("hello", "s")}, InvalidInput
    yield "an account id of another kind", {"account_id": "shop_1"}, InvalidInput
    if shop.stage.psp is Psp.STRIPE:
        yield "somebody else's account", {"account_id": "acct_somebody"}, AccountMismatch
    else:
        yield "whose key nobody can say", {"account_id": None}, InvalidInput


def test_what_is_not_what_was_said_is_refused_and_nothing_stored(shop, other):
    before = count(shop)
    for why, changes, error in refusals(shop, other):
        with pytest.raises(error):
            connect_to(shop, wanted_of(shop, other, **changes))
        assert count(shop) == before, why
    with pytest.raises(NotFound):
        connect_to(shop, wanted_of(shop, other), "nobody")


def test_the_mode_is_looked_at_before_anybody_is_asked(striped):
    def identify(psp, credentials):
        raise AssertionError("the PSP was asked")

    wanted = Wanted(Psp.STRIPE, Credentials("sk_live_x"), livemode=False)
    with pytest.raises(LivemodeMismatch):
        connect(striped.engine, striped.org.slug, wanted, identify, HERE, striped.clock.now())


def test_a_new_webhook_secret_goes_first_and_the_old_one_stays(shop):
    _, before = stored(shop, shop.connection_id)
    psp = add_webhook_secret(shop.engine, shop.connection_id, " whsec_new ", shop.clock.now())
    assert psp is shop.stage.psp
    _, after = stored(shop, shop.connection_id)
    assert after.webhook_secrets == ("whsec_new", *before.webhook_secrets)
    assert (after.api_key, after.api_secret) == (before.api_key, before.api_secret)
    with pytest.raises(InvalidInput):
        add_webhook_secret(shop.engine, shop.connection_id, "  ", shop.clock.now())


def environment(shop, stage):
    keys = stage.credentials
    if shop.stage.psp is Psp.STRIPE:
        return {"STRIPE_SECRET_KEY": keys.api_key, "STRIPE_WEBHOOK_SECRET": "whsec_1,whsec_0"}
    return {"RAZORPAY_KEY_ID": keys.api_key, "RAZORPAY_KEY_SECRET": keys.api_secret,
            "RAZORPAY_WEBHOOK_SECRET": ""}  # fmt: skip


def arguments(shop, stage):
    said = ["connect", shop.stage.psp, "--org", shop.org.slug, "--label", "Main"]
    if shop.stage.psp is Psp.RAZORPAY:
        said += ["--account", stage.account["account_id"]]
    return [*said, "--base-url", stage.base]


def test_the_command_takes_its_secrets_from_the_environment(shop, other, command):
    done = command(*arguments(shop, other), env=environment(shop, other))
    assert done.exit_code == 0, done.output
    assert "/v1/webhooks/" in done.output
    for secret in filter(None, (other.credentials.api_secret, "whsec_1")):
        assert secret not in done.output
    assert shop.rows("select label from connections order by created_at desc, id desc limit 1") == [
        ("Main",)
    ]
    again = command(*arguments(shop, other), env=environment(shop, other))
    assert (again.exit_code, "already connected" in again.output) == (1, True)


def test_the_command_asks_for_what_the_environment_lacks_and_does_not_show_it(shop, other, command):
    keys = other.credentials
    typed = "\n".join(filter(None, (keys.api_key, keys.api_secret))) + "\n"
    empty = dict.fromkeys(environment(shop, other), "")
    done = command(*arguments(shop, other), input=typed, env=empty)
    assert done.exit_code == 0, done.output
    hidden = keys.api_secret or keys.api_key
    assert hidden not in done.output
    if shop.stage.psp is Psp.STRIPE:
        said = done.output.split("tinko connect secret ")[1].split()[0]
        added = command("connect", "secret", said, env={"WEBHOOK_SECRET": "whsec_typed"})
        assert added.exit_code == 0, added.output
        assert stored(shop, said)[1].webhook_secrets == ("whsec_typed",)


def test_no_option_of_the_command_takes_a_secret(command):
    for name in ("stripe", "razorpay"):
        shown = command("connect", name, "--help").output
        assert "--key" not in shown
        assert "--secret" not in shown


def test_the_command_says_who_retries(shop, other, command):
    said = [*arguments(shop, other), "--retries", "psp"]
    assert command(*said, env=environment(shop, other)).exit_code == 0
    assert shop.rows("select retry_owner from connections order by created_at desc, id desc"
                     " limit 1") == [("psp",)]  # fmt: skip
    refused = command("connect", "retries", shop.connection_id, "nobody")
    assert (refused.exit_code, "retry_owner is one of" in refused.output) == (1, True)


def test_retries_that_are_given_to_the_psp_end_ours_at_once(shop, command):
    """The setting changes, and not a row of the test's own: what was planned is not made, the PSP
    is watched, and given back the debt is retried again."""
    shop.failed_debt()
    assert shop.think() == {"retry": 1}
    done = command("connect", "retries", shop.connection_id, "psp")
    assert (done.exit_code, "1 planned retries" in done.output) == (0, True), done.output
    assert shop.rows("select state from attempts where actor = 'tinko'") == [("cancelled",)]
    assert shop.think() == {"watch": 1}
    assert "tinko retries" not in command("connect", "retries", shop.connection_id, "psp").output
    assert command("connect", "retries", shop.connection_id, "tinko").exit_code == 0
    assert shop.think() == {"retry": 1}
    assert shop.rows("select from_state, to_state from state_history"
                     " where entity = 'retry_owner' order by seq") == [
        ("tinko", "psp"), ("psp", "tinko")]  # fmt: skip


def test_a_retry_under_way_is_refused_once_the_psp_retries(striped):
    debt = striped.failed_debt()
    attempt = striped.plan(debt)

    def given(here):
        if here == "read":
            with unit_of_work(striped.engine) as connection:
                set_retry_owner(connection, striped.connection_id, "psp", striped.clock.now())

    assert striped.charge(given) == "psp.retries"
    assert (striped.state(attempt), striped.tries()) == ("cancelled", [])
