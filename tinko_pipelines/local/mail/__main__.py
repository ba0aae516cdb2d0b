"""`python -m tinko_pipelines.local.mail --data DIR --port N --smtp-port N`: the mail and SMS sink.

TWILIO_AUTH_TOKEN, where set, is the password its Twilio-shaped endpoint asks for.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

import uvicorn
from aiosmtpd.smtp import SMTP

from tinko_pipelines.local.mail.smtp import Sink
from tinko_pipelines.local.mail.store import Store
from tinko_pipelines.local.mail.web import application
from tinko_pipelines.local.ports import HOST

_MAX_BYTES = 10 * 1024 * 1024


async def serve(data_dir: Path, port: int, smtp_port: int) -> None:
    """Serve SMTP and HTTP in one loop until a signal ends it."""
    store = Store(data_dir / "messages.sqlite")
    sink = Sink(store)
    receiver = await asyncio.get_running_loop().create_server(
        lambda: SMTP(sink, data_size_limit=_MAX_BYTES, enable_SMTPUTF8=True, ident="tinko sink"),
        host=HOST,
        port=smtp_port,
    )
    web = application(store, os.environ.get("TWILIO_AUTH_TOKEN", ""))
    config = uvicorn.Config(
        web,
        host=HOST,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    try:
        await uvicorn.Server(config).serve()
    finally:
        receiver.close()
        store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8025)
    parser.add_argument("--smtp-port", type=int, default=1025)
    options = parser.parse_args()
    asyncio.run(serve(options.data.resolve(), options.port, options.smtp_port))


if __name__ == "__main__":
    main()
