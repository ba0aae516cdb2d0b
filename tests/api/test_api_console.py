"""`/` and `/docs`: what the page says, and whom it answers."""

import re
from html import unescape

import pytest
from fastapi.testclient import TestClient

from api.console.view import STATE_LABELS, bars, money_card, segments
from api.main import create_app
from api.services import build
from tests.api.deliveries import make_merchant
from tests.api.test_api_reads import open_case
from tinko_pipelines.core.analytics import documents as stored
from tinko_pipelines.core.analytics.definitions import definition, definitions
from tinko_pipelines.core.ledger.states import CaseState

CONTENTS = "/console/documents/"
# as Great Expectations writes it, in short
GREAT = """<html><head>
<link rel="stylesheet" href="https://maxcdn.bootstrapcdn.com/bootstrap/4.3.1/css/bootstrap.min.css"/>
<link rel="shortcut icon" href="../../../static/images/favicon.ico" type="image/x-icon"/>
<style>.own { color: red }</style>
<script src="https://code.jquery.com/jquery-3.7.1.min.js"></script><script>own()</script>
</head><body><img src="https://web-assets.s3.amazonaws.com/logo-long.png?d=2026" />
<h1>line_order</h1></body></html>"""


def test_the_page_shows_counts_money_and_cases_of_each_organisation(
    client, worker, merchant, settings
):
    open_case(worker, merchant, due=12_345_000)
    open_case(worker, merchant, due=49_900, back=49_900, state="recovered")
    other = make_merchant(worker, settings.credentials_key, "zenith")
    open_case(worker, other, currency="USD", due=123_456, state="awaiting_payer")
    answer = client.get("/")
    page = unescape(answer.text)
    assert answer.headers["content-type"].startswith("text/html")
    for words in (
        "Acme",
        "Zenith",
        "₹1,23,450.00",
        "₹499.00",
        "$1,234.56",
        "waiting for the payer",
    ):
        assert words in page
    assert settings.dagster_url in page
    assert settings.mail_url in page
    assert 'href="/docs"' in page


def test_the_page_before_anything_happened(client):
    assert "No organisation yet" in client.get("/").text


def test_an_organisation_before_its_first_failure(client, merchant):
    assert "No money at stake yet" in client.get("/").text


def test_what_a_merchant_wrote_is_text_and_not_markup(client, worker, settings):
    make_merchant(worker, settings.credentials_key, "<script>alert(1)</script>")
    assert "<script>alert" not in client.get("/").text.lower()


def test_the_page_asks_nothing_of_elsewhere_and_its_files_are_there(client, merchant):
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    loaded = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert len(loaded) >= 3
    for path in loaded:
        assert client.get(path).status_code == 200
    assert not re.search(r'(?:src|rel="stylesheet" href)="https?:', page.text)


def test_the_part_that_is_polled_is_the_same_without_the_frame(client, merchant):
    part = client.get("/console/overview").text
    assert "<html" not in part
    assert "Acme" in part


def test_only_this_machine_is_answered(settings, merchant):
    app = create_app(build(settings))
    for client, host, expected in (
        ("127.0.0.1", "127.0.0.1:8000", 200),
        ("::1", "localhost:8000", 200),
        ("10.0.0.7", "127.0.0.1:8000", 403),
        ("127.0.0.1", "rebound.example", 403),
    ):
        with TestClient(app, base_url=f"http://{host}", client=(client, 1)) as browser:
            answer = browser.get("/")
            assert answer.status_code == expected
            assert ("Acme" in answer.text) == (expected == 200)


def test_every_figure_says_what_it_means_in_the_words_of_the_definitions(client, worker, merchant):
    open_case(worker, merchant, due=1000)
    page = client.get("/console/overview").text
    label = r"(?:<h2>|<dt>|class=\"n\">)([A-Za-z ]+)<"
    plain = set(re.findall(label, page)) - {"Attempts", "Work", "Last cases", "Amount"}
    assert plain == set(), "a figure without its meaning"
    told = re.findall(r'<dfn tabindex="0" aria-description="([^"]+)"[^>]*>([^<]+)</dfn>', page)
    said = {label: unescape(text) for text, label in told}
    assert said["At risk"] == definition("at_risk_minor").text
    assert said["INR recovered"] == definition("kept_minor").text
    assert said["tried"] == definition("tried").text
    assert len(said) == 11
    assert set(said.values()) <= {one.text for one in definitions().values()}


