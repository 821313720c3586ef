"""The community's keys: how they stand, a new log key by the recovery words, and the sheets of a recovery quorum.

A rotation with the words keeps the printed sheet: it derives the key of every later epoch. Who may replace keys
changes by a *prepared* note alone: it is made here, carried to the holders of the other sheets, signed on their
machines and brought back; until then nothing is written, because it seals what stands now.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from node.actions.shapes import Answer, HashText, Request, hash_of
from node.core import Node
from node.epochs import epoch_chain
from node.errors import NodeError
from node.files import sync_folder, write_private
from node.opening import PREPARED_FILE
from node.recovery.recovering import PEERS_MIN
from node.recovery.rehearsal import rehearse
from node.recovery.succession import MadeNote, make_note
from node.vault.found import make_key_box
from node.vault.kit import entropy_of_words
from node.vault.vault import add_log_key, read_live_keys, write_key_box
from node.writer.inbox import EpochEnd
from node.writer.own_lanes import Signer
from node.writer.transaction import Transaction
from protocol.identity.keys import HASH_BYTES, SigningKey, from_base32, to_base32
from protocol.identity.recovery import derive_recovery_seeds
from protocol.identity.succession import Closing, EpochChain
from protocol.identity.successor import (
    RecoverySet,
    SealedLane,
    parse_successor,
    verify_successor,
)
from protocol.limits import NOTE_BYTES_MAX, RECOVERY_KEYS_MAX
from protocol.log.note import parse_note
from storage.backups import count_to_give
from storage.peers import all_peers
from storage.successors import choose_successor
from storage.views.reading import StateReader

WordsText = Annotated[str, Meta(min_length=1, max_length=1_000)]


class KeysQuery(Request, frozen=True, kw_only=True):
    """Whose keys; without a community, our own."""

    community: HashText | None = None


class ContestedNote(Answer, frozen=True, kw_only=True):
    """What a successor note says that contradicts another one; `note` is the name by which it is chosen.

    `authority` is `quorum` where enough recovery sheets have signed it, `next_key` where the next log key alone
    has. `lanes` has the size at which each lane of the closed epoch ends; `log_key` opens the next one.
    """

    note: str
    epoch: int
    time_ms: int
    authority: Literal["next_key", "quorum"]
    log_key: str
    lanes: dict[str, int]
    replaces_sheets: bool


class KeysAnswer(Answer, frozen=True, kw_only=True):
    """The open epoch, who may replace its keys, and what keeps it from going on.

    `contested` are the notes that contradict each other, of which the stewards choose one. `is_prepared` says
    that a note waits for signatures and nothing is written. `uncopied_parts` counts by community the private parts
    of orders that it does not keep for us yet. Both are said of our own keys alone.
    """

    epoch: int
    recovery_keys: list[str]
    recovery_threshold: int
    is_prepared: bool
    contested: list[ContestedNote]
    uncopied_parts: dict[str, int]


class RotationDraft(Request, frozen=True, kw_only=True):
    """The recovery words, which the node uses once and does not keep."""

    words: WordsText


class RotatedAnswer(Answer, frozen=True, kw_only=True):
    """The epoch that is open now; the sheet with the words stays as it is."""

    epoch: int


class PreparationDraft(Request, frozen=True, kw_only=True):
    """The words of one's own sheet, and which sheets of how many are to be enough from now on."""

    words: WordsText
    recovery_keys: Annotated[tuple[HashText, ...], Meta(min_length=1, max_length=RECOVERY_KEYS_MAX)]
    threshold: Annotated[int, Meta(ge=1, le=RECOVERY_KEYS_MAX)]


class PreparedNote(Answer, frozen=True, kw_only=True):
    """The note as a text file, signed by what was at hand, for the holders of the other sheets."""

    note: str


class SignedNote(Request, frozen=True, kw_only=True):
    """The prepared note with the signatures that were collected."""

    note: Annotated[str, Meta(min_length=1, max_length=NOTE_BYTES_MAX)]


class CancellationQuery(Request, frozen=True, kw_only=True):
    """Nothing to say: give the prepared note up."""


class RehearsalDraft(Request, frozen=True, kw_only=True):
    """The recovery words, to see whether they would bring the community back."""

    words: WordsText


