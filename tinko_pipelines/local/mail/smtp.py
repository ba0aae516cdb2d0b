"""The SMTP side: every message for anybody is taken."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tinko_pipelines.local.mail.store import Message, Store


def read_email(content: bytes, sender: str, recipient: str) -> Message:
    """A received e-mail as a Message; bodies are decoded, attachments are left out."""
    parsed = message_from_bytes(content, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return Message(
        channel="email",
        sender=str(parsed.get("From") or sender),
        recipient=recipient,
        subject=str(parsed.get("Subject") or ""),
        text=_body(parsed, "plain"),
        html=_body(parsed, "html"),
    )


def _body(parsed: EmailMessage, kind: str) -> str:
    part = parsed.get_body((kind,))
    return "" if part is None else str(part.get_content()).replace("\r\n", "\n")


class Sink:
    """aiosmtpd's handler: answers 250 once the message is kept."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        for recipient in envelope.rcpt_tos:
            content: Any = envelope.content
            self._store.add(read_email(content, envelope.mail_from or "", recipient))
        return "250 Message kept"
