"""A SeaweedFS server of a test's or a proof's own."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

from pydantic import SecretStr

from tinko_pipelines.core.archival.store import ArchiveStore
from tinko_pipelines.core.settings import Settings
from tinko_pipelines.local import ports, probes, process, s3

ACCESS, SECRET = "TINKOTEST", "secret-of-the-tests"
_numbers = itertools.count(1)


class S3Server:
    """`with S3Server(folder) as server`. `kill` and `start` are a crash and a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.ports = ports.Ports(s3=ports.free_port(name="s3"))
        self._process = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports.s3}"

    def start(self) -> None:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        self._process = process.spawn(
            s3.command(data, self.ports),
            log=self.folder / "log",
            env={**os.environ, **s3.environment(ACCESS, SECRET)},
        )
        ready = probes.object_store(self.ports)
        deadline = time.monotonic() + 60
        while ready() is not None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(process.tail(self.folder / "log", 40))
            time.sleep(0.05)

    def kill(self) -> None:
        process.kill(process.members(self._process.pid))
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None:
            process.stop(self._process)

    def __enter__(self) -> S3Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def settings(self, bucket: str, **more: object) -> Settings:
        """Settings of a platform whose archive is `bucket` of this server."""
        return Settings(
            s3_bucket=bucket,
            s3_endpoint_url=self.url,
            s3_access_key=SecretStr(ACCESS),
            s3_secret_key=SecretStr(SECRET),
            **more,
        )

    def store(self, bucket: str | None = None) -> ArchiveStore:
        """A bucket, made where it is missing."""
        name = bucket or f"archive-{next(_numbers)}"
        store = ArchiveStore.from_settings(self.settings(name))
        if name not in {one["Name"] for one in store.client.list_buckets()["Buckets"]}:
            store.client.create_bucket(Bucket=name)
        return store
