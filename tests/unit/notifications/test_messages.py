import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from tinko_pipelines.core.failures.taxonomy import Category, PayerReason, payer_reason
from tinko_pipelines.core.money import Money
from tinko_pipelines.core.notifications.languages import (
    CATALOGUE,
    LANGUAGES,
    catalogue,
    format_date,
    gaps,
    pick_language,
    reason_text,
)
from tinko_pipelines.core.notifications.messages import (
    MESSAGES,
    PARTS,
    TEMPLATES,
    MessageBroken,
    payment_link_facts,
    render,
)
from tinko_pipelines.core.notifications.outbox import payer_reason_key

EXPIRES = datetime(2026, 3, 16, 20, 0, tzinfo=UTC)  # the 17th in India
LINK = "https://pay.example/pay/abc.def?lang=en"


def facts(language, **changes):
    values = {
        "language": language,
        "merchant": "Asha Yoga",
        "amount": Money(12345000, "INR"),
        "reason": "funds",
        "link": LINK,
        "expires_at": EXPIRES,
        "timezone": "Asia/Kolkata",
        "description": "March",
        "payer_name": "Meena",
    }
    return payment_link_facts(**values | changes)


class Parsed(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def test_every_message_has_every_part_in_every_language():
    missing = [
        f"{message}/{language}/{part}"
        for message in MESSAGES
        for language in LANGUAGES
        for part in PARTS
        if not (TEMPLATES / message / language / part).is_file()
    ]
    assert missing == []


def test_the_catalogue_has_no_gaps():
    assert gaps(CATALOGUE) == []


def test_a_gap_is_named(tmp_path):
    for language in LANGUAGES:
        (tmp_path / f"{language}.yaml").write_text("a: {b: 'x {name}'}\nc: d\n")
    (tmp_path / "ta.yaml").write_text("a: {b: 'x'}\n")
    assert gaps(tmp_path) == [
        f"{tmp_path.name}/ta.yaml: placeholders of a.b differ",
        f"{tmp_path.name}/ta.yaml lacks c",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_category_has_a_reason_in_the_payers_words(language):
    texts = catalogue(CATALOGUE, language)
    missing = [
        f"{language}: {category} -> reasons.{payer_reason(category)}"
        for category in Category
        if f"reasons.{payer_reason(category)}" not in texts
    ]
    assert missing == []
    unused = {key for key in texts if key.startswith("reasons.")} - {
        f"reasons.{reason}" for reason in PayerReason
    }
    assert unused == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_fraud_reads_as_a_plain_decline(language):
    plain = reason_text(payer_reason_key("do_not_honor"), language)
    assert reason_text(payer_reason_key("fraud_risk"), language) == plain
    assert reason_text(payer_reason_key("lost_or_stolen"), language) == plain
    assert reason_text(payer_reason_key("a category of a later version"), language) == plain
    assert reason_text(payer_reason_key(None), language) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_bodies_say_the_same_and_hold_the_link(language):
    content = render("payment_link", language, facts(language))
    page = Parsed(content.html)
    reason = reason_text("funds", language)
    for words in ("Asha Yoga", "₹1,23,450.00", reason, "March", "Meena", "17 "):
        assert words in content.text
        assert words in page.text
    assert LINK in content.text.splitlines()
    assert {attributes.get("href") for tag, attributes in page.tags if tag == "a"} == {LINK}
    assert dict(page.tags)["html"]["lang"] == language
    assert "₹1,23,450.00" in content.subject
    assert LINK in content.sms
    assert "\n" not in content.subject + content.sms


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_in_the_mail_comes_from_another_server(language):
    page = Parsed(render("payment_link", language, facts(language)).html)
    assert not {"img", "link", "script", "iframe"} & {tag for tag, _ in page.tags}
    assert not any("src" in attributes for _, attributes in page.tags)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_not_known_leaves_no_hole(language):
    content = render(
        "payment_link", language, facts(language, reason=None, description=None, payer_name="")
    )
    assert "None" not in content.text + content.html
    assert "()" not in content.text
    assert not re.search(r"\n{3,}", content.text)
    assert not re.search(r" [,.।]", content.text)


def test_html_escapes_what_merchants_and_payers_are_called():
    content = render(
        "payment_link",
        "en",
        facts("en", merchant="<b>Evil & Sons</b>", payer_name='"><script>alert(1)</script>'),
    )
    assert "<script>" not in content.html
    assert "&lt;b&gt;Evil &amp; Sons&lt;/b&gt;" in content.html
    assert "<b>Evil & Sons</b>" in content.text


def test_a_subject_is_one_line_whatever_the_name_holds():
    content = render("payment_link", "en", facts("en", merchant="A\r\nBcc: x@example.com"))
    assert "\n" not in content.subject
    assert "\r" not in content.subject


@pytest.mark.parametrize(("message", "language"), [("nope", "en"), ("payment_link", "xx")])
def test_an_unknown_message_or_language_is_an_error(message, language):
    with pytest.raises(MessageBroken):
        render(message, language, facts("en"))


@pytest.mark.parametrize(
    ("wanted", "spoken"),
    [
        (("hi-IN",), "hi"),
        (("ta_IN",), "ta"),
        (("TA",), "ta"),
        (("fr", None, "hi"), "hi"),
        ((None, ""), "en"),
        (("../../etc",), "en"),
    ],
)
def test_the_first_language_we_speak_is_spoken(wanted, spoken):
    assert pick_language(*wanted) == spoken


def test_dates_are_the_merchants_days():
    assert format_date(EXPIRES, "Asia/Kolkata", "en") == "17 March 2026"
    assert format_date(EXPIRES, "Asia/Kolkata", "ta") == "17 மார்ச் 2026"
    assert format_date(EXPIRES, "America/New_York", "en") == "16 March 2026"
    assert format_date(EXPIRES, "No/Where", "hi") == "16 मार्च 2026"
