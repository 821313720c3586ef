"""What this node keeps for others, and gives others to keep (PROTOCOL.md sections 25.4 and 25.5).

A peer that we follow, or that one of us has vouched for, is asked to keep our key box and our sealed payloads;
for whom we follow or vouch for we keep theirs, each within its quota.

    loaded = load_backup(transaction, LoadBackup(peer), key_box)
    answer = keep_backup(transaction, owner, request)
"""

from collections import OrderedDict
from hashlib import sha256

from node.epochs import epoch_chain, known_genesis
from node.writer.transaction import Transaction
from protocol.exchange.backups import BackupLoaded, LoadBackup
from protocol.exchange.frames import (
    Answer,
    Backup,
    BackupGet,
    BackupGive,
    BackupHeld,
    BackupKept,
    BackupState,
    Recovered,
    Recovery,
    RecoveryAsk,
    RecoveryChallenge,
    RecoveryProve,
    Refused,
    SealedObject,
    WrappedKey,
)
from protocol.identity.keys import is_signature_valid
from protocol.identity.recovery import recovery_message
from protocol.limits import (
    BACKUP_COPIES_MAX,
    BACKUP_GIVEN_MAX,
    BACKUP_TOTAL_BYTES_MAX,
    CHALLENGES_MAX,
    RECOVERED_MAX,
    SEALED_BYTES_MAX,
)
from storage.backups import (
    Copy,
    communities_of_key,
    copies_after,
    copies_to_give,
    copy_size,
    count_given,
    forget_given,
    keep_box,
    keep_copy,
    kept_box,
    kept_for,
    note_given,
)
from storage.peers import peer_of
from storage.views.reading import StateReader

FOLLOWED = "followed"


def load_backup(transaction: Transaction, asked: LoadBackup, key_box: bytes) -> BackupLoaded:
    """Note what a peer has acknowledged, and return what it is to be given next; `key_box` is the newest own one."""
    connection, peer = transaction.connection, asked.peer
    note_given(connection, peer, asked.kept)
    if asked.copies is not None and asked.copies < count_given(connection, peer):
        forget_given(connection, peer)  # it lost some: what it has already it acknowledges again
    own = transaction.get("community", (transaction.community,))
    if own is None or not _is_near(transaction, peer):
        return BackupLoaded(peer, is_keeper=False)
    reader = own.genesis.sealing_key
    copies = _fitting(copies_to_give(connection, peer, reader, BACKUP_GIVEN_MAX))
    is_box_new = sha256(key_box).digest() != asked.box_hash
    return BackupLoaded(peer, True, key_box if is_box_new else b"", _objects(copies, reader))


def keep_backup(transaction: Transaction, owner: bytes, given: BackupGive) -> Answer:
    """Keep what a peer hands over of its own, as far as its quota goes."""
    connection = transaction.connection
    genesis, chain = known_genesis(transaction, owner), epoch_chain(transaction, owner)
    if genesis is None or chain is None or not _is_kept_for(transaction, owner):
        return Refused(given.number, "backup_not_kept", "")
    if given.key_box:
        keep_box(connection, owner, given.key_box, chain.newest.recovery.keys)
    used = kept_for(connection, owner)
    count, total = used.copies, used.total_bytes
    kept = []
    for item in given.objects:
        wrapped = next((key.wrapped for key in item.keys if key.reader == genesis.sealing_key), None)
        if wrapped is None or not item.ciphertext:
            continue
        known = copy_size(connection, owner, item.commitment)
        count, total = count + (known is None), total + len(item.ciphertext) + len(wrapped) - (known or 0)
        if count > BACKUP_COPIES_MAX or total > BACKUP_TOTAL_BYTES_MAX:
            break
        keep_copy(connection, owner, Copy(item.commitment, item.ciphertext, wrapped))
        kept.append(item.commitment)
    return BackupKept(given.number, tuple(kept))


def answer_about_backup(read: StateReader, owner: bytes, request: BackupState | BackupGet) -> Answer:
    """Tell a community what is kept for it, or give it back."""
    box = kept_box(read.connection, owner) or b""
    if isinstance(request, BackupState):
        held = kept_for(read.connection, owner)
        return BackupHeld(request.number, sha256(box).digest() if box else b"", held.copies)
    genesis = known_genesis(read, owner)
    found = copies_after(read.connection, owner, request.after, BACKUP_GIVEN_MAX + 1) if genesis else []
    copies = _fitting(found[:BACKUP_GIVEN_MAX])
    objects = _objects(copies, genesis.sealing_key) if genesis else ()
    return Backup(request.number, box, len(copies) < len(found), objects)


class RecoveryDesk:
    """Gives key boxes to whoever proves to hold a recovery key; nobody else learns that there is one."""

    def __init__(self, keeper: bytes) -> None:
        """Take the own community."""
        self._keeper = keeper
        self._challenges: OrderedDict[bytes, tuple[bytes, bytes]] = OrderedDict()

    def challenge(self, asker: bytes, request: RecoveryAsk, nonce: bytes) -> RecoveryChallenge:
        """Give 32 fresh random bytes to sign, in place of what this asker was given before."""
        self._challenges.pop(asker, None)
        while len(self._challenges) >= CHALLENGES_MAX:
            self._challenges.popitem(last=False)
        self._challenges[asker] = (request.recovery_key, nonce)
        return RecoveryChallenge(request.number, nonce)

    def answer(self, read: StateReader, asker: bytes, request: RecoveryProve) -> Answer:
        """Give the key boxes that this key may have; a challenge is good for one try."""
        recovery_key, nonce = self._challenges.pop(asker, (b"", b""))
        message = recovery_message(keeper=self._keeper, asker=asker, nonce=nonce)
        is_proven = recovery_key == request.recovery_key and is_signature_valid(
            recovery_key, message, request.signature
        )
        if not is_proven:
            return Refused(request.number, "recovery_refused", "")
        found = []
        for community in communities_of_key(read.connection, recovery_key)[:RECOVERED_MAX]:
            chain, box = epoch_chain(read, community), kept_box(read.connection, community)
            peer = peer_of(read.connection, community)
            if chain and box and peer and peer.genesis and recovery_key in chain.newest.recovery.keys:
                found.append(Recovered(peer.genesis, box))
        return Recovery(request.number, tuple(found))


def _is_near(transaction: Transaction, peer: bytes) -> bool:
    """Whether we ask this peer to keep what is ours."""
    they = transaction.get("peer", (peer, transaction.community))
    return _is_kept_for(transaction, peer) or (they is not None and they.is_vouched)


def _is_kept_for(transaction: Transaction, community: bytes) -> bool:
    """Whether we follow a community, or vouch for it."""
    known = peer_of(transaction.connection, community)
    we = transaction.get("peer", (transaction.community, community))
    return (known is not None and known.trust == FOLLOWED) or (we is not None and we.is_vouched)


def _fitting(copies: list[Copy]) -> list[Copy]:
    """As many from the first on as fit into one frame."""
    room, fitting = SEALED_BYTES_MAX, list[Copy]()
    for copy in copies:
        room -= len(copy.ciphertext)
        if fitting and room < 0:
            break
        fitting.append(copy)
    return fitting


def _objects(copies: list[Copy], reader: bytes) -> tuple[SealedObject, ...]:
    return tuple(
        SealedObject(copy.commitment, copy.ciphertext, (WrappedKey(reader, copy.wrapped),)) for copy in copies
    )
