"""A relation that analytics carries: its name, its key, and the Arrow schema of its rows."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

# as text: every reader of the lake and of ClickHouse has a type for it
UUID = pa.string()
WORD = pa.string()
MINOR = pa.int64()
INSTANT = pa.timestamp("us", tz="UTC")
IS_DELETED = pa.field("is_deleted", pa.uint8(), nullable=False)


def schema(**columns: pa.DataType | tuple[pa.DataType]) -> pa.Schema:
    """A type alone is required; a type in a tuple may be null. The row's version comes last."""
    return pa.schema(
        [
            pa.field(name, kind[0] if isinstance(kind, tuple) else kind, isinstance(kind, tuple))
            for name, kind in {**columns, "row_version": pa.uint64()}.items()
        ]
    )


@dataclass(frozen=True, slots=True)
class Relation:
    """A table of the ledger, `key` being the column that identifies its rows. `leaves`: a trigger
    records its deleted rows."""

    name: str
    key: str
    schema: pa.Schema
    leaves: bool = False
    query: str = ""  # of sql/queries/analytics.sql; read_<name> unless said otherwise

    def __post_init__(self) -> None:
        if not self.query:
            object.__setattr__(self, "query", f"read_{self.name}")

    def deletions(self) -> Relation:
        """Rows that left the relation, as tombstones that hide the row they name."""
        named = dict.fromkeys(("org_id", self.key, "row_version"))
        fields = [self.schema.field(name) for name in named]
        schema = pa.schema([*fields, IS_DELETED])
        return Relation(self.name, self.key, schema, query="read_deleted")

    def typed(self, found: pa.Table) -> pa.Table:
        """What a query gave, in this relation's names and types; its columns by their order.

        Raises pyarrow.ArrowException when a value is not of its column's type, ValueError for a
        null in a column that has none: ClickHouse would make it 0 or '' without a word.
        """
        for field, column in zip(self.schema, found.columns, strict=True):
            if column.null_count and not field.nullable:
                raise ValueError(f"{self.name}.{field.name} is null in {column.null_count} rows")
        columns = [
            column.cast(field.type)
            for field, column in zip(self.schema, found.columns, strict=True)
        ]
        return pa.Table.from_arrays(columns, schema=self.schema)
