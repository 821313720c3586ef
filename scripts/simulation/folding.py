"""The folded state of one node: the real fold, what it still waits for, and a digest that follows every change.

views = Views(read_entry)
views.catch_up(Lane(community, "charter"), 0, entries)
views.cut, views.digest                      # equal cuts, equal digests
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from protocol.dict_state import DictState
from protocol.encoding import encode
from protocol.fold import Fold
from protocol.lanes.kind import CHARTER, Key, Lane, Position
from protocol.waiting import ARRIVAL_ORDER_TABLES

_MODULUS = 1 << 256
_ABOUT_READERS = ("declared_lane", "peer")
_LISTED = ("untaken", "awaited", "deal", "placement")  # what people and checks go through


class DigestState(DictState):
    """A state that knows the sum of its rows' hashes at any moment, whatever order they came in."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self.digest = 0
        self.new_postings: list[Key] = []
        self.newly_read: set[bytes] = set()
        self.keys: dict[str, dict[Key, None]] = {table: {} for table in _LISTED}
        self._hashes: dict[tuple[str, Key], int] = {}

    def put(self, table: str, key: Key, value: msgspec.Struct) -> None:
        """Set one key."""
        super().put(table, key, value)
        if table in ARRIVAL_ORDER_TABLES:
            return
        row = sha256(encode([table, list(key), value])).digest()
        new = int.from_bytes(row, "big")
        self.digest = (self.digest - self._hashes.get((table, key), 0) + new) % _MODULUS
        self._hashes[table, key] = new
        if table in self.keys:
            self.keys[table][key] = None
        elif table == "posting":
            self.new_postings.append(key)
        elif table in _ABOUT_READERS:
            self.newly_read.add(key[0])  # type: ignore[arg-type]  # a charter's key begins with its community

    def remove(self, table: str, key: Key) -> None:
        """Take one key out."""
        super().remove(table, key)
        self.digest = (self.digest - self._hashes.pop((table, key), 0)) % _MODULUS
        if table in self.keys:
            self.keys[table].pop(key, None)


class _Entries:
    """Where the fold reads a pending entry again."""

    def __init__(self, read: Callable[[Position], bytes]) -> None:
        """Take what reads it."""
        self.entry = read


class Views:
    """One fold and its worklist: lanes that stalled are tried again when their charter has grown."""

    def __init__(self, read_entry: Callable[[Position], bytes]) -> None:
        """Begin with nothing folded; `read_entry` reads what was fed before."""
        self.state = DigestState()
        self.fold = Fold(self.state, _Entries(read_entry))
        self.cut = 0
        self.void_count = 0
        self._stalled: dict[bytes, set[Lane]] = {}
        self._chains: dict[Lane, Any] = {}  # hash objects, whose type has no name
        self._sums: dict[Lane, int] = {}

    def catch_up(
        self, lane: Lane, epoch: int, entries: Sequence[bytes], leaves: Sequence[bytes]
    ) -> list[Lane]:
        """Fold what `entries`, all that are stored, have beyond the fold; return lanes to try again."""
        start = self.fold.next_index(lane, epoch)
        if start is None or start >= len(entries):
            return []
        folded = self.fold.feed(
            lane, epoch=epoch, start=start, entries=entries[start:], record_ids=leaves[start:]
        )
        self.void_count += sum(outcome.status == "void" for outcome in folded.outcomes)
        if folded.consumed:
            self.note_folded(lane, leaves[start : start + folded.consumed])
        if folded.stalled_on is not None:
            self._stalled.setdefault(lane.community, set()).add(lane)
        if lane.name == CHARTER and folded.consumed:
            return sorted(self._stalled.pop(lane.community, ()))
        return []

    def note_folded(self, lane: Lane, leaves: Sequence[bytes]) -> None:
        """Follow the fold of one lane over these leaf hashes with the digest of the cut.

        A cut is told by what was folded, not by sizes: two branches of a fork are two cuts.
        """
        chain = self._chains.setdefault(lane, sha256(encode([lane.community, lane.name])))
        chain.update(b"".join(leaves))
        new = int.from_bytes(chain.digest(), "big")
        self.cut = (self.cut - self._sums.get(lane, 0) + new) % _MODULUS
        self._sums[lane] = new
