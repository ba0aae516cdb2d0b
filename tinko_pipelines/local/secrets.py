"""The stack's own random secrets, made once and kept in `.tinko/secrets.json` (mode 0600)."""

from __future__ import annotations

import base64
import json
import os
import secrets as random
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Secrets:
    """One random value each; `credentials_key` is a Fernet key, the rest are URL-safe text."""

    postgres: str
    tinko_owner: str
    tinko_app: str
    tinko_worker: str
    tinko_readonly: str
    clickhouse_writer: str
    s3_access_key: str
    s3_secret_key: str
    sandbox: str
    jwt: str
    credentials_key: str
    twilio_token: str

    def password(self, role: str) -> str:
        """The password of a Postgres login role. Raises KeyError for a role without one."""
        if role not in {"postgres", "tinko_owner", "tinko_app", "tinko_worker", "tinko_readonly"}:
            raise KeyError(f"{role} is not a login role of the stack")
        return str(getattr(self, role))


def _make(name: str) -> str:
    if name == "credentials_key":
        return base64.urlsafe_b64encode(random.token_bytes(32)).decode()
    if name == "s3_access_key":
        return "TINKO" + random.token_hex(8).upper()
    return random.token_hex(20)


def fresh() -> Secrets:
    """New random secrets, kept nowhere. For tests."""
    return Secrets(**{item.name: _make(item.name) for item in fields(Secrets)})


def load_or_create(path: Path) -> Secrets:
    """The secrets in `path`; whatever is not there yet is made and written (0600, atomically)."""
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    known = {item.name for item in fields(Secrets)}
    values = {name: kept.get(name) or _make(name) for name in known}
    if values != kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(asdict(Secrets(**values)), stream, indent=2, sort_keys=True)
        temporary.replace(path)
    return Secrets(**values)