@pytest.fixture
def written(settings, tmp_path, monkeypatch):
    """Pages of a batch and of dbt in their folders, and a file beside them that is none of them."""
    page = tmp_path / "quality" / "validations" / "payouts" / "1" / "a batch.html"
    page.parent.mkdir(parents=True)
    page.write_text(GREAT)
    (tmp_path / "dbt").mkdir()
    (tmp_path / "dbt" / "index.html").write_text("<script>models()</script>")
    (tmp_path / "secret.txt").write_text("not for you")
    monkeypatch.setattr(stored, "DOCS", tmp_path / "dbt")
    return settings.model_copy(update={"quality_docs_dir": str(tmp_path / "quality")})


def test_a_browser_opens_what_dbt_and_the_checks_wrote(written):
    local = {"base_url": "http://127.0.0.1:8000", "client": ("127.0.0.1", 1)}
    with TestClient(create_app(build(written)), **local) as browser:
        links = re.findall(r'href="(/console/documents/[^"]+)"', browser.get(CONTENTS).text)
        assert links == [
            f"{CONTENTS}dbt/index.html",
            f"{CONTENTS}quality/validations/payouts/1/a%20batch.html",
        ]
        pages = [browser.get(link) for link in links]
        assert ["models()" in pages[0].text, "line_order" in pages[1].text] == [True, True]
        for page in pages:
            assert page.headers["content-type"].startswith("text/html")
            assert page.headers["content-security-policy"].startswith("sandbox allow-scripts;")
        # its looks are asked of nobody else, and its own stand behind what is put in their place
        great = pages[1].text
        assert re.findall(r'(?:src|href)="(?:https?:)?//', great) == []
        assert 'src="../../../static/images/logo-long.png"' in great
        assert great.index(".alert-secondary") < great.index(".own {")
        assert "own()" in great
        home = browser.get(CONTENTS + "quality/index.html", follow_redirects=False)
        assert (home.status_code, home.headers["location"]) == (307, CONTENTS)
        for gone in ("quality/%2e%2e/secret.txt", "quality//etc/hostname", "nothing/x", "dbt/x"):
            assert browser.get(CONTENTS + gone).status_code == 404


def test_those_pages_answer_this_machine_only(written):
    elsewhere = {"base_url": "http://127.0.0.1:8000", "client": ("10.0.0.7", 1)}
    with TestClient(create_app(build(written)), **elsewhere) as browser:
        for path in ("", "dbt/index.html"):
            assert browser.get(CONTENTS + path).status_code == 403


def test_the_docs_name_every_route(client):
    page = client.get("/docs").text
    paths = client.get("/openapi.json").json()["paths"]
    assert "/v1/webhooks/stripe/{connection_id}" in paths
    assert all(path in page for path in paths)


def test_every_case_state_has_a_label():
    assert set(STATE_LABELS) == set(CaseState)


def test_segments_add_up_to_the_whole_bar():
    made = segments({"recovered": 1, "retrying": 1, "cancelled": 1})
    assert [item.count for item in made] == [1, 1, 1]
    assert abs(made[-1].x + made[-1].width - 100) < 0.01
    assert segments({}) == []


def test_bars_scale_to_the_best_day_and_a_loss_is_no_negative_bar():
    made = bars([0, 50, 100, -20], "INR")
    assert [bar.height for bar in made] == [1.0, 48.0, 96.0, 1.0]
    assert made[-1].title == "today: -₹0.20"
    assert bars([], "INR") == []


def test_the_share_is_of_what_failed():
    row = {"currency": "JPY", "recovered_minor": 300, "at_risk_minor": 600, "lost_minor": 100}
    card = money_card(row, [])
    assert (card.recovered, card.share) == ("¥300", 30.0)
    nothing = {"currency": "JPY", "recovered_minor": 0, "at_risk_minor": 0, "lost_minor": 0}
    assert money_card(nothing, []).share == 0.0
