"""Read one HTTP request of ClickHouse's interface into what to run and as whom. Pure."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from tinko_pipelines.local.chserver.coding import decode
from tinko_pipelines.local.chserver.errors import AUTHENTICATION_FAILED, NOT_IMPLEMENTED, refused
from tinko_pipelines.local.chserver.profiles import READER, WRITER, Profile
from tinko_pipelines.local.chserver.statement import Statement, read_statement

# parameters of the interface itself; whatever else a client sends is a setting
_NAMES = (
    "query database default_format user password session_id session_timeout session_check query_id "
    "quota_key compress decompress enable_http_compression http_zlib_compression_level role "
    "buffer_size wait_end_of_query stacktrace client_protocol_version http_response_headers "
    "send_progress_in_http_headers http_headers_progress_interval_ms "
    "cancel_http_readonly_queries_on_client_close close_session add_http_cors_header"
)
_INTERFACE = frozenset(_NAMES.split())


@dataclass(frozen=True, slots=True)
class Query:
    """What to run: within `database`, with `settings` and bound `params`, answered in `format`."""

    statement: Statement
    database: str
    format: str
    params: dict[str, str]
    settings: dict[str, str]
    query_id: str


@dataclass(frozen=True, slots=True)
class Users:
    """The two passwords. `default` is an alias of the reader, for clients that ask for no user."""

    writer_password: str
    reader_password: str = ""

    def profile(self, name: str, password: str) -> Profile:
        """Who this is. Raises EngineError 516 as ClickHouse does, for a wrong name as for a
        wrong password."""
        known = {
            WRITER.name: (WRITER, self.writer_password),
            READER.name: (READER, self.reader_password),
            "default": (READER, self.reader_password),
        }
        profile, expected = known.get(name, (READER, None))
        if expected is None or not hmac.compare_digest(password.encode(), expected.encode()):
            raise refused(
                AUTHENTICATION_FAILED,
                "AUTHENTICATION_FAILED",
                f"{name}: Authentication failed: password is incorrect, or there is no user with "
                "such name.",
            )
        return profile


def credentials(headers: Mapping[str, str], parameters: Mapping[str, str]) -> tuple[str, str]:
    """(user, password) from Basic auth, ClickHouse's headers or the parameters, in that order."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return name or "default", password
    if "x-clickhouse-user" in headers:
        return headers["x-clickhouse-user"], headers.get("x-clickhouse-key", "")
    return parameters.get("user") or "default", parameters.get("password", "")


def read_query(
    parameters: Mapping[str, str], headers: Mapping[str, str], body: bytes, query_id: str
) -> Query:
    """The query of a request. Raises EngineError for what cannot be read or is not supported."""
    if parameters.get("decompress", "0") not in {"", "0", "false"}:
        raise refused(
            NOT_IMPLEMENTED,
            "NOT_IMPLEMENTED",
            "ClickHouse's own block compression is not supported here; use Content-Encoding",
        )
    plain = decode(body, headers.get("content-encoding", "").strip().lower())
    return Query(
        statement=read_statement(parameters.get("query", "").encode(), plain),
        database=parameters.get("database") or headers.get("x-clickhouse-database") or "default",
        format=(
            parameters.get("default_format") or headers.get("x-clickhouse-format") or "TabSeparated"
        ),
        params={
            name.removeprefix("param_"): value
            for name, value in parameters.items()
            if name.startswith("param_")
        },
        settings={
            name: value
            for name, value in parameters.items()
            if name not in _INTERFACE and not name.startswith("param_")
        },
        query_id=parameters.get("query_id") or query_id,
    )


def read_parameters(query_string: bytes) -> dict[str, str]:
    """The URL's parameters; the last one wins where one is repeated."""
    return dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
