"""Cosigning the heads of others, and keeping what others cosigned (PROTOCOL.md section 27).

A node witnesses the lanes of the communities that it follows and whose charter names it. What was cosigned
last stands in the guard and in the store, each synced before the signature leaves; the larger of both counts,
so that a store restored from an old copy cosigns no second history.

    line = cosign(transaction, guard, vault, asked, old_size=12, proof=hashes)   # on the writer's thread
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from node.epochs import Reading, epoch_chain
from node.errors import NodeError
from node.vault import Vault
from node.writer.transaction import Transaction
from protocol.errors import LogError
from protocol.exchange.heads import OfferedHead
from protocol.exchange.holding import SignedHead
from protocol.exchange.http_witnesses import HttpWitnessKnown
from protocol.exchange.witnessing import ProveGrowth, WitnessesKnown
from protocol.limits import COSIGNED_AGAIN_SECONDS_MIN
from protocol.log.checkpoint import Checkpoint, parse_checkpoint
from protocol.log.cosignature import make_cosignature
from protocol.log.merkle import consistency_proof
from protocol.log.note import (
    COSIGNATURE_V1,
    Note,
    NoteSignature,
    VerifierKey,
    cosignature_time,
    format_note,
    parse_note,
)
from protocol.log.origin import Origin, witness_name
from protocol.log.witness import check_growth, valid_cosignatures
from storage.cosignatures import KeptCosignature, cosignatures_of, keep_cosignature, notes_cosigned_by
from storage.guard import Guard, Mark, Move, SigningMarks
from storage.heads import HeadStore
from storage.lanes import LaneStore
from storage.peers import peer_of

WITNESS_LEASE = bytes(16)  # the guard is the community's: whichever process cosigns, it is the same witness
FOLLOWED = "followed"


class ContradictedError(LogError):
    """Two signed heads of one size and two roots were met: evidence, and no cosignature."""

    def __init__(self, origin: Origin, older: SignedHead, newer: SignedHead) -> None:
        """Take both heads."""
        super().__init__("witness_proof_refused", f"size {newer.size}")
        self.origin = origin
        self.older = older
        self.newer = newer


@dataclass(frozen=True, slots=True)
class Witnessed:
    """How many have to cosign a community's heads, and by which keys, in the order of the charter.

    `keys` are those of communities; `http` are witnesses that are asked over HTTP.
    """

    threshold: int
    keys: Mapping[bytes, VerifierKey]
    http: Sequence[HttpWitnessKnown] = ()

    @property
    def all_keys(self) -> list[VerifierKey]:
        """The keys of both."""
        return [*self.keys.values(), *(witness.key for witness in self.http)]


def cosign(
    transaction: Transaction,
    guard: Guard,
    vault: Vault,
    asked: OfferedHead,
    *,
    old_size: int,
    proof: Sequence[bytes],
    now_seconds: int,
) -> NoteSignature:
    """Return our line for a head; raises `LogError` with what the asker is told, `ContradictedError`, `NodeError`.

    The line may leave once the transaction is synced: guard and store know of it then.
    """
    origin = asked.origin
    if transaction.refusal is not None:
        raise transaction.refusal  # what is not sure of its own history vouches for nobody's
    head = asked.open(_log_public(transaction, origin))
    last = _cosigned_last(transaction, guard, origin)
    name = witness_name(vault.community)
    if last is not None and (old_size, head.size, head.root) == (last.size, last.size, last.root):
        fresh = _fresh_line(transaction, origin, name, now_seconds)
        if fresh is not None:
            return fresh
    _check_contradiction(transaction, origin, head)
    check_growth(
        (last.size, last.root) if last else None, old_size=old_size, head=head.checkpoint, proof=proof
    )
    _mark(transaction, guard, origin, head)
    line = make_cosignature(head.checkpoint.text, name=name, key=vault.witness, time_seconds=now_seconds)
    key = LaneStore(transaction.connection).open_lane(origin.community, origin.lane, origin.epoch)
    note = format_note(Note(head.checkpoint.text, (parse_note(head.note).signatures[0], line)))
    keep_cosignature(transaction.connection, key, KeptCosignature(name, head.size, now_seconds, note))
    return line


def keep_cosignatures(transaction: Transaction, origin: Origin, note: bytes) -> bool:
    """Keep those lines of a note that our witnesses, or the lane's, have made; return whether one was new.

    Cosignatures of another root than that of the entries held here are not kept; nor are those of unknown keys.
    """
    store, heads = LaneStore(transaction.connection), HeadStore(transaction.connection)
    key = store.lane_key(origin.community, origin.lane, origin.epoch)
    head = heads.head(key) if key is not None else None
    parsed = parse_note(note)
    checkpoint = parse_checkpoint(parsed.text)
    if key is None or head is None or checkpoint.size > head.size:
        return False
    if store.compact_range(key, checkpoint.size).root() != checkpoint.root:
        return False
    lines = valid_cosignatures(parsed, witnessed(transaction, origin.community).all_keys)
    log_line = parsed.signatures[0]
    has_new = False
    for witness, line in lines.items():
        alone = format_note(Note(parsed.text, (log_line, line)))
        kept = KeptCosignature(witness.name, checkpoint.size, cosignature_time(line.signature), alone)
        has_new |= keep_cosignature(transaction.connection, key, kept)
        if witness.name == witness_name(transaction.community):
            _remember_own(transaction, origin, checkpoint)
    cosigned = _with_cosignatures(transaction, key, head.note)
    if cosigned != head.note:
        heads.set_head(key, head.size, head.root, cosigned)
    return has_new


def witnessed(read: Reading, community: bytes) -> Witnessed:
    """Return the witnesses of a community, as its charter names them at its newest head."""
    adopted = read.get("witnesses", (community,))
    if adopted is None:
        return Witnessed(0, {})
    keys = {
        each.community: VerifierKey(witness_name(each.community), COSIGNATURE_V1, each.witness_key)
        for each in adopted.witnesses
    }
    http = [
        HttpWitnessKnown(VerifierKey(each.name, COSIGNATURE_V1, each.witness_key), each.url)
        for each in adopted.http_witnesses
    ]
    return Witnessed(adopted.threshold, keys, http)


def own_witnesses(read: Reading, community: bytes) -> WitnessesKnown:
    """Return what the machine has to know of our witnesses."""
    found = witnessed(read, community)
    publics = {witness: key.public for witness, key in found.keys.items()}
    return WitnessesKnown(found.threshold, publics, tuple(found.http))


def prove_growth(read: Reading, wanted: ProveGrowth) -> tuple[bytes, ...]:
    """Return the consistency proof between two sizes of a lane."""
    store = LaneStore(read.connection)
    origin = wanted.origin
    key = store.lane_key(origin.community, origin.lane, origin.epoch)
    assert key is not None, "an own lane that was signed is stored"
    return tuple(
        consistency_proof(wanted.old_size, wanted.size, lambda level, index: store.node(key, level, index))
    )


def cosigned_note(read: Reading, community: bytes, origin_hash: bytes) -> tuple[Origin, bytes] | None:
    """Return the lane whose origin has this SHA-256, and the note that we cosigned last of it."""
    for found, note in notes_cosigned_by(read.connection, witness_name(community)):
        origin = Origin(*found)
        if sha256(origin.text.encode()).digest() == origin_hash:
            return origin, note
    return None


def _fresh_line(
    transaction: Transaction, origin: Origin, name: str, now_seconds: int
) -> NoteSignature | None:
    """Our line of a moment ago, so that nobody has us write and sign all day."""
    key = LaneStore(transaction.connection).lane_key(origin.community, origin.lane, origin.epoch)
    known = [] if key is None else cosignatures_of(transaction.connection, key)
    lines = [
        parse_note(kept.note).signatures[1]
        for kept in known
        if kept.witness == name and abs(now_seconds - kept.time_seconds) < COSIGNED_AGAIN_SECONDS_MIN
    ]
    return lines[0] if lines else None


def _log_public(transaction: Transaction, origin: Origin) -> bytes:
    """The log key of a lane that this node witnesses, or raise `witness_log_unknown`."""
    peer = peer_of(transaction.connection, origin.community)
    names = {key.name for key in witnessed(transaction, origin.community).all_keys}
    chain = epoch_chain(transaction, origin.community)
    if peer is None or peer.trust != FOLLOWED or chain is None:
        raise LogError("witness_log_unknown", origin.text)
    if witness_name(transaction.community) not in names:
        raise LogError("witness_log_unknown", origin.text)
    if origin.epoch != chain.epoch:
        raise LogError("witness_log_unknown", f"epoch {origin.epoch} of {chain.epoch}")
    return chain.keys[origin.epoch].log_key


def _cosigned_last(transaction: Transaction, guard: Guard, origin: Origin) -> Mark | None:
    """What we cosigned last of a lane, whoever of store and guard knows more of it."""
    place = (origin.community, origin.lane, origin.epoch)
    stored, guarded = SigningMarks(transaction.connection).mark(*place), guard.mark(*place)
    both = [mark for mark in (guarded, stored) if mark is not None]
    if len({mark.root for mark in both if mark.size == max(other.size for other in both)}) > 1:
        raise NodeError("writing_paused", f"store and guard differ about {origin.text}")
    return max(both, key=lambda mark: mark.size, default=None)


def _mark(transaction: Transaction, guard: Guard, origin: Origin, head: SignedHead) -> None:
    """Guard first: where the power goes in between, the guard alone knows of a signature that never left."""
    mark = Mark(origin.community, origin.lane, origin.epoch, head.size, head.root, WITNESS_LEASE)
    stored = SigningMarks(transaction.connection)
    guard.advance([Move(guard.mark(*mark.place), mark)])
    stored.advance([Move(stored.mark(*mark.place), mark)])


def _remember_own(transaction: Transaction, origin: Origin, cosigned: Checkpoint) -> None:
    """A restored store is told by others what it cosigned after the copy was made."""
    stored = SigningMarks(transaction.connection)
    known = stored.mark(origin.community, origin.lane, origin.epoch)
    if known is None or known.size < cosigned.size:
        place = (origin.community, origin.lane, origin.epoch)
        stored.advance([Move(known, Mark(*place, cosigned.size, cosigned.root, WITNESS_LEASE))])


def _check_contradiction(transaction: Transaction, origin: Origin, head: SignedHead) -> None:
    """Raise `ContradictedError` where a signed head of this size and another root is held."""
    store = LaneStore(transaction.connection)
    key = store.lane_key(origin.community, origin.lane, origin.epoch)
    if key is None:
        return
    known = [kept.note for kept in cosignatures_of(transaction.connection, key)]
    adopted = HeadStore(transaction.connection).head(key)
    for note in (*known, *((adopted.note,) if adopted else ())):
        stated = parse_checkpoint(parse_note(note).text)
        if stated.size == head.size and stated.root != head.root:
            raise ContradictedError(origin, SignedHead(note, stated), head)


def _with_cosignatures(transaction: Transaction, lane_key: int, note: bytes) -> bytes:
    """The log's line, then that of each witness that has cosigned this very head, by name."""
    parsed = parse_note(note)
    lines = [parsed.signatures[0]]
    for kept in cosignatures_of(transaction.connection, lane_key):
        other = parse_note(kept.note)
        if other.text == parsed.text:
            lines.append(other.signatures[1])
    return format_note(Note(parsed.text, tuple(lines)))
