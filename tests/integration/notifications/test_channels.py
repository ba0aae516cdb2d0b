"""The channels against real servers on this machine."""

import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.integration.notifications.payer_world import START
from tinko_pipelines.core.notifications.channels import Delivery, Envelope, Result, channel_of
from tinko_pipelines.core.notifications.delivery import open_channels
from tinko_pipelines.core.notifications.messages import Content
from tinko_pipelines.core.notifications.sms import TwilioChannel
from tinko_pipelines.core.notifications.smtp import SmtpChannel
from tinko_pipelines.core.settings import Settings
from tinko_pipelines.local.ports import free_port

CONTENT = Content("Subject ₹", "text ₹", "<p>html ₹</p>", "sms ₹")


def envelope(recipient="meena@example.com", key="k1"):
    return Envelope(key, recipient, 'Asha, Yoga & "Co"', "en", START, CONTENT)


def smtp_settings(port, **more):
    return Settings(
        smtp_host="127.0.0.1", smtp_port=port, smtp_from="Billing <b@t.example>", **more
    )


@pytest.fixture
def smtp(mail):
    channel = SmtpChannel(smtp_settings(mail.port), timeout=5)
    yield channel
    channel.close()


def test_a_connection_the_server_dropped_is_opened_again(smtp, mail):
    assert smtp.send(envelope()) == Delivery(Result.ACCEPTED)
    mail.stop()
    mail.start()
    assert smtp.send(envelope()) == Delivery(Result.ACCEPTED)
    assert len(mail.box.messages) == 2


def test_a_refused_recipient_does_not_spoil_the_next(smtp, mail):
    mail.box.rcpt_reply = "550 no such user"
    assert smtp.send(envelope()).permanent
    mail.box.rcpt_reply = None
    assert smtp.send(envelope()).result is Result.ACCEPTED


@pytest.mark.parametrize(
    ("reply", "permanent"), [("552 too big", True), ("452 disk full", False), ("554 spam", True)]
)
def test_the_first_digit_decides(smtp, mail, reply, permanent):
    mail.box.data_reply = reply
    assert smtp.send(envelope()) == Delivery(Result.REFUSED, permanent, reply)


@pytest.mark.parametrize(
    "recipient", ["two@example.com, one@example.com", "a@b.c\nBcc: d@e.f", "Meena <m@e.f>", "@", ""]
)
def test_what_is_not_one_plain_address_never_reaches_the_server(smtp, mail, recipient):
    outcome = smtp.send(envelope(recipient))
    assert (outcome.result, outcome.permanent) == (Result.REFUSED, True)
    assert mail.box.messages == []


def test_a_server_that_never_answers_is_a_timeout_and_not_a_hang():
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        channel = SmtpChannel(smtp_settings(silent.getsockname()[1]), timeout=0.3)
        outcome = channel.send(envelope())
    assert (outcome.result, outcome.permanent) == (Result.UNREACHABLE, False)


def test_a_refused_login_is_our_mistake_and_the_message_waits(mail):
    port = free_port()
    controller = Controller(
        mail.box,
        hostname="127.0.0.1",
        port=port,
        auth_require_tls=False,
        authenticator=lambda *_: AuthResult(success=False, handled=False),
    )
    controller.start()
    try:
        settings = smtp_settings(port, smtp_username="u", smtp_password="wrong")
        outcome = SmtpChannel(settings, timeout=5).send(envelope())
    finally:
        controller.stop()
    assert (outcome.result, outcome.permanent) == (Result.UNREACHABLE, False)
    assert "535" in outcome.detail


class TwilioShaped(ThreadingHTTPServer):
    """Answers as Twilio's Messages resource does; keeps what it was asked."""

    def __init__(self):
        self.asked, self.status, self.error = [], 201, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.asked.append((self.path, self.headers["Authorization"], parse_qs(body)))
                answer = (
                    b'{"sid": "SM1", "status": "queued"}'
                    if outer.status == 201
                    else f'{{"code": {outer.error}, "message": "refused", "status": '
                    f"{outer.status}}}".encode()
                )
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def twilio():
    server = TwilioShaped()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def twilio_settings(server, sender="+15005550006"):
    return Settings(
        twilio_account_sid="AC1",
        twilio_auth_token="token",
        twilio_from=sender,
        twilio_base_url=f"http://127.0.0.1:{server.server_port}/twilio",
    )


@pytest.mark.parametrize(
    ("sender", "field"), [("+15005550006", "From"), ("MG123", "MessagingServiceSid")]
)
def test_the_sdk_speaks_to_the_address_it_was_given(twilio, sender, field):
    channel = open_channels(twilio_settings(twilio, sender))["sms"]
    assert channel.send(envelope("+919800000001")) == Delivery(Result.ACCEPTED)
    channel.close()
    path, login, body = twilio.asked[0]
    assert path == "/twilio/2010-04-01/Accounts/AC1/Messages.json"
    assert base64.b64decode(login.split()[1]) == b"AC1:token"
    assert body == {"To": ["+919800000001"], "Body": ["sms ₹"], field: [sender]}


@pytest.mark.parametrize(
    ("status", "error", "result", "permanent"),
    [
        (400, 21211, Result.REFUSED, True),
        (401, 20003, Result.REFUSED, False),
        (429, 20429, Result.REFUSED, False),
        (503, 20500, Result.UNREACHABLE, False),
    ],
)
def test_what_twilios_answers_mean(twilio, status, error, result, permanent):
    twilio.status, twilio.error = status, error
    outcome = TwilioChannel(twilio_settings(twilio)).send(envelope("+919800000001"))
    assert (outcome.result, outcome.permanent) == (result, permanent)
    assert str(error) in outcome.detail
    assert len(twilio.asked) == 1  # one try, whatever the answer


def test_an_absent_twilio_is_unreachable(twilio):
    settings = twilio_settings(twilio)
    twilio.shutdown()
    twilio.server_close()
    outcome = TwilioChannel(settings, timeout=2).send(envelope("+919800000001"))
    assert (outcome.result, outcome.permanent) == (Result.UNREACHABLE, False)


def test_without_its_settings_there_is_no_sms_channel():
    assert set(open_channels(Settings())) == {"email"}
    assert channel_of("a@b.c") == "email"
    assert channel_of("+91 98") == "sms"
