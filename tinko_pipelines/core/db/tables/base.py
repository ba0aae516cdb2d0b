"""Columns that many tables share, and the naming of constraints."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, MetaData, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def key(name: str = "id", **options: Any) -> Column[Any]:
    """A UUID column; the primary key unless told otherwise."""
    return Column(name, UUID(as_uuid=True), **({"primary_key": True} | options))


def ref(name: str, *, required: bool = True, **options: Any) -> Column[Any]:
    """A UUID that names a row of another table."""
    return Column(name, UUID(as_uuid=True), nullable=not required, **options)


def text(name: str, *, required: bool = True, **options: Any) -> Column[Any]:
    return Column(name, Text, nullable=not required, **options)


def instant(name: str, *, required: bool = True) -> Column[Any]:
    """An instant of business time; names that end in `_wall` hold wall time."""
    return Column(name, DateTime(timezone=True), nullable=not required)


def minor(name: str, *, required: bool = True, **options: Any) -> Column[Any]:
    """Minor units of the row's currency."""
    return Column(name, BigInteger, nullable=not required, **options)


def document(name: str, *, required: bool = True, **options: Any) -> Column[Any]:
    return Column(name, JSONB, nullable=not required, **options)


def words(name: str) -> Column[Any]:
    """A list of words, empty by default."""
    return Column(name, ARRAY(Text), nullable=False, server_default="{}")


def row_version() -> Column[Any]:
    """The writing transaction's id, set by a trigger: what the analytics sink's watermark reads."""
    return Column("row_version", BigInteger, nullable=False, server_default="0")
