"""The folded state of one node: the real fold, what it still waits for, and a digest that follows every change.

views = Views(read_entry)
views.catch_up(Lane(community, "charter"), 0, entries, leaves)
views.cut, views.state.digest                # equal cuts, equal digests
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from protocol.dict_state import DictState
from protocol.encoding import encode
from protocol.fold import Fold, RebuildNeededError
from protocol.identity.succession import EpochChain
from protocol.lanes.kind import CHARTER, Key, Lane, Position
from protocol.waiting import ARRIVAL_ORDER_TABLES

Place = tuple[Lane, int]  # a lane and its epoch

_MODULUS = 1 << 256
_ABOUT_READERS = ("declared_lane", "peer")
_LISTED = ("untaken", "awaited", "deal", "placement")  # what people and checks go through


class DigestState(DictState):
    """A state that knows the sum of its rows' hashes at any moment, whatever order they came in."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self.digest = 0
        self.seals = 0
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
        step = new - self._hashes.get((table, key), 0)
        self.digest = (self.digest + step) % _MODULUS
        self._hashes[table, key] = new
        if table == "seal":
            self.seals = (self.seals + step) % _MODULUS
        if table in self.keys:
            self.keys[table][key] = None
        elif table == "posting":
            self.new_postings.append(key)
        elif table in _ABOUT_READERS:
            self.newly_read.add(key[0])  # type: ignore[arg-type]  # a charter's key begins with its community

    def remove(self, table: str, key: Key) -> None:
        """Take one key out."""
        super().remove(table, key)
        old = self._hashes.pop((table, key), 0)
        self.digest = (self.digest - old) % _MODULUS
        if table == "seal":
            self.seals = (self.seals - old) % _MODULUS
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
        self.void_count = 0
        self._stalled: dict[bytes, set[Place]] = {}
        self._chains: dict[Lane, Any] = {}  # hash objects, whose type has no name
        self._sums: dict[Lane, int] = {}
        self._folded = 0

    @property
    def cut(self) -> int:
        """What the state is a function of: the entries that are folded, and the seals of closed epochs."""
        return (self._folded + self.state.seals) % _MODULUS

    def seal(self, chain: EpochChain) -> bool:
        """Close the epochs that a chain closes; return whether all has to be folded anew."""
        community = chain.newest.community
        if self.state.get("seal", (community, chain.epoch, CHARTER)) is not None:
            return True  # closed once, and contested since
        try:
            for closing in chain.closings:
                self.fold.seal(community, closing.epoch, closing.lanes)
        except RebuildNeededError:
            return True
        return False

    def retry(self, community: bytes) -> list[Place]:
        """Return the lanes of a community that wait for its charter or for an earlier epoch, to try them again."""
        return sorted(self._stalled.pop(community, ()))

    def catch_up(
        self, lane: Lane, epoch: int, entries: Sequence[bytes], leaves: Sequence[bytes]
    ) -> list[Place]:
        """Fold what `entries`, all that are stored, have beyond the fold; return lanes to try again."""
        start = self.fold.next_index(lane, epoch)
        if start is None:
            self._stalled.setdefault(lane.community, set()).add((lane, epoch))
            return []
        if start >= len(entries):
            return []
        folded = self.fold.feed(
            lane, epoch=epoch, start=start, entries=entries[start:], record_ids=leaves[start:]
        )
        self.void_count += sum(outcome.status == "void" for outcome in folded.outcomes)
        if folded.consumed:
            self.note_folded(lane, leaves[start : self.fold.folded_size(lane)[1]])
        if folded.stalled_on is not None:
            self._stalled.setdefault(lane.community, set()).add((lane, epoch))
        is_complete = self.fold.next_index(lane, epoch) is None
        if folded.consumed and (lane.name == CHARTER or is_complete):
            return self.retry(lane.community)
        return []

    def note_folded(self, lane: Lane, leaves: Sequence[bytes]) -> None:
        """Follow the fold of one lane over these leaf hashes with the digest of the cut.

        A cut is told by what was folded, not by sizes: two branches of a fork are two cuts.
        """
        chain = self._chains.setdefault(lane, sha256(encode([lane.community, lane.name])))
        chain.update(b"".join(leaves))
        new = int.from_bytes(chain.digest(), "big")
        self._folded = (self._folded - self._sums.get(lane, 0) + new) % _MODULUS
        self._sums[lane] = new
