"""Successor notes of villages: by the next log key, by the recovery key, or by a thief.

note = note_of(village)                       # the next key, over the lanes as they are
note = note_of(village, by="recovery", log=key)
"""

from collections.abc import Mapping
from typing import Literal

from protocol.identity.keys import SigningKey, log_key_hash
from protocol.identity.successor import SealedLane, Successor, make_successor
from protocol.log.merkle import leaf_hashes, subtree_root
from tests.village import Village, seed


def log_key_of(village: Village, epoch: int) -> SigningKey:
    """The log key of a later epoch as `note_of` gives it out."""
    return village.next_log if epoch == 1 else SigningKey(seed(f"{village.name} log {epoch}"))


def note_of(
    village: Village,
    *,
    by: Literal["next", "recovery", "thief"] = "next",
    epoch: int = 0,
    lanes: Mapping[str, SealedLane] | None = None,
    log: SigningKey | None = None,
    time_ms: int | None = None,
) -> bytes:
    """Return a note that closes `epoch` at `lanes`, or at what the village has said in it."""
    key = log or (SigningKey(seed("thief")) if by == "thief" else log_key_of(village, epoch + 1))
    successor = Successor(
        community=village.community,
        epoch=epoch,
        time_ms=village.now_ms if time_ms is None else time_ms,
        log_key=key.public,
        next_log_key_hash=log_key_hash(log_key_of(village, epoch + 2).public),
        lanes=seals_of(village, epoch) if lanes is None else lanes,
    )
    return make_successor(successor, log=key, recovery=[village.recovery] if by == "recovery" else [])


def seals_of(village: Village, epoch: int = 0) -> dict[str, SealedLane]:
    """What every lane of the village came to in an epoch."""
    return {
        lane: SealedLane(len(entries), subtree_root(leaf_hashes(entries)))
        for lane, entries in village.entries_in(epoch).items()
        if entries
    }
