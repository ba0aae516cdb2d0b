"""The outbox on a real Postgres and a real SMTP server."""

import email
import email.policy
import re
import threading
from datetime import timedelta

import pytest

from tests.integration.notifications.payer_world import START
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import NotFound, SettingsError
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.notifications import (
    cancel_for_obligation,
    enqueue_payment_link,
    send_due,
)
from tinko_pipelines.core.notifications.delivery import write
from tinko_pipelines.core.notifications.links import read_token
from tinko_pipelines.core.notifications.outbox import LEASE, MAX_TRIES, Ending, take
from tinko_pipelines.core.notifications.smtp import SmtpChannel

TOKEN = re.compile(r"/pay/([\w.-]+)")
EMAIL = frozenset({"email"})


def ask(world, debt, ordinal=1, recipient="meena@example.com", language="en", due_at=START):
    obligation, case = debt
    with unit_of_work(world.worker) as connection:
        return enqueue_payment_link(
            connection,
            org_id=world.org_id,
            case_id=case,
            obligation_id=obligation,
            recipient=recipient,
            language=language,
            due_at=due_at,
            clock=world.clock,
            ordinal=ordinal,
        )


def outbox(world):
    return world.rows("select * from outbox order by id")


def deliveries(world):
    return world.rows("select result, detail, channel from notification_deliveries order by id")