class PeerRehearsed(Answer, frozen=True, kw_only=True):
    """What one peer would give back; `code` says why it gave nothing."""

    address: str
    community: str | None = None
    has_box: bool
    is_box_current: bool
    records: int
    code: str = ""


class RehearsedAnswer(Answer, frozen=True, kw_only=True):
    """What a recovery would bring back now, and what would be lost.

    `would_succeed` says that two peers give back the keys. `fetched_records` were fetched into a folder that is
    thrown away, and are those of this node byte for byte where `is_identical`. `unsaved_records` are at no peer
    that is connected, `uncopied_parts` are private parts of orders that no peer keeps for us.
    """

    would_succeed: bool
    peers: list[PeerRehearsed]
    records: int
    fetched_records: int
    unsaved_records: int
    uncopied_parts: int
    is_identical: bool


class NoteChoice(Request, frozen=True, kw_only=True):
    """Which of the notes about a community's contested epoch our stewards hold to."""

    community: HashText
    note: HashText


async def show_keys(node: Node, request: KeysQuery) -> KeysAnswer:
    """Say how the keys stand."""
    community = hash_of(request.community) if request.community else node.community
    is_own = community == node.community

    def question(read: StateReader) -> KeysAnswer:
        chain = _chain(read, community)
        reader = node.vault.sealing.public
        return KeysAnswer(
            epoch=chain.epoch,
            recovery_keys=[to_base32(key) for key in chain.newest.recovery.keys],
            recovery_threshold=chain.newest.recovery.threshold,
            is_prepared=is_own and _prepared_path(node).exists(),
            contested=[_contested(closing) for closing in chain.contested],
            uncopied_parts={
                to_base32(peer.community): count_to_give(read.connection, peer.community, reader)
                for peer in all_peers(read.connection)
                if is_own and peer.trust == "followed"
            },
        )

    return await node.read(question)


async def rotate_keys(node: Node, request: RotationDraft) -> RotatedAnswer:
    """Close the epoch with the next log key, which the words derive, and go on in the next one.

    The key that was used until now signs nothing that counts any more, wherever it lies. Raises `NodeError`:
    `words_refused`, `words_of_another`, and why nothing can be signed just now.
    """
    entropy = entropy_of_words(request.words)
    chain = await node.read(lambda read: _chain(read, node.community))

    def succeed(signer: Signer, lanes: Mapping[str, SealedLane]) -> tuple[bytes, Signer]:
        if signer.epoch != chain.epoch:
            raise NodeError("note_other")  # somebody else has opened the next epoch meanwhile
        made = make_note(chain, entropy, lanes=lanes, now_ms=node.clock.now())
        return made.note, _keep_key(node, signer, made, entropy)

    signer = await node.writer.end_epoch(EpochEnd(succeed))
    return RotatedAnswer(epoch=signer.epoch)


async def prepare_note(node: Node, request: PreparationDraft) -> PreparedNote:
    """Make the note that gives the community another set of recovery sheets, and stop writing until it is signed.

    Raises as `rotate_keys` does, and `recovery_set_refused` where the sheets cannot meet the threshold.
    """
    entropy = entropy_of_words(request.words)
    keys = tuple(from_base32(text, HASH_BYTES) for text in request.recovery_keys)
    recovery = RecoverySet(threshold=request.threshold, keys=keys)
    chain = await node.read(lambda read: _chain(read, node.community))
    if _prepared_path(node).exists():
        raise NodeError("note_prepared")
    made: list[MadeNote] = []

    def prepare(signer: Signer, lanes: Mapping[str, SealedLane]) -> tuple[bytes, Signer]:
        if signer.epoch != chain.epoch:
            raise NodeError("note_other")
        now_ms = node.clock.now()
        note = make_note(chain, entropy, lanes=lanes, now_ms=now_ms, recovery=recovery)
        _keep_key(node, signer, note, entropy)
        write_private(_prepared_path(node), note.note)
        node.writer.stop_signing(NodeError("note_prepared"))
        made.append(note)
        raise NodeError("note_prepared")

    try:
        await node.writer.end_epoch(EpochEnd(prepare))
    except NodeError:
        if not made:
            raise
    return PreparedNote(note=made[0].note.decode())


