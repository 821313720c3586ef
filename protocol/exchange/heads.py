"""Heads as peers state them, and the list of those that changed (PROTOCOL.md section 18.1).

A store numbers the changes of its heads under a random instance id, new after a restore. Whoever keeps one
(instance, number) a peer learns of every change, each lane at most once, however long it was away. A head is
stated in few bytes, from which whoever knows the log's key writes the note again.

    page = make_heads_page(question, changes, readable=readable, instance=instance, newest=newest)
    read_offer(page.heads[0]).open(log_public).note
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from protocol.errors import LogError
from protocol.exchange.frames import (
    NO_INSTANCE,
    Heads,
    HeadsBesides,
    HeadsCompare,
    HeadsSince,
    HeadsSummary,
    StatedCosignature,
    StatedHead,
)
from protocol.exchange.holding import SignedHead
from protocol.exchange.summary import HeadsSummed
from protocol.identity.keys import HASH_BYTES, SIGNATURE_BYTES
from protocol.lanes.kind import LANE_NAMES
from protocol.limits import HEADS_PAGE_MAX, OFFER_BYTES, OFFERED_COSIGNATURE_BYTES
from protocol.log.checkpoint import Checkpoint, parse_checkpoint
from protocol.log.note import (
    ED25519,
    KEY_ID_BYTES,
    Note,
    NoteSignature,
    VerifierKey,
    format_note,
    key_id,
    parse_note,
    verify_note,
)
from protocol.log.origin import Origin, parse_origin, witness_community, witness_name

_COMMUNITY_MARK = b"\0"  # no key name begins with it
_LANE_NUMBERS = {name: number for number, name in enumerate(LANE_NAMES)}


@dataclass(frozen=True, slots=True)
class HeadChange:
    """Change `number` of a store: this lane has this head now. Each lane stands at its newest change only.

    A lane that somebody may newly read counts as changed, or those who asked before would never hear of it.
    """

    number: int
    origin: Origin
    note: bytes


@dataclass(frozen=True, slots=True)
class OfferedHead:
    """A head as a peer states it: well formed, no signature of it verified yet."""

    origin: Origin
    checkpoint: Checkpoint
    signature: bytes
    cosignatures: tuple[NoteSignature, ...]

    @property
    def memory_bytes(self) -> int:
        """About how many bytes of memory it holds while it waits, in one table and under one name."""
        return OFFER_BYTES + len(self.cosignatures) * OFFERED_COSIGNATURE_BYTES

    def open(self, log_public: bytes) -> SignedHead:
        """Return the head with its note written again, or raise `LogError` where this key did not sign it."""
        name = self.origin.text
        own = NoteSignature(name, key_id(name, ED25519, log_public), self.signature)
        note = Note(self.checkpoint.text, (own, *self.cosignatures))
        verify_note(note, [VerifierKey(name, ED25519, log_public)])
        return SignedHead(format_note(note), self.checkpoint)


def state_head(note: bytes) -> StatedHead:
    """Return what is sent of a stored note: the log's own line comes first in it, then those of witnesses."""
    parsed = parse_note(note)
    checkpoint = parse_checkpoint(parsed.text)
    origin = parse_origin(checkpoint.origin)
    own, *others = parsed.signatures
    assert (own.name, len(own.signature)) == (checkpoint.origin, SIGNATURE_BYTES), "the log's line is first"
    return state_offer(OfferedHead(origin, checkpoint, own.signature, tuple(others)))


def state_offer(offer: OfferedHead) -> StatedHead:
    """Return what is sent of a head."""
    return StatedHead(
        community=offer.origin.community,
        lane=_LANE_NUMBERS.get(offer.origin.lane, offer.origin.lane),
        epoch=offer.origin.epoch,
        size=offer.checkpoint.size,
        root=offer.checkpoint.root,
        signature=offer.signature,
        cosignatures=tuple(_state_cosignature(line) for line in offer.cosignatures),
    )


