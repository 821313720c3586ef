"""The folded state as readers see it: one moment of it, by key or by the beginning of a key.

Keys are canonical arrays, so all keys of one length that begin alike lie side by side.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import bindparam

from protocol.encoding import decode, encode
from protocol.fold import TABLES, is_settled
from protocol.lanes.kind import Key, Position
from storage.schema.views import state

_KEY_BYTES_MAX = 1_024
_REMEMBERED_MAX = 512  # a page names the same shops and communities over and over
_FIXED_ARRAY = 0x90
_DECODERS = {name: msgspec.msgpack.Decoder(kind) for name, kind in TABLES.items()}


class StateReader:
    """Reads the state within one connection; it remembers nothing."""

    def __init__(self, connection: sa.Connection) -> None:
        """Take a connection in a transaction."""
        self.connection = connection

    def get(self, table: str, key: Key) -> Any:
        """Return the struct at `key`, or None."""
        found = self.connection.execute(_ONE, {"table": table, "key": encode(key)}).scalar()
        return None if found is None else _DECODERS[table].decode(found)

    def get_all(self, table: str, keys: Sequence[Key]) -> list[Any]:
        """Return the structs at many keys at once, None where there is none."""
        raw_keys = [encode(key) for key in keys]
        rows = self.connection.execute(_MANY, {"table": table, "keys": raw_keys})
        found = {row.key: row.value for row in rows}
        decode_value = _DECODERS[table].decode
        return [decode_value(found[key]) if key in found else None for key in raw_keys]

    def is_settled(self, position: Position) -> bool:
        """Whether the entry at `position` is folded and not pending."""
        return is_settled(self, position)

    def scan(
        self, table: str, prefix: Key, *, length: int, limit: int, after: Key | None = None
    ) -> Iterator[tuple[Key, Any]]:
        """Yield up to `limit` (key, struct) pairs whose keys have `length` parts and begin with `prefix`.

        In the order of the keys' bytes; `after` goes on behind a key that was seen.
        """
        start = bytes([_FIXED_ARRAY + length]) + b"".join(encode(part) for part in prefix)
        place = {
            "table": table,
            "start": encode(after) if after else start,
            "end": start + b"\xff",
            "limit": limit + (after is not None),
        }
        for raw_key, raw_value in self.connection.execute(_RANGE, place):
            key = tuple(decode(raw_key, bytes_max=_KEY_BYTES_MAX))
            if key != after:
                yield key, _DECODERS[table].decode(raw_value)

    def count(self, table: str, prefix: Key = (), *, length: int) -> int:
        """Return how many keys of `length` parts begin with `prefix`."""
        start = bytes([_FIXED_ARRAY + length]) + b"".join(encode(part) for part in prefix)
        place = {"table": table, "start": start, "end": start + b"\xff"}
        return self.connection.execute(_COUNT, place).scalar_one()


class MomentReader(StateReader):
    """Answers one question: what was got once is not looked up again, for the moment stays the same."""

    def __init__(self, connection: sa.Connection) -> None:
        """Take a connection in a transaction that sees one moment."""
        super().__init__(connection)
        self._got: dict[tuple[str, Key], Any] = {}

    def get(self, table: str, key: Key) -> Any:
        """Return the struct at `key`, or None."""
        place = (table, key)
        if place in self._got:
            return self._got[place]
        found = super().get(table, key)
        if len(self._got) < _REMEMBERED_MAX:
            self._got[place] = found
        return found


_ONE = sa.select(state.c.value).where(
    state.c.table_name == bindparam("table"), state.c.key == bindparam("key")
)
_MANY = sa.select(state.c.key, state.c.value).where(
    state.c.table_name == bindparam("table"), state.c.key.in_(bindparam("keys", expanding=True))
)
_IN_RANGE = (
    state.c.table_name == bindparam("table"),
    state.c.key >= bindparam("start"),
    state.c.key < bindparam("end"),
)
_RANGE = (
    sa.select(state.c.key, state.c.value)
    .where(*_IN_RANGE)
    .order_by(state.c.key)
    .limit(bindparam("limit", type_=sa.Integer))
)
_COUNT = sa.select(sa.func.count()).select_from(state).where(*_IN_RANGE)
