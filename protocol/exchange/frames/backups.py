"""The frames by which peers keep each other's keys and sealed payloads, and give them back (section 25)."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.exchange.frames.fields import Count, Hash, Key, Nonce, Signature
from protocol.exchange.frames.objects import SealedObject
from protocol.identity.keys import HASH_BYTES
from protocol.limits import (
    BACKUP_COPIES_MAX,
    BACKUP_GIVEN_MAX,
    KEY_BOX_BYTES_MAX,
    RECORD_BYTES_MAX,
    RECOVERED_MAX,
)

KeyBox = Annotated[bytes, Meta(max_length=KEY_BOX_BYTES_MAX)]
GenesisRecord = Annotated[bytes, Meta(min_length=1, max_length=RECORD_BYTES_MAX)]


class BackupState(Struct, frozen=True, array_like=True, tag="backup_state"):
    """Asks what the peer keeps for the asking community."""

    number: Count


class BackupHeld(Struct, frozen=True, array_like=True, tag="backup_held"):
    """SHA-256 of the key box that is kept, empty where there is none, and how many copies."""

    number: Count
    box_hash: Annotated[bytes, Meta(max_length=HASH_BYTES)]
    copies: Annotated[int, Meta(ge=0, le=BACKUP_COPIES_MAX)]


class BackupGive(Struct, frozen=True, array_like=True, tag="backup_give"):
    """Hands over a key box (empty: as it is) and sealed objects, each with the giver's own wrapped key alone."""

    number: Count
    key_box: KeyBox
    objects: Annotated[tuple[SealedObject, ...], Meta(max_length=BACKUP_GIVEN_MAX)]


class BackupKept(Struct, frozen=True, array_like=True, tag="backup_kept"):
    """The commitments of the copies that are kept now, synced; a key box that came with them is kept too."""

    number: Count
    kept: Annotated[tuple[Hash, ...], Meta(max_length=BACKUP_GIVEN_MAX)]


class BackupGet(Struct, frozen=True, array_like=True, tag="backup_get"):
    """Asks for the own key box and for copies, by their commitments, behind `after`."""

    number: Count
    after: Hash


class Backup(Struct, frozen=True, array_like=True, tag="backup"):
    """The key box, empty where none is kept, and the next copies."""

    number: Count
    key_box: KeyBox
    has_more: bool
    objects: Annotated[tuple[SealedObject, ...], Meta(max_length=BACKUP_GIVEN_MAX)]


class RecoveryAsk(Struct, frozen=True, array_like=True, tag="recovery_ask"):
    """Asks for a challenge to the holder of a recovery key."""

    number: Count
    recovery_key: Key


class RecoveryChallenge(Struct, frozen=True, array_like=True, tag="recovery_challenge"):
    """Thirty-two random bytes, whether anything is kept for that key or not."""

    number: Count
    nonce: Nonce


class RecoveryProve(Struct, frozen=True, array_like=True, tag="recovery_prove"):
    """The signature of the challenge by the recovery key."""

    number: Count
    recovery_key: Key
    signature: Signature


class Recovered(Struct, frozen=True, array_like=True):
    """What is kept for one community: its genesis record, and its key box."""

    genesis: GenesisRecord
    key_box: KeyBox


class Recovery(Struct, frozen=True, array_like=True, tag="recovery"):
    """The communities of which the key is a recovery key now."""

    number: Count
    communities: Annotated[tuple[Recovered, ...], Meta(max_length=RECOVERED_MAX)]