def read_note(note: bytes) -> OfferedHead:
    """Return what the note of a lane's checkpoint offers, the log's line wherever it stands.

    Raises `ProtocolError`: `origin_malformed` where it is another log's, `note_not_signed` without a line of it.
    """
    parsed = parse_note(note)
    checkpoint = parse_checkpoint(parsed.text)
    origin = parse_origin(checkpoint.origin)
    signatures = [
        line.signature
        for line in parsed.signatures
        if line.name == checkpoint.origin and len(line.signature) == SIGNATURE_BYTES
    ]
    if not signatures:
        raise LogError("note_not_signed", checkpoint.origin)
    return OfferedHead(origin, checkpoint, signatures[0], ())


def read_offer(stated: StatedHead) -> OfferedHead:
    """Return what a stated head offers; raise `LogError` where it can be no checkpoint of a lane."""
    origin = Origin(stated.community, _lane_name(stated.lane), stated.epoch)
    checkpoint = Checkpoint(origin.text, stated.size, stated.root)
    return OfferedHead(origin, checkpoint, stated.signature, tuple(map(_cosignature, stated.cosignatures)))


def is_restart(question: HeadsSince, *, instance: bytes, newest: int) -> bool:
    """Tell whether the asker's place is in another list than that of this store: it is told so first."""
    return question.instance != NO_INSTANCE and (question.instance != instance or question.after > newest)


def make_heads_page(
    question: HeadsSince,
    changes: Iterable[HeadChange],
    *,
    readable: Container[Origin],
    instance: bytes,
    newest: int,
    is_whole: bool = True,
) -> Heads:
    """Return the answer to `question` from the changes after `question.after`, in order of their numbers.

    The asker sees the lanes in `readable` only. `newest` is the store's newest number; a page that is cut
    short at its limit, or because `changes` are not the whole of them, goes through the last one looked at.
    """
    if is_restart(question, instance=instance, newest=newest):
        return Heads(question.number, instance, 0, True, ())
    heads: list[StatedHead] = []
    through = question.after
    for change in changes:
        if len(heads) == HEADS_PAGE_MAX:
            return Heads(question.number, instance, through, True, tuple(heads))
        if change.origin in readable:
            heads.append(state_head(change.note))
        through = change.number
    return Heads(question.number, instance, newest if is_whole else through, not is_whole, tuple(heads))


def make_summary(
    request: HeadsCompare, notes: Sequence[bytes], *, instance: bytes, newest: int
) -> HeadsSummary:
    """Return the bucket hashes over `notes`: those of all heads that the asker may read."""
    hashes = HeadsSummed(request.key, request.bits, notes).hashes()
    return HeadsSummary(request.number, instance, newest, len(notes), hashes)


def make_heads_besides(
    request: HeadsBesides, notes: Sequence[bytes], *, instance: bytes, newest: int
) -> Heads:
    """Return the heads in the buckets asked about that the asker did not name, as many as one page holds."""
    lacking = HeadsSummed(request.key, request.bits, notes).notes_besides(request.buckets, request.items)
    heads = tuple(state_head(note) for note in lacking[:HEADS_PAGE_MAX])
    return Heads(request.number, instance, newest, len(lacking) > HEADS_PAGE_MAX, heads)


def _lane_name(stated: int | str) -> str:
    if isinstance(stated, str):
        return stated
    if stated >= len(LANE_NAMES):
        raise LogError("origin_malformed", f"lane number {stated}")
    return LANE_NAMES[stated]


def _state_cosignature(line: NoteSignature) -> StatedCosignature:
    community = witness_community(line.name)
    witness = _COMMUNITY_MARK + community if community else line.name.encode()
    return StatedCosignature(witness, line.key_id + line.signature)


def _cosignature(stated: StatedCosignature) -> NoteSignature:
    is_community = len(stated.witness) == HASH_BYTES + 1 and stated.witness.startswith(_COMMUNITY_MARK)
    try:
        name = witness_name(stated.witness[1:]) if is_community else stated.witness.decode()
    except UnicodeDecodeError as error:
        raise LogError("key_name_malformed", "not UTF-8") from error
    return NoteSignature(name, stated.signature[:KEY_ID_BYTES], stated.signature[KEY_ID_BYTES:])
