"""`python -m tinko_pipelines.sandbox --port 8090 --data DIR`.

Environment: SANDBOX_SECRET (required), SANDBOX_CLOCK_DSN (libpq URL of the database that holds
`business_clock`), MAIL_URL (the mail page), SANDBOX_URL (how others reach it).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import uvicorn

from tinko_pipelines.sandbox.app import PSPS, make_app
from tinko_pipelines.sandbox.wire import DroppableProtocol


def main(argv: list[str] | None = None) -> int:
    """Serve until stopped; 2 when the environment lacks what it needs."""
    parser = argparse.ArgumentParser(prog="python -m tinko_pipelines.sandbox")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--psp", action="append", choices=PSPS, help="only this one; repeatable")
    options = parser.parse_args(argv)
    secret = os.environ.get("SANDBOX_SECRET", "")
    if not secret:
        sys.stderr.write("SANDBOX_SECRET is not set: the keys of the accounts derive from it\n")
        return 2
    app = make_app(
        options.data,
        secret=secret,
        base_url=os.environ.get("SANDBOX_URL", f"http://{options.host}:{options.port}"),
        clock_dsn=os.environ.get("SANDBOX_CLOCK_DSN") or None,
        mail_url=os.environ.get("MAIL_URL") or None,
        psps=tuple(options.psp or PSPS),
    )
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        http=DroppableProtocol,
        loop="uvloop",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
