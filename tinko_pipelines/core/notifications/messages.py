"""The words of each message: `templates/<message>/<language>/{subject.txt, body.txt, …}`.

Text templates are text, HTML ones escape what is put into them. A name without a value is an
error and not a gap in the mail.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from tinko_pipelines.core.errors import TinkoError
from tinko_pipelines.core.money import Money
from tinko_pipelines.core.notifications.languages import LANGUAGES, format_date, reason_text

TEMPLATES = Path(__file__).parent / "templates"
PAYMENT_LINK = "payment_link"
# what a template of each message must have, in every language
PARTS = ("subject.txt", "body.txt", "body.html", "sms.txt")
MESSAGES = (PAYMENT_LINK,)


class MessageBroken(TinkoError):
    """A message cannot be rendered: an unknown name, or a template with a mistake."""

    code, title = "message_broken", "The message could not be written"


@dataclass(frozen=True, slots=True)
class Content:
    """One message, ready for any channel."""

    subject: str
    text: str
    html: str
    sms: str


@dataclass(frozen=True, slots=True)
class PaymentLinkFacts:
    """What `payment_link` says. `valid_until` and the rest are in the payer's words already."""

    merchant: str
    amount: str
    link: str
    valid_until: str
    reason: str | None = None
    description: str | None = None
    payer_name: str | None = None


def payment_link_facts(
    *,
    language: str,
    merchant: str,
    amount: Money,
    reason: str | None,
    link: str,
    expires_at: datetime,
    timezone: str,
    description: str | None = None,
    payer_name: str | None = None,
) -> PaymentLinkFacts:
    """The facts in `language`; `reason` is a PayerReason key, `timezone` the merchant's."""
    return PaymentLinkFacts(
        merchant=merchant,
        amount=amount.format(),
        link=link,
        valid_until=format_date(expires_at, timezone, language),
        reason=reason_text(reason, language),
        description=description or None,
        payer_name=payer_name or None,
    )


def render(message: str, language: str, facts: PaymentLinkFacts) -> Content:
    """Write `message` in `language` (one of LANGUAGES). Raises MessageBroken."""
    if message not in MESSAGES or language not in LANGUAGES:
        raise MessageBroken(f"there is no message {message!r} in {language!r}")
    values = asdict(facts)
    try:
        subject, text, html, sms = (
            _environment().get_template(f"{message}/{language}/{part}").render(values)
            for part in PARTS
        )
    except TemplateError as error:
        raise MessageBroken(f"{message}/{language}: {error}") from error
    # a header is one line, whatever a merchant's name holds
    return Content(" ".join(subject.split()), text.strip() + "\n", html, " ".join(sms.split()))


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=lambda name: bool(name and name.endswith(".html")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
