"""The client side of the webhook benchmark: signed events, closed and open loop.

Saturation is measured by wrk (closed loop). Latency at a given rate is measured by `paced`, an
open loop: requests have their own times (Poisson, seeded), whether earlier ones are answered or
not, and a latency counts from that time, so that a stall is not hidden (coordinated omission).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import resource
import shutil
import subprocess
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

LUA = Path(__file__).with_name("webhook_load.lua")
BODY_BYTES = 1024
Signed = tuple[str, bytes]


@dataclass(frozen=True)
class Load:
    """What a client saw. `acknowledged` are 2xx answers; times in seconds and milliseconds."""

    requests: int
    acknowledged: int
    seconds: float
    p50_ms: float
    p99_ms: float
    client_cpu: float  # of one core

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def signed_events(count: int, secret: str, run: str) -> list[Signed]:
    """`count` events of 1 kB, each with an id and body of its own, signed as of now.

    Stripe's tolerance is 300 s, so they are for a run that ends before.
    """
    stamp = int(time.time())
    made = []
    for number in range(count):
        name = f"{run}{number:014d}"
        event = {
            "id": f"evt_{name}",
            "object": "event",
            "api_version": "2026-10-28",
            "created": stamp,
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": f"req_{name}", "idempotency_key": None},
            "type": "charge.failed",
            "data": {
                "object": {
                    "id": f"ch_{name}",
                    "object": "charge",
                    "amount": 49900,
                    "currency": "usd",
                    "customer": f"cus_{name}",
                    "payment_intent": f"pi_{name}",
                    "payment_method": f"pm_{name}",
                    "failure_code": "card_declined",
                    "outcome": {"reason": "insufficient_funds", "type": "issuer_declined"},
                    "status": "failed",
                    "description": "",
                }
            },
        }
        raw = json.dumps(event)
        padding = "x" * (BODY_BYTES - len(raw))
        raw = raw.replace('"description": ""', f'"description": "{padding}"')
        mac = hmac.new(secret.encode(), f"{stamp}.{raw}".encode(), hashlib.sha256).hexdigest()
        made.append((f"t={stamp},v1={mac}", raw.encode()))
    return made


def wrk(
    url: str, path: str, events: list[Signed], folder: Path, seconds: int, clients: int
) -> Load:
    """Saturate with wrk. Raises RuntimeError where wrk is missing or ran out of events."""
    program = shutil.which("wrk")
    if program is None:
        raise RuntimeError("wrk is not installed: `apt-get install wrk`")
    file = folder / "events.txt"
    file.write_bytes(b"".join(b"%s\t%s\n" % (sign.encode(), raw) for sign, raw in events))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [
            *(program, "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "10s"),
            *("-s", str(LUA), url, "--", str(file), path),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    file.unlink()
    said = json.loads(done.stdout.strip().splitlines()[-1])
    if said["requests"] + clients > len(events):
        raise RuntimeError(f"{len(events)} events were too few for {said['requests']} requests")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Load(
        requests=said["requests"],
        acknowledged=said["requests"] - said["refused"],
        seconds=said["seconds"],
        p50_ms=said["p50_ms"],
        p99_ms=said["p99_ms"],
        client_cpu=used / said["seconds"],
    )


@dataclass
class _Paced:
    """Connections that are free, requests that wait for one, and the latencies so far."""

    # used in turn: one that rests for 5 s is closed by the server
    free: deque[_Client] = field(default_factory=deque)
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)
    latencies: list[float] = field(default_factory=list)
    acknowledged: int = 0

    def offer(self, due: float, request: bytes) -> None:
        if self.free:
            self.free.popleft().send(due, request)
        else:
            self.waiting.append((due, request))


class _Client(asyncio.Protocol):
    """One kept-alive connection with one request on its way."""

    def __init__(self, paced: _Paced) -> None:
        self._paced = paced
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._paced.free.append(self)

    def send(self, due: float, request: bytes) -> None:
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(body) < length:
            return
        self._buffer = b""
        self._paced.latencies.append(time.perf_counter() - self._due)
        self._paced.acknowledged += head.startswith(b"HTTP/1.1 2")
        if self._paced.waiting:
            self.send(*self._paced.waiting.popleft())
        else:
            self._paced.free.append(self)


async def _drive(host: str, port: int, requests: list[bytes], rate: float, clients: int) -> _Paced:
    loop = asyncio.get_running_loop()
    paced, draw = _Paced(), random.Random(1)
    for _ in range(clients):
        await loop.create_connection(lambda: _Client(paced), host, port)
    due = time.perf_counter()
    for request in requests:
        due += draw.expovariate(rate)
        late = due - time.perf_counter()
        if late > 0:
            await asyncio.sleep(late)
        paced.offer(due, request)
    deadline = time.perf_counter() + 30
    while len(paced.latencies) < len(requests) and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    return paced


def paced(
    host: str, port: int, path: str, events: list[Signed], rate: float, clients: int = 256
) -> Load:
    """Send every event once, `rate` a second on average."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
    requests = [
        f"{head}Stripe-Signature: {sign}\r\nContent-Length: {len(raw)}\r\n\r\n".encode() + raw
        for sign, raw in events
    ]
    started, cpu = time.perf_counter(), time.process_time()
    done = uvloop.run(_drive(host, port, requests, rate, clients))
    seconds = time.perf_counter() - started
    ordered = sorted(done.latencies)
    return Load(
        requests=len(requests),
        acknowledged=done.acknowledged,
        seconds=seconds,
        p50_ms=1000 * ordered[len(ordered) // 2],
        p99_ms=1000 * ordered[int(len(ordered) * 0.99)],
        client_cpu=(time.process_time() - cpu) / seconds,
    )
