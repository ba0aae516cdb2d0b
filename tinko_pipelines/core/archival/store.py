"""The archive's bucket: whole files in, whole files out, over any S3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
from boto3.exceptions import Boto3Error  # type: ignore[import-untyped]
from boto3.s3.transfer import TransferConfig  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from tinko_pipelines.core.archival.model import ArchiveStoreError
from tinko_pipelines.core.settings import Settings

_MEBIBYTE = 1024 * 1024
# parts of one file at once: memory, and two cores
_TRANSFER = TransferConfig(
    multipart_threshold=16 * _MEBIBYTE, multipart_chunksize=8 * _MEBIBYTE, max_concurrency=2
)
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 4},
    s3={"addressing_style": "path"},
    # not every S3 knows the newer checksums; ours are the manifest's
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


@dataclass(frozen=True)
class ArchiveStore:
    """One bucket. Every method raises ArchiveStoreError where the store does not do it."""

    bucket: str
    client: Any

    @classmethod
    def from_settings(cls, settings: Settings) -> ArchiveStore | None:
        """The bucket that S3_BUCKET names; None where none is set."""
        if not settings.s3_bucket:
            return None
        access, secret = settings.s3_access_key, settings.s3_secret_key
        client = boto3.client(
            "s3",
            endpoint_url=settings.s3_endpoint_url,
            aws_access_key_id=access.get_secret_value() if access else None,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            # an endpoint of one's own has no regions, and AWS finds its own
            region_name="us-east-1" if settings.s3_endpoint_url else None,
            config=_CONFIG,
        )
        return cls(settings.s3_bucket, client)

    @classmethod
    def of_client(cls, bucket: str, client: Any) -> ArchiveStore:
        """A bucket over a client that somebody else made: Dagster's S3Resource."""
        return cls(bucket, client)

    def put_file(self, key: str, path: Path) -> None:
        with _saying(f"storing {key}"):
            self.client.upload_file(str(path), self.bucket, key, Config=_TRANSFER)

    def put(self, key: str, body: bytes, kind: str = "application/json") -> None:
        with _saying(f"storing {key}"):
            self.client.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=kind)

    def get_file(self, key: str, path: Path) -> None:
        with _saying(f"reading {key}"):
            self.client.download_file(self.bucket, key, str(path), Config=_TRANSFER)

    def get(self, key: str) -> bytes:
        with _saying(f"reading {key}"):
            body: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            return body

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes by key, of everything under `prefix`."""
        with _saying(f"listing {prefix}"):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix
            )
            return {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", ())}

    def clear(self, prefix: str) -> int:
        """Delete what a broken-off run left under `prefix`, half uploads too; how many objects."""
        keys = list(self.sizes(prefix))
        with _saying(f"clearing {prefix}"):
            for key in keys:
                self.client.delete_object(Bucket=self.bucket, Key=key)
            left = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=prefix)
            for one in left.get("Uploads", ()):
                self.client.abort_multipart_upload(
                    Bucket=self.bucket, Key=one["Key"], UploadId=one["UploadId"]
                )
        return len(keys)


@contextmanager
def _saying(what: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise ArchiveStoreError(f"{what}: {error}") from error