def parse(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


def test_the_mail_has_a_link_that_opens_this_debt(world, mail):
    debt = world.add_debt(due=12345000)
    ask(world, debt, language="hi-IN")
    report = send_due(world.worker, world.settings, world.clock, 10)
    assert (report.sent, report.failed, report.waiting, report.cancelled) == (1, 0, 0, 0)
    message = parse(mail.box.messages[0])
    text = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    assert "₹1,23,450.00" in message["Subject"]
    assert "₹1,23,450.00" in text
    assert "उस समय खाते में पर्याप्त राशि नहीं थी।" in text
    assert "17 अगस्त 2026" in text
    assert message["Content-Language"] == "hi"
    assert message["From"].addresses[0].display_name == "Asha Yoga Studio"
    claims = read_token(TOKEN.search(text)[1], world.clock.now(), world.settings)
    assert (claims.org_id, claims.obligation_id, claims.case_id) == (world.org_id, *debt)
    assert TOKEN.search(html)[1] == TOKEN.search(text)[1]
    assert "?lang=hi" in text
    row = outbox(world)[0]
    assert (row["state"], row["tries"], row["sent_at"]) == ("sent", 1, START)
    assert claims.expires_at > START
    assert TOKEN.search(text)[1] not in str(row)  # the token is made at send time and not kept
    assert deliveries(world) == [{"result": "accepted", "detail": None, "channel": "email"}]


def test_one_case_and_ordinal_is_one_message(world, mail):
    debt = world.add_debt()
    assert ask(world, debt) is not None
    assert ask(world, debt) is None
    assert ask(world, debt, ordinal=2) is not None
    assert send_due(world.worker, world.settings, world.clock, 10).sent == 2
    assert len(mail.box.messages) == 2


def test_a_rolled_back_change_asks_nobody(world):
    obligation, case = world.add_debt()

    def fail_after_asking():
        with unit_of_work(world.worker) as connection:
            enqueue_payment_link(
                connection,
                org_id=world.org_id,
                case_id=case,
                obligation_id=obligation,
                recipient="meena@example.com",
                language="en",
                due_at=START,
                clock=world.clock,
                ordinal=1,
            )
            raise RuntimeError("the caller's change fails")

    with pytest.raises(RuntimeError, match="the caller's change"):
        fail_after_asking()
    assert outbox(world) == []


def test_another_tenants_debt_is_not_found(world):
    obligation, case = world.add_debt()
    with pytest.raises(NotFound), unit_of_work(world.worker) as connection:
        enqueue_payment_link(
            connection,
            org_id=new_id(START),
            case_id=case,
            obligation_id=obligation,
            recipient="meena@example.com",
            language="en",
            due_at=START,
            clock=world.clock,
            ordinal=1,
        )


def test_nothing_is_sent_before_it_is_due(world, mail):
    ask(world, world.add_debt(), due_at=START + timedelta(hours=3))
    assert send_due(world.worker, world.settings, world.clock, 10).sent == 0
    world.clock.advance(timedelta(hours=3))
    assert send_due(world.worker, world.settings, world.clock, 10).sent == 1
    assert len(mail.box.messages) == 1


@pytest.mark.parametrize("state", ["paid", "void", "uncollectible", "superseded"])
def test_no_mail_once_the_debt_is_not_collectible(world, mail, state):
    obligation, case = world.add_debt()
    ask(world, (obligation, case))
    world.set_obligation(obligation, state=state)
    report = send_due(world.worker, world.settings, world.clock, 10)
    assert (report.sent, report.cancelled) == (0, 1)
    assert mail.box.messages == []
    row = outbox(world)[0]
    assert (row["state"], row["last_error"]) == ("cancelled", f"the obligation is {state}")


@pytest.mark.parametrize("case_state", ["cancelled", "exhausted", "recovered", "disputed"])
def test_no_mail_once_the_case_has_ended(world, mail, case_state):
    ask(world, world.add_debt(case_state=case_state))
    assert send_due(world.worker, world.settings, world.clock, 10).cancelled == 1
    assert mail.box.messages == []


def test_a_part_payment_lowers_what_is_asked_for(world, mail):
    obligation, case = world.add_debt(due=10000, currency="USD")
    ask(world, (obligation, case))
    world.set_obligation(obligation, state="partially_paid", paid_minor=7500)
    send_due(world.worker, world.settings, world.clock, 10)
    assert "$25.00" in parse(mail.box.messages[0])["Subject"]
    assert outbox(world)[0]["payload"]["amount_minor"] == 2500


def test_cancelling_ends_what_waits_at_once(world):
    obligation, case = world.add_debt()
    ask(world, (obligation, case))
    with unit_of_work(world.worker) as connection:
        assert cancel_for_obligation(connection, obligation, why="paid", clock=world.clock) == 1
    assert outbox(world)[0]["state"] == "cancelled"


def test_a_permanent_refusal_is_not_tried_again(world, mail, wall):
    ask(world, world.add_debt())
    mail.box.rcpt_reply = "550 5.1.1 no such user"
    report = send_due(world.worker, world.settings, world.clock, 10, wall=wall)
    assert (report.failed, report.errors) == (1, ["550 5.1.1 no such user"])
    wall.advance(days=3)
    assert send_due(world.worker, world.settings, world.clock, 10, wall=wall).failed == 0
    assert outbox(world)[0]["state"] == "failed"
    assert [one["result"] for one in deliveries(world)] == ["refused"]


def test_a_temporary_refusal_waits_and_comes_again(world, mail, wall):
    ask(world, world.add_debt())
    mail.box.data_reply = "451 4.7.1 greylisted"
    assert send_due(world.worker, world.settings, world.clock, 10, wall=wall).waiting == 1
    mail.box.data_reply = "250 taken"
    wall.advance(seconds=59)
    assert send_due(world.worker, world.settings, world.clock, 10, wall=wall).sent == 0
    wall.advance(seconds=1)
    assert send_due(world.worker, world.settings, world.clock, 10, wall=wall).sent == 1
    assert [one["result"] for one in deliveries(world)] == ["refused", "accepted"]
    assert len(mail.box.messages) == 1


def test_an_unreachable_server_costs_one_try_of_one_row(world, mail, wall):
    for _ in range(3):
        ask(world, world.add_debt())
    mail.stop()
    try:
        report = send_due(world.worker, world.settings, world.clock, 10, wall=wall)
    finally:
        mail.start()
    assert (report.waiting, len(report.errors)) == (1, 1)
    assert sorted(row["tries"] for row in outbox(world)) == [0, 0, 1]
    wall.advance(minutes=1)
    assert send_due(world.worker, world.settings, world.clock, 10, wall=wall).sent == 3


def test_it_gives_up_in_the_end(world, mail, wall):
    ask(world, world.add_debt())
    mail.box.data_reply = "451 4.3.0 try later"
    for _ in range(MAX_TRIES + 1):
        send_due(world.worker, world.settings, world.clock, 1, wall=wall)
        wall.advance(hours=6)
    row = outbox(world)[0]
    assert (row["state"], row["tries"]) == ("failed", MAX_TRIES)


def crash_after_sending(world, wall):
    """What a killed sender leaves: the message is out, nothing is recorded."""
    with unit_of_work(world.worker) as connection:
        row = take(connection, now=world.clock.now(), wall=wall.now(), channels=EMAIL)
    channel = SmtpChannel(world.settings)
    channel.send(write(row, world.settings, world.clock))
    channel.close()


def test_a_crash_before_the_record_costs_one_copy_with_the_same_message_id(world, mail, wall):
    ask(world, world.add_debt())
    crash_after_sending(world, wall)
    # its lease still runs: nobody else touches it
    assert send_due(world.worker, world.settings, world.clock, 10, wall=wall).sent == 0
    wall.advance(seconds=LEASE.total_seconds())
    assert send_due(world.worker, world.settings, world.clock, 10, wall=wall).sent == 1
    ids = [parse(raw)["Message-ID"] for raw in mail.box.messages]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_a_second_crash_brings_no_third_copy(world, mail, wall):
    ask(world, world.add_debt())
    for _ in range(2):
        crash_after_sending(world, wall)
        wall.advance(seconds=LEASE.total_seconds())
    report = send_due(world.worker, world.settings, world.clock, 10, wall=wall)
    assert (report.sent, report.failed) == (0, 1)
    assert len(mail.box.messages) == 2
    assert "may have been sent twice" in outbox(world)[0]["last_error"]


def test_paid_while_the_lease_of_a_dead_sender_ran_out(world, mail, wall):
    obligation, case = world.add_debt()
    ask(world, (obligation, case))
    with unit_of_work(world.worker) as connection:
        take(connection, now=world.clock.now(), wall=wall.now(), channels=EMAIL)
    world.pay(obligation)
    wall.advance(seconds=LEASE.total_seconds())
    assert send_due(world.worker, world.settings, world.clock, 10, wall=wall).cancelled == 1
    assert mail.box.messages == []


def test_senders_at_once_send_each_message_once(world, mail):
    debts = [world.add_debt() for _ in range(12)]
    for debt in debts:
        ask(world, debt)
    reports = []

    def work():
        reports.append(send_due(world.worker, world.settings, world.clock, 20))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(report.sent for report in reports) == len(debts)
    ids = [parse(raw)["Message-ID"] for raw in mail.box.messages]
    assert len(ids) == len(set(ids)) == len(debts)


def test_no_transaction_is_open_while_the_server_takes_the_message(world, mail):
    ask(world, world.add_debt())
    seen = []

    def look():
        seen.append(
            world.rows(
                "select count(*) as n from pg_stat_activity where usename = 'tinko_worker'"
                " and datname = current_database() and state like 'idle in transaction%'"
            )[0]["n"]
        )

    mail.box.data_hook = look
    assert send_due(world.worker, world.settings, world.clock, 10).sent == 1
    assert seen == [0]


def test_an_unusable_address_is_refused_and_the_rest_goes_out(world, mail):
    ask(world, world.add_debt(), recipient="a@b.example\r\nBcc: all@example.com")
    ask(world, world.add_debt())
    report = send_due(world.worker, world.settings, world.clock, 10)
    assert (report.sent, report.failed) == (1, 1)
    assert len(mail.box.messages) == 1
    assert b"all@example.com" not in mail.box.messages[0]


def test_a_phone_number_without_a_configured_channel_fails_visibly(world):
    ask(world, world.add_debt(), recipient="+919800000001")
    report = send_due(world.worker, world.settings, world.clock, 10)
    assert report.errors == ["no sms channel is configured"]


def test_a_missing_secret_stops_before_any_row_is_touched(world):
    ask(world, world.add_debt())
    bare = world.settings.model_copy(update={"jwt_secret": None})
    with pytest.raises(SettingsError, match="JWT_SECRET"):
        send_due(world.worker, bare, world.clock, 10)
    assert outbox(world)[0]["tries"] == 0


def test_the_api_role_may_enqueue_only_for_its_own_tenant(world):
    debt = world.add_debt()
    with unit_of_work(world.app, world.org_id) as connection:
        assert enqueue_payment_link(
            connection,
            org_id=world.org_id,
            case_id=debt[1],
            obligation_id=debt[0],
            recipient="meena@example.com",
            language="ta",
            due_at=START,
            clock=world.clock,
            ordinal=1,
        )
    with pytest.raises(NotFound), unit_of_work(world.app, new_id(START)) as connection:
        enqueue_payment_link(
            connection,
            org_id=world.org_id,
            case_id=debt[1],
            obligation_id=debt[0],
            recipient="meena@example.com",
            language="ta",
            due_at=START,
            clock=world.clock,
            ordinal=2,
        )


def test_a_closed_row_is_not_taken(world, wall):
    ask(world, world.add_debt(case_state="cancelled"))
    with unit_of_work(world.worker) as connection:
        first = take(connection, now=START, wall=wall.now(), channels=EMAIL)
        second = take(connection, now=START, wall=wall.now(), channels=EMAIL)
    assert isinstance(first, Ending)
    assert second is None
