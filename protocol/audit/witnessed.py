"""Who has seen a lane up to where: the cosignatures under its heads, by the keys of the charter (section 27.3).

keys, threshold = charter_witnesses(state, community)
sizes = seen_sizes([(checkpoint.size, note)], keys)
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from protocol.audit.feeding import BundleEntries, EpochCopy, Feeder
from protocol.audit.history import History
from protocol.dict_state import DictState
from protocol.fold import Fold
from protocol.lanes.charter.witnesses import Witnesses
from protocol.lanes.kind import CHARTER, Lane, Reader
from protocol.log.note import COSIGNATURE_V1, VerifierKey, parse_note
from protocol.log.origin import witness_name
from protocol.log.witness import valid_cosignatures


class SeenBy(Struct, frozen=True, kw_only=True):
    """How many of how many witnesses have seen a record or all of a head; `threshold` of them suffice."""

    by: int
    of: int
    threshold: int

    @property
    def is_witnessed(self) -> bool:
        """Whether enough of them have."""
        return self.by >= self.threshold > 0


class CharterWitnesses(Struct, frozen=True):
    """The keys of a community's witnesses, and how many suffice; none where its charter names none."""

    keys: tuple[VerifierKey, ...] = ()
    threshold: int = 0

    def seen(self, index: int, sizes: Mapping[str, int]) -> SeenBy | None:
        """Return who has seen the record at `index`, where any witness is named; `sizes` are `seen_sizes`."""
        if not self.keys:
            return None
        by = sum(sizes.get(key.name, 0) > index for key in self.keys)
        return SeenBy(by=by, of=len(self.keys), threshold=self.threshold)


def charter_witnesses(state: Reader, community: bytes) -> CharterWitnesses:
    """Return the witnesses of a community as its folded charter names them."""
    adopted: Witnesses | None = state.get("witnesses", (community,))
    if adopted is None:
        return CharterWitnesses()
    named = [(witness_name(each.community), each.witness_key) for each in adopted.witnesses]
    named += [(each.name, each.witness_key) for each in adopted.http_witnesses]
    keys = tuple(VerifierKey(name, COSIGNATURE_V1, public) for name, public in named)
    return CharterWitnesses(keys, adopted.threshold)


def fold_witnesses(history: History, charters: Sequence[EpochCopy]) -> CharterWitnesses:
    """Return the witnesses that the charters of a community name, folded alone, oldest epoch first."""
    lane, state = Lane(history.community, CHARTER), DictState()
    lanes = {lane: charters}
    fold = Fold(state, BundleEntries(lanes))
    for epoch, seal in enumerate(history.seals):
        fold.seal(history.community, epoch, seal)
    Feeder(fold, lanes, lambda _folded: None).run()
    return charter_witnesses(state, history.community)


def seen_sizes(heads: Iterable[tuple[int, bytes]], witnesses: CharterWitnesses) -> dict[str, int]:
    """Return by key name the largest size that each witness has cosigned in heads of one history.

    `heads` are sizes with notes. A line that does not hold counts for nothing here.
    """
    sizes: dict[str, int] = {}
    for size, note in heads:
        for key in valid_cosignatures(parse_note(note), witnesses.keys):
            sizes[key.name] = max(size, sizes.get(key.name, 0))
    return sizes
