"""E-mail over SMTP. One connection serves a round; it is opened again when the server dropped it.

A reply decides by its first digit (RFC 5321, 4.2.1): 5 for this recipient or message is permanent,
4 is not. A refusal of our login or sender is our own mistake: it is no verdict on the recipient,
so the message waits.
"""

from __future__ import annotations

import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from tinko_pipelines.core.notifications.channels import (
    TIMEOUT_SECONDS,
    Delivery,
    Envelope,
    Result,
    shorten,
)
from tinko_pipelines.core.settings import Settings


class SmtpChannel:
    """The server of `SMTP_HOST`, `SMTP_PORT`, with STARTTLS and login where they are set."""

    def __init__(self, settings: Settings, timeout: float = TIMEOUT_SECONDS) -> None:
        self._settings = settings
        self._timeout = timeout
        self._server: smtplib.SMTP | None = None

    def send(self, envelope: Envelope) -> Delivery:
        """One try. Only a dropped idle connection is opened again within it."""
        try:
            message = compose(envelope, self._settings.smtp_from)
        except (ValueError, UnicodeError, IndexError) as error:
            return Delivery(Result.REFUSED, True, shorten(f"the address is not usable: {error}"))
        try:
            self._ready().send_message(message, to_addrs=[envelope.recipient])
        except smtplib.SMTPRecipientsRefused as error:
            return self._refused(*error.recipients[envelope.recipient])
        except smtplib.SMTPDataError as error:
            return self._refused(error.smtp_code, error.smtp_error)
        except smtplib.SMTPNotSupportedError as error:
            return Delivery(Result.REFUSED, True, shorten(error))
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            return Delivery(Result.UNREACHABLE, False, shorten(f"{type(error).__name__}: {error}"))
        return Delivery(Result.ACCEPTED)

    def close(self) -> None:
        if self._server is not None:
            try:
                self._server.quit()
            except (smtplib.SMTPException, OSError):
                self._server.close()
            self._server = None

    def _drop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _ready(self) -> smtplib.SMTP:
        if self._server is not None and not self._alive(self._server):
            self._drop()
        if self._server is None:
            self._server = self._connect()
        return self._server

    @staticmethod
    def _alive(server: smtplib.SMTP) -> bool:
        try:
            return server.noop()[0] == 250
        except (smtplib.SMTPException, OSError):
            return False

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        server = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=self._timeout)
        try:
            if settings.smtp_starttls:
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_username and settings.smtp_password:
                server.login(settings.smtp_username, settings.smtp_password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server

    def _refused(self, code: int, reply: bytes | str) -> Delivery:
        said = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
        return Delivery(Result.REFUSED, 500 <= code <= 599, shorten(f"{code} {said}"))


def compose(envelope: Envelope, smtp_from: str) -> EmailMessage:
    """The mail, text and HTML. Its Message-ID is the same at every try, so a copy is seen as one.

    Raises ValueError for a recipient that is no address or that holds a line break.
    """
    sender = parseaddr(smtp_from)[1]
    domain = sender.rpartition("@")[2] or "localhost"
    if parseaddr(envelope.recipient) != ("", envelope.recipient):
        raise ValueError("it is not one plain address")
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(" ".join(envelope.sender_name.split()), addr_spec=sender)
    message["To"] = Address(addr_spec=envelope.recipient)
    message["Subject"] = envelope.content.subject
    message["Date"] = format_datetime(envelope.at)
    message["Message-ID"] = f"<{envelope.key}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(envelope.content.text)
    message.add_alternative(envelope.content.html, subtype="html")
    # at the end: making the parts moves every Content-… header into the first of them
    message["Content-Language"] = envelope.language
    return message
