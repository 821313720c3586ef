"""The folded state as readers see it: one moment of it, by key or by the beginning of a key.

Keys are canonical arrays, so all keys of one length that begin alike lie side by side.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from protocol.encoding import decode, encode
from protocol.fold import TABLES, is_settled
from protocol.lanes.kind import Key, Position
from storage.asking import ask, ask_many, ask_one

_KEY_BYTES_MAX = 1_024
_KEYS_AT_ONCE = 200
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
        found = ask_one(self.connection, _ONE, (table, encode(key)))
        return None if found is None else _DECODERS[table].decode(found[0])

    def get_all(self, table: str, keys: Sequence[Key]) -> list[Any]:
        """Return the structs at many keys at once, None where there is none."""
        raw_keys = [encode(key) for key in keys]
        decode_value = _DECODERS[table].decode
        found: dict[bytes, bytes] = {}
        for start in range(0, len(raw_keys), _KEYS_AT_ONCE):
            wanted = raw_keys[start : start + _KEYS_AT_ONCE]
            found.update(ask_many(self.connection, _MANY, (table,), wanted))
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
        start, end = _range(prefix, length)
        place = (table, encode(after) if after else start, end, limit + (after is not None))
        for raw_key, raw_value in ask(self.connection, _RANGE, place):
            key = tuple(decode(raw_key, bytes_max=_KEY_BYTES_MAX))
            if key != after:
                yield key, _DECODERS[table].decode(raw_value)

    def has_any(self, table: str, prefix: Key, *, length: int) -> bool:
        """Whether there is a key of `length` parts that begins with `prefix`."""
        return bool(ask(self.connection, _ANY, (table, *_range(prefix, length))))

    def count(self, table: str, prefix: Key = (), *, length: int) -> int:
        """Return how many keys of `length` parts begin with `prefix`."""
        found: int = ask(self.connection, _COUNT, (table, *_range(prefix, length)))[0][0]
        return found


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

    def get_all(self, table: str, keys: Sequence[Key]) -> list[Any]:
        """Return the structs at many keys at once, None where there is none."""
        found = super().get_all(table, keys)
        if len(self._got) + len(found) <= _REMEMBERED_MAX:
            self._got.update(((table, key), value) for key, value in zip(keys, found, strict=True))
        return found


def _range(prefix: Key, length: int) -> tuple[bytes, bytes]:
    """Return the bytes between which the keys of `length` parts stand that begin with `prefix`."""
    start = bytes([_FIXED_ARRAY + length]) + b"".join(encode(part) for part in prefix)
    return start, start + b"\xff"


_ONE = "SELECT value FROM state WHERE table_name = ? AND key = ?"
_MANY = "SELECT key, value FROM state WHERE table_name = ? AND key IN ({})"
_RANGE = "SELECT key, value FROM state WHERE table_name = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
_ANY = "SELECT 1 FROM state WHERE table_name = ? AND key >= ? AND key < ? LIMIT 1"
_COUNT = "SELECT count(*) FROM state WHERE table_name = ? AND key >= ? AND key < ?"
