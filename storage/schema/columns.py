"""Column types that mean the same on SQLite and PostgreSQL."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

PlainText = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Text that sorts and compares by its bytes on both engines, whatever the server's locale."""

Bytes = sa.LargeBinary()
Integer = sa.BigInteger()
RowNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A number that the engine gives: SQLite does so for the type INTEGER alone."""
