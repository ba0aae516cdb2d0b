"""Split what a client sent into a statement and, for an INSERT, its format and its data.

Pure. The data may be binary and follows the statement either in the body or directly behind
`FORMAT Name`; so the head is scanned only as far as it is SQL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tinko_pipelines.local.chserver.errors import SYNTAX_ERROR, refused

# comments, literals and quoted names are skipped; words and the rest are looked at
_TOKEN = re.compile(
    rb"""
      (?P<space>\s+|--[^\n]*|\#[!\x20][^\n]*|/\*.*?\*/)
    | (?P<literal>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`)
    | (?P<heredoc>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<word>\w+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """`sql` to run; for an INSERT with data, `sql` ends before FORMAT and `data` is its rows."""

    sql: str
    insert_format: str | None = None
    data: bytes = b""


def read_statement(query: bytes, body: bytes) -> Statement:
    """The statement of a request whose `query` parameter and body are given.

    Without a parameter the body starts with the statement; with one, the body is data (or, for
    anything but an INSERT, more of the statement, as ClickHouse takes it).
    Raises EngineError when nothing was sent or the text is not UTF-8.
    """
    text, data = (query, body) if query.strip() else (body, b"")
    if not text.strip():
        raise refused(SYNTAX_ERROR, "SYNTAX_ERROR", "Empty query")
    head = _insert_head(text)
    if head is None:
        return Statement(_decode(text + b"\n" + data if data else text))
    sql, name, inline = head
    return Statement(_decode(sql), name.decode(), inline + data)


def _insert_head(text: bytes) -> tuple[bytes, bytes, bytes] | None:
    """(head, format, data) of an `INSERT … FORMAT Name data`; None for any other statement."""
    words: list[bytes] = []
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "space":
            continue
        word = token.group().upper() if token["word"] else b""
        if not words and word != b"INSERT":
            return None
        if word in {b"SELECT", b"VALUES", b"WATCH"}:
            return None
        if words and words[-1] == b"FORMAT" and word:
            start = text.rindex(token.group(), token.start(), token.end())
            head = _before_format(text, start)
            return head, token.group(), _skip_break(text[token.end() :])
        words.append(word)
    return None


def _before_format(text: bytes, name_start: int) -> bytes:
    return re.sub(rb"(?is)\s*\bformat\s*\Z", b"", text[:name_start])


def _skip_break(rest: bytes) -> bytes:
    """The data behind `FORMAT Name`: blanks up to one line end belong to the statement."""
    stripped = rest.lstrip(b" \t\r;")
    return stripped[1:] if stripped[:1] == b"\n" else stripped


def writes_a_file(sql: str) -> bool:
    """Whether the words INTO OUTFILE stand in the statement itself, not in a literal."""
    if "outfile" not in sql.lower():
        return False
    return any(
        token["word"] and token.group().lower() == b"outfile"
        for token in _TOKEN.finditer(sql.encode())
    )


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise refused(SYNTAX_ERROR, "SYNTAX_ERROR", "The statement is not UTF-8") from None
