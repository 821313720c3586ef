"""The auditor's rows on disk: only ever appended, found through a table of heads (PROTOCOL.md section 19.4).

Rows fall into slots by Python's hashes of table and key, which begin anew with each process: strangers cannot
aim at them. Of each slot the heads know the newest row, and each row names the one before it in its slot; a row
without a value takes out. So thousands of rows are one write, a look-up is mostly one read, an absent row mostly
none, and memory is the heads, however long the history.

    rows = StateFile()
    rows.write("deal", {key: deal}); rows.get("deal", key) == deal
"""

import os
from array import array
from collections.abc import Iterator, Mapping
from struct import Struct
from tempfile import TemporaryFile
from typing import Any

import msgspec

from protocol.audit.sums import KEPT, TABLES
from protocol.lanes.kind import Key

SLOTS = 2**20
_PORTION_BYTES = 1_048_576  # which more rows do not start a new write
_READ_BYTES = 1_024  # most rows are smaller, headers included
_START = 1  # where the first row stands: a head of 0 is none

# Where the row before it in its slot stands, the number of its table, the bytes of its key and of its value.
_ROW = Struct("<QBII")

_encode = (
    msgspec.msgpack.Encoder().encode
)  # nothing here is hashed or compared but keys, and those hold no maps
_decode_key = msgspec.msgpack.Decoder(tuple[Any, ...]).decode


class StateFile:
    """Rows by table and key, in a file without a name that goes with the process: no fact, only room."""

    def __init__(self, slots: int = SLOTS) -> None:
        """Begin empty; more `slots` cost memory, fewer cost reads."""
        self._file = TemporaryFile(prefix="wildgrass-audit-")  # noqa: SIM115  closed by `close`
        self._end = _START
        self._slots = slots
        self._heads = array("Q", bytes(8 * slots))
        self._portions: dict[
            str, array[int]
        ] = {}  # of each table: start and end of what was written in one go
        self._numbers = {name: number for number, name in enumerate(TABLES)}
        structs = {**TABLES, **KEPT}
        self._decoders = {name: msgspec.msgpack.Decoder(struct).decode for name, struct in structs.items()}

    def close(self) -> None:
        """Let go of the file, and of all that is in it."""
        self._file.close()

    def get(self, table: str, key: Key) -> Any:
        """Return the struct at `key` as it was written last, or None."""
        at = self._heads[(hash(key) ^ hash(table)) % self._slots]
        if not at:
            return None
        found = self._find(at, self._numbers[table], _encode(key))
        return None if found is None or not found[1] else self._decoders[table](found[1])

    def write(self, table: str, rows: Mapping[Key, Any]) -> bool:
        """Write what changed (None: take it out); return whether there was anything to write."""
        heads, slots, table_hash, number = self._heads, self._slots, hash(table), self._numbers[table]
        before, start, at = self._end, self._end, self._end
        pieces: list[bytes] = []
        for key, value in rows.items():
            slot = (hash(key) ^ table_hash) % slots
            if value is None and not heads[slot]:
                continue
            raw_key, raw = _encode(key), b"" if value is None else _encode(value)
            pieces += (_ROW.pack(heads[slot], number, len(raw_key), len(raw)), raw_key, raw)
            heads[slot] = at
            at += _ROW.size + len(raw_key) + len(raw)
            if at - start > _PORTION_BYTES:
                self._append(table, pieces, at)
                start, pieces = at, []
        if pieces:
            self._append(table, pieces, at)
        return self._end > before

    def items(self, table: str, brief: type[msgspec.Struct] | None) -> Iterator[tuple[Any, Any]]:
        """Yield key and struct of every row, as `brief` where it is given, those first that were written first."""
        decode = msgspec.msgpack.Decoder(brief).decode if brief else self._decoders[table]
        portions = iter(self._portions.get(table, ()))
        for start, end in zip(portions, portions, strict=True):
            rows = memoryview(self._read(start, end - start))
            at = 0
            while at < len(rows):
                _, _, key_size, value_size = _ROW.unpack_from(rows, at)
                value_at = at + _ROW.size + key_size
                row_end = value_at + value_size
                raw_key = rows[at + _ROW.size : value_at]
                key = _decode_key(raw_key)
                if value_size and self._is_newest(table, key, raw_key, start + at):
                    yield key, decode(rows[value_at:row_end])
                at = row_end

    def _append(self, table: str, pieces: list[bytes], end: int) -> None:
        self._portions.setdefault(table, array("Q")).extend((self._end, end))
        self._file.seek(self._end)
        self._file.write(b"".join(pieces))
        self._file.flush()
        self._end = end

    def _is_newest(self, table: str, key: Key, raw_key: memoryview, at: int) -> bool:
        """Whether the row at `at` was not written again since."""
        head = self._heads[(hash(key) ^ hash(table)) % self._slots]
        if head == at:
            return True
        found = self._find(head, self._numbers[table], bytes(raw_key))
        return found is not None and found[0] == at

    def _find(self, at: int, number: int, raw_key: bytes) -> tuple[int, bytes] | None:
        """Return where the newest row of a key stands, from `at` back, and its value; empty: it is gone."""
        while at:
            row = self._read(at, _READ_BYTES)
            before, table, key_size, value_size = _ROW.unpack_from(row)
            value_at = _ROW.size + key_size
            if value_at + value_size > len(row):
                row = self._read(at, value_at + value_size)
            if table == number and row[_ROW.size : value_at] == raw_key:
                return at, row[value_at : value_at + value_size]
            at = before
        return None

    def _read(self, start: int, size: int) -> bytes:
        return os.pread(self._file.fileno(), size, start)
