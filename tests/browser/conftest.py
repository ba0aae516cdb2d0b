"""A real Chromium on the payer's page, served by uvicorn over a real Postgres."""

import os
import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import uvicorn
from playwright.sync_api import expect, sync_playwright

from tests.integration.notifications import pay_app, payer_world
from tinko_pipelines.core.psp.types import HandOver
from tinko_pipelines.local.ports import free_port

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60_000  # ms; the machine may be busy with other tests
expect.set_options(timeout=PATIENCE)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium():
    """The browser of `CHROMIUM` or of the path; the tests fail without one, they do not skip."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail(
            "no Chromium was found: run `make chromium` (Debian: `apt-get install chromium"
            " fonts-noto-core`), or set CHROMIUM to the path of one",
            pytrace=False,
        )
    return found


# of the module: while Playwright runs, no other test of the session could run an event loop
@pytest.fixture(scope="module")
def chromium():
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium):
    """Pages of a phone's size; a failed request or script error of any of them fails the test."""
    contexts, troubles = [], []

    def make(**options):
        options = {"viewport": {"width": 390, "height": 844}, "locale": "en-IN"} | options
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda line: (
                troubles.append(line.text)
                if line.type == "error" and "Failed to load resource" not in line.text
                else None
            ),
        )
        return page

    yield make
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def world(database, port):
    return payer_world.open_world(database, public_url=f"http://127.0.0.1:{port}")


class Hosted(ThreadingHTTPServer):
    """The PSP's own page: shows a pay button, and on it settles the debt and sends back."""

    daemon_threads = True

    def __init__(self, on_paid):
        self.posted, self.visits = [], 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/favicon.ico":
                    self.send_response(204)
                    self.end_headers()
                    return
                outer.visits += 1
                self.page(parse_qs(urlsplit(self.path).query)["return"][0])

            def do_POST(self):
                length = int(self.headers.get("Content-Length") or 0)
                fields = parse_qs(self.rfile.read(length).decode())
                if urlsplit(self.path).path == "/done":
                    on_paid()
                    self.send_response(303)
                    self.send_header("Location", fields["return"][0])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                outer.visits += 1
                outer.posted.append(
                    (fields, self.headers.get("Origin"), self.headers.get("Referer"))
                )
                self.page(fields["callback_url"][0])

            def page(self, back):
                body = (
                    '<!doctype html><title>Hosted</title><form method="post" action="/done">'
                    f'<input type="hidden" name="return" value="{back}">'
                    "<button>Pay now</button></form>"
                ).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server_port}"


class HostedDoors(pay_app.Doors):
    """Opens the stand-in hosted page, by redirect or by form, as slowly as a PSP may."""

    def __init__(self):
        super().__init__()
        self.hosted, self.by_form, self.delay = None, False, 0.0

    def __call__(self, *arguments):
        super().__call__(*arguments)
        time.sleep(self.delay)
        back = self.asked[-1].return_url
        if self.by_form:
            return HandOver(
                self.hosted.base + "/checkout",
                post=True,
                fields={"key_id": "rzp_test", "callback_url": back},
            )
        return HandOver(f"{self.hosted.base}/pay?return={quote(back, safe='')}")


@pytest.fixture
def doors(world):
    """The way to the hosted page; paying there is recorded as a webhook would do it."""
    made = HostedDoors()
    made.hosted = Hosted(lambda: world.pay(made.asked[-1].obligation_id))
    threading.Thread(target=made.hosted.serve_forever, daemon=True).start()
    yield made
    made.hosted.shutdown()
    made.hosted.server_close()


@pytest.fixture
def site(world, doors, port):
    """The running app; `site(debt)` is the address of a debt's payment page."""
    config = uvicorn.Config(
        pay_app.make_app(world, doors), host="127.0.0.1", port=port, log_level="warning"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "uvicorn did not start"
        time.sleep(0.02)
    yield (
        lambda debt, **options: f"http://127.0.0.1:{port}" + pay_app.link_of(world, debt, **options)
    )
    server.should_exit = True
    thread.join(10)
