"""The mail and SMS sink, driven by smtplib and Twilio's own SDK."""

import smtplib
from email.message import EmailMessage

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from tinko_pipelines.local import probes

TOKEN = "test-token"


@pytest.fixture(scope="module")
def sink(serve, free_port, tmp_path_factory):
    port, smtp_port = free_port(), free_port()
    server = serve(
        "tinko_pipelines.local.mail",
        f"--data={tmp_path_factory.mktemp('mail')}",
        f"--port={port}",
        f"--smtp-port={smtp_port}",
        ready=probes.http(port, "/healthz"),
        TWILIO_AUTH_TOKEN=TOKEN,
    )
    server.url, server.smtp_port = f"http://127.0.0.1:{port}", smtp_port
    return server


def send(sink, *, to, subject="Hello", text="text", html=None):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Chai <a@chai.test>", to, subject
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    with smtplib.SMTP("127.0.0.1", sink.smtp_port) as client:
        client.send_message(message)


def messages(sink, after=0):
    return httpx.get(f"{sink.url}/api/messages", params={"after": after}).raise_for_status().json()


def last_id(sink):
    return max([one["id"] for one in messages(sink)], default=0)


def twilio(sink, token=TOKEN):
    class Local(TwilioHttpClient):
        def request(self, method, url, **options):
            return super().request(
                method, url.replace("https://api.twilio.com", sink.url), **options
            )

    return Client("AC" + "0" * 32, token, http_client=Local())


def test_an_email_is_kept_decoded(sink):
    before = last_id(sink)
    link = "http://127.0.0.1:8000/pay/" + "x" * 120
    send(
        sink,
        to="asha@payer.test",
        subject="₹499 रुका हुआ",
        text=f"नमस्ते\n{link}\n",
        html="<b>नमस्ते</b>",
    )
    (found,) = messages(sink, before)
    assert found["id"] > before
    assert (found["channel"], found["to"]) == ("email", "asha@payer.test")
    assert found["subject"] == "₹499 रुका हुआ"
    assert found["text"] == f"नमस्ते\n{link}\n"
    assert found["html"].strip() == "<b>नमस्ते</b>"
    assert found["from"] == "Chai <a@chai.test>"


def test_each_recipient_gets_a_message(sink):
    before = last_id(sink)
    send(sink, to="one@payer.test, two@payer.test")
    assert [one["to"] for one in messages(sink, before)] == ["one@payer.test", "two@payer.test"]


def test_twilios_sdk_sends_an_sms(sink):
    before = last_id(sink)
    sent = twilio(sink).messages.create(to="+919800000001", from_="+15005550006", body="pay ₹1")
    assert (sent.status, len(sent.sid)) == ("queued", 34)
    (found,) = messages(sink, before)
    assert (found["channel"], found["to"], found["text"]) == ("sms", "+919800000001", "pay ₹1")


@pytest.mark.parametrize(
    ("token", "fields", "status", "code"),
    [
        ("wrong", {"to": "+1", "from_": "+2", "body": "x"}, 401, 20003),
        (TOKEN, {"to": "+1", "from_": "+2", "body": ""}, 400, 21602),
        (TOKEN, {"to": "", "from_": "+2", "body": "x"}, 400, 21604),
    ],
)
def test_a_refused_sms_says_why_and_is_not_kept(sink, token, fields, status, code):
    before = last_id(sink)
    with pytest.raises(TwilioRestException) as caught:
        twilio(sink, token).messages.create(**fields)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert messages(sink, before) == []


def test_the_page_shows_messages_and_escapes_them(sink):
    send(sink, to="x@payer.test", subject="<script>alert(1)</script>", html="<i>body</i>")
    number = last_id(sink)
    page = httpx.get(sink.url).text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>" not in page
    one = httpx.get(f"{sink.url}/messages/{number}")
    assert one.status_code == 200
    body = httpx.get(f"{sink.url}/messages/{number}/html")
    assert body.text.strip() == "<i>body</i>"
    assert "sandbox" in body.headers["content-security-policy"]
    assert httpx.get(f"{sink.url}/messages/999999").status_code == 404


@pytest.mark.parametrize("query", ["after=x", "after=-1", "limit=many"])
def test_a_malformed_page_is_refused(sink, query):
    assert httpx.get(f"{sink.url}/api/messages?{query}").status_code == 400


def test_a_kill_keeps_messages_and_ids_go_on(sink):
    send(sink, to="kept@payer.test", subject="kept")
    before = messages(sink)
    sink.kill()
    sink.start()
    assert messages(sink) == before
    send(sink, to="next@payer.test")
    assert messages(sink, before[-1]["id"])[0]["id"] > before[-1]["id"]
