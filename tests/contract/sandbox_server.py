"""A sandbox over real HTTP for a test, and a receiver of its webhooks."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import uvicorn

from tinko_pipelines.local.ports import free_port
from tinko_pipelines.sandbox.app import PSPS, make_app
from tinko_pipelines.sandbox.wire import DroppableProtocol

SECRET = "a-secret-of-the-tests"


class Receiver:
    """Takes webhooks; `status` is what it answers next. `got` holds (headers, raw body)."""

    def __init__(self):
        self.got, self.status = [], 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def events(self):
        return [json.loads(body) for _, body in self.got]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Sandbox:
    """The whole application under uvicorn in a thread."""

    def __init__(self, data, port=None, psps=PSPS, mail_url=None, clock_dsn=None):
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.app = make_app(
            data, secret=SECRET, base_url=self.url, psps=psps, mail_url=mail_url,
            clock_dsn=clock_dsn,
        )  # fmt: skip
        config = uvicorn.Config(
            self.app, host="127.0.0.1", port=self.port, http=DroppableProtocol, log_level="error"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.01)
        self._http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def control(self, method, name, **body):
        """One call of the control API; its answer, whatever its status."""
        return self._http.request(method, f"/_sandbox/{name}", json=body or None)

    def ask(self, method, name, **body):
        """One call of the control API that must work; its JSON."""
        answer = self.control(method, name, **body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, url):
        return self._http.get(url)

    def post(self, url, **fields):
        return self._http.post(url, data=fields)

    def close(self):
        self._http.close()
        self._server.should_exit = True
        self._thread.join(timeout=10)
