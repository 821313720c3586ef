"""The keys of a community's epochs as far as this node knows them (PROTOCOL.md section 9.3).

keys = epoch_keys(read, community, epoch)     # None: its genesis, or a successor note, is not known here
"""

from typing import Any, Protocol

import sqlalchemy as sa

from protocol.identity.genesis import Genesis
from protocol.identity.successor import EpochKeys, verify_successor
from protocol.lanes import BODY_TYPES
from protocol.lanes.kind import Key
from protocol.log.record import decode_record
from storage.evidence import evidence_about
from storage.peers import peer_of

SUCCESSOR = "successor"


class Reading(Protocol):
    """A moment of the folded state and of the store beneath: a reader or a transaction."""

    connection: sa.Connection

    def get(self, table: str, key: Key) -> Any:
        """Return the struct of the folded state at `key`, or None."""


def known_genesis(read: Reading, community: bytes) -> Genesis | None:
    """Return the genesis of a community: from its charter, or from the session in which it proved itself."""
    folded = read.get("community", (community,))
    if folded is not None:
        return folded.genesis  # type: ignore[no-any-return]  # a Community
    peer = peer_of(read.connection, community)
    if peer is None or peer.genesis is None:
        return None
    body = decode_record(peer.genesis, BODY_TYPES).body
    assert isinstance(body, Genesis), "only a genesis is kept with a peer"
    return body


def epoch_keys(read: Reading, community: bytes, epoch: int) -> EpochKeys | None:
    """Return what an epoch of a community says about its keys, or None where that is not known here."""
    genesis = known_genesis(read, community)
    if genesis is None:
        return None
    keys = EpochKeys.of_genesis(community, genesis)
    notes = evidence_about(read.connection, community, SUCCESSOR) if epoch else []
    while keys.epoch < epoch:
        found = [verify_successor(each.note, keys) for each in notes if each.epoch == keys.epoch]
        best = [each for each in found if each.kind == "quorum"] or found
        if len(best) != 1:
            return None
        keys = best[0].opened
    return keys
