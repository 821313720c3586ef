"""Which epoch a community is in, as far as the store knows: genesis and successor notes (PROTOCOL.md section 25).

chain = epoch_chain(read, community)
chain.log_key(origin.epoch)
"""

from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from protocol.errors import IdentityError
from protocol.exchange.holding import is_disowned
from protocol.identity.genesis import Genesis
from protocol.identity.succession import EpochChain, make_chain, note_to_keep
from protocol.identity.successor import EpochKeys, parse_successor
from protocol.lanes import BODY_TYPES
from protocol.lanes.kind import CHARTER, Key
from protocol.log.merkle import leaf_hash
from protocol.log.note import parse_note
from protocol.log.origin import Origin
from protocol.log.record import decode_record
from storage.evidence import add_evidence
from storage.heads import HeadStore
from storage.lanes import Lane as StoredLane
from storage.lanes import LaneStore
from storage.peers import forget_places, peer_of
from storage.remembered import forget_remembered, remembered_head
from storage.successors import chosen_successors_of, keep_successor, successor_notes

REFUSED_BRANCH = "refused_branch"


class Reading(Protocol):
    """The folded state within a connection: a reader's, or a transaction's."""

    @property
    def connection(self) -> sa.Connection:
        """The connection in which it is read."""

    def get(self, table: str, key: Key) -> Any:
        """Return the struct at `key`, or None."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of a successor note: about whom and what, and the bytes that were kept where it says anything new."""

    community: bytes
    epoch: int
    kept: bytes | None = None


def epoch_chain(read: Reading, community: bytes) -> EpochChain | None:
    """Return the epochs of a community, None where its genesis is not here."""
    genesis = known_genesis(read, community)
    if genesis is None:
        return None
    notes = successor_notes(read.connection, community)
    return make_chain(
        EpochKeys.of_genesis(community, genesis),
        notes,
        chosen_successors_of(read.connection, community) if notes else None,
    )


def epoch_keys(read: Reading, community: bytes, epoch: int) -> EpochKeys | None:
    """Return what an epoch of a community says about its keys, or None where that is not known here."""
    chain = epoch_chain(read, community)
    return chain.keys[epoch] if chain is not None and epoch <= chain.epoch else None


def shown_successors(read: Reading, community: bytes) -> dict[int, bytes]:
    """Return by epoch the note that closed it, and of a contested epoch the first of those that stand."""
    chain = epoch_chain(read, community)
    if chain is None:
        return {}
    return {each.epoch: each.raw for each in (*chain.contested[:1], *chain.closings)}


def known_genesis(read: Reading, community: bytes) -> Genesis | None:
    """Return the genesis of a community: as its charter is folded or stored, or as it proved itself in a session.

    What is stored says it too, because the state of a community is empty while it is folded anew.
    """
    known = read.get("community", (community,))
    if known is not None:
        return known.genesis  # type: ignore[no-any-return]  # a Community
    peer = peer_of(read.connection, community)
    record = peer.genesis if peer is not None else None
    if record is None:
        record = _first_of_charter(read.connection, community)
    if record is None:
        return None
    body = decode_record(record, BODY_TYPES).body
    assert isinstance(body, Genesis), "the record that names a community is its genesis"
    return body


def _first_of_charter(connection: sa.Connection, community: bytes) -> bytes | None:
    """Return record 0 of a stored charter, where it is the one whose leaf hash is the community's id."""
    store = LaneStore(connection)
    key = store.lane_key(community, CHARTER, 0)
    if key is None or not store.size(key):
        return None
    record = store.entry(key, 0)
    return record if leaf_hash(record) == community else None


def drop_refused_branches(connection: sa.Connection, community: bytes, chain: EpochChain) -> bool:
    """Drop lanes of closed epochs that are not what was sealed, and of epochs that another key opens now.

    Return whether there was one. The signed head of such a branch is kept as evidence; the one that counts is
    fetched in its place.
    """
    has_dropped = False
    store = LaneStore(connection)
    for lane in store.lanes(community):
        key = lane.lane_key

        def root_at(size: int, key: int = key) -> bytes:
            return store.compact_range(key, size).root()

        head, remembered = HeadStore(connection).head(key), remembered_head(connection, key)
        notes = [note for note in (head and head.note, remembered) if note]
        is_other = is_disowned(notes, Origin(community, lane.lane, lane.epoch), chain)
        if is_other or chain.refuses(lane.lane, lane.epoch, store.size(key), root_at):
            drop_branch(connection, lane)
            has_dropped = True
    return has_dropped


def drop_unsealed(state: Reading, origin: Origin, sealed_by: int) -> bool:
    """Drop a copy that is short of its seal and forks from a head of `sealed_by` entries, which leads to it.

    Return whether there was such a copy.
    """
    chain = epoch_chain(state, origin.community)
    sealed = chain.seal(origin.lane, origin.epoch) if chain else None
    store = LaneStore(state.connection)
    key = store.lane_key(origin.community, origin.lane, origin.epoch)
    if sealed is None or key is None or not store.size(key) < sealed.size <= sealed_by:
        return False
    drop_branch(state.connection, store.lane(key))
    return True


def drop_branch(connection: sa.Connection, lane: StoredLane) -> None:
    """Drop a branch that a successor note did not seal, and keep its head as evidence."""
    head = HeadStore(connection).head(lane.lane_key)
    if head is not None:
        add_evidence(connection, lane.community, lane.epoch, REFUSED_BRANCH, head.note)
    HeadStore(connection).drop(lane.lane_key)
    forget_remembered(connection, lane.lane_key)
    LaneStore(connection).clear(lane.lane_key)


def learn_successor(state: Reading, raw: bytes) -> Learned:
    """Keep a successor note that holds; raises `ProtocolError` for another one, and then keeps nothing.

    The caller has the fold told (`Transaction.note_succession`). A note for an epoch that is not opened here
    yet is `successor_mismatch`: the one before it has to come first.
    """
    successor = parse_successor(parse_note(raw).text)
    community, epoch = successor.community, successor.epoch
    chain = epoch_chain(state, community)
    if chain is None or epoch > chain.epoch:
        raise IdentityError("successor_mismatch", "nothing is known of the epoch before")
    kept = successor_notes(state.connection, community).get(epoch, [])
    note = note_to_keep(raw, chain.keys[epoch], kept)
    if note is None:
        return Learned(community, epoch)
    keep_successor(state.connection, community, epoch, note)
    forget_places(state.connection)  # lanes of the next epoch, when they were listed, were not wanted
    return Learned(community, epoch, note)