async def combine_note(node: Node, request: SignedNote) -> RotatedAnswer:
    """Close the epoch with the prepared note, now that enough sheets have signed it.

    Raises `NodeError` `note_other` for another note than the one prepared, and `ProtocolError` where signatures
    are missing or wrong; then it waits on.
    """
    raw, path = request.note.encode(), _prepared_path(node)
    if not path.exists():
        raise NodeError("note_other")
    if parse_note(raw).text != parse_note(path.read_bytes()).text:
        raise NodeError("note_other")
    chain = await node.read(lambda read: _chain(read, node.community))
    verify_successor(raw, chain.newest)
    stated = parse_successor(parse_note(raw).text)

    def succeed(signer: Signer, lanes: Mapping[str, SealedLane]) -> tuple[bytes, Signer]:
        if (stated.epoch, dict(stated.lanes)) != (signer.epoch, dict(lanes)):
            raise NodeError("note_other")
        keys = read_live_keys(node.vault.folder, signer.epoch + 1)
        return raw, replace(signer, epoch=signer.epoch + 1, log_key=SigningKey(keys.log))

    signer = await node.writer.end_epoch(EpochEnd(succeed, is_prepared=True))
    _forget_prepared(node)
    return RotatedAnswer(epoch=signer.epoch)


async def cancel_note(node: Node, request: CancellationQuery) -> KeysAnswer:
    """Give the prepared note up, and write again; whoever signed it has signed nothing that counts."""
    _forget_prepared(node)
    node.writer.resume("note_prepared")
    return await show_keys(node, KeysQuery())


async def rehearse_recovery(node: Node, request: RehearsalDraft) -> RehearsedAnswer:
    """Do everything that a recovery does up to the successor note, and change nothing anywhere.

    Raises `NodeError` `words_refused`, `words_of_another`.
    """
    done = await rehearse(node, entropy_of_words(request.words))
    return RehearsedAnswer(
        would_succeed=sum(peer.has_box for peer in done.peers) >= PEERS_MIN,
        peers=[
            PeerRehearsed(
                address=peer.address,
                community=to_base32(peer.community) if peer.community else None,
                has_box=peer.has_box,
                is_box_current=peer.is_box_current,
                records=peer.records,
                code=peer.code,
            )
            for peer in done.peers
        ],
        records=done.records,
        fetched_records=done.fetched_records,
        unsaved_records=done.unsaved_records,
        uncopied_parts=done.uncopied_parts,
        is_identical=done.is_identical,
    )


async def choose_note(node: Node, request: NoteChoice) -> KeysAnswer:
    """Hold to one of the notes that contradict each other; this node follows that community on accordingly."""
    community, name = hash_of(request.community), hash_of(request.note)

    def job(transaction: Transaction) -> None:
        chain = _chain(transaction, community)
        chosen = next((each for each in chain.contested if each.name == name), None)
        if chosen is None:
            raise NodeError("note_other")
        choose_successor(transaction.connection, community, chosen.epoch, name)
        transaction.note_succession(community)

    await node.write(job)
    return await show_keys(node, KeysQuery(community=request.community))


def _contested(closing: Closing) -> ContestedNote:
    said = closing.succession.successor
    return ContestedNote(
        note=to_base32(closing.name),
        epoch=said.epoch,
        time_ms=said.time_ms,
        authority=closing.succession.kind,
        log_key=to_base32(said.log_key),
        lanes={lane: sealed.size for lane, sealed in said.lanes.items()},
        replaces_sheets=said.recovery is not None,
    )


def _chain(read: StateReader | Transaction, community: bytes) -> EpochChain:
    chain = epoch_chain(read, community)
    if chain is None:
        raise NodeError("community_unknown")
    return chain


def _keep_key(node: Node, signer: Signer, made: MadeNote, entropy: bytes) -> Signer:
    """Put the new key and its box on the disk before the note that brings it into force; return what signs then."""
    folder, epoch = node.vault.folder, signer.epoch + 1
    add_log_key(folder, epoch, made.log_seed)
    seeds = derive_recovery_seeds(entropy, next_epoch=epoch)
    write_key_box(folder, make_key_box(read_live_keys(folder, epoch), seeds, node.community))
    return Signer(node.community, epoch, SigningKey(made.log_seed))


def _prepared_path(node: Node) -> Path:
    return node.vault.folder / PREPARED_FILE


def _forget_prepared(node: Node) -> None:
    _prepared_path(node).unlink(missing_ok=True)
    sync_folder(node.vault.folder)
