"""`python -m tinko_pipelines.local.chserver --data DIR --port N`: serve chDB over HTTP.

The writer's password comes from CHSERVER_WRITER_PASSWORD (required: whoever has it may write),
the reader's from CHSERVER_READER_PASSWORD (empty by default).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import uvicorn

from tinko_pipelines.local.chserver.app import Application
from tinko_pipelines.local.chserver.engine import Engine
from tinko_pipelines.local.chserver.profiles import READER, WRITER
from tinko_pipelines.local.chserver.request import Users


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8123)
    options = parser.parse_args()
    password = os.environ.get("CHSERVER_WRITER_PASSWORD")
    if not password:
        sys.exit("CHSERVER_WRITER_PASSWORD is not set: refusing to let anyone write")
    users = Users(password, os.environ.get("CHSERVER_READER_PASSWORD", ""))
    engine = Engine(options.data.resolve(), (WRITER, READER))
    uvicorn.run(
        Application(engine, users),
        host="127.0.0.1",
        port=options.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
