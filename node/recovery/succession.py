"""Makes the note that closes an epoch with the recovery words (PROTOCOL.md sections 9.3 and 25.3).

made = make_note(chain, entropy, lanes=sealed, now_ms=now_ms)
made.note, made.log_seed
"""

from collections.abc import Mapping
from dataclasses import dataclass

from node.errors import NodeError
from protocol.errors import IdentityError
from protocol.identity.genesis import check_recovery_set
from protocol.identity.keys import SigningKey, log_key_hash
from protocol.identity.recovery import derive_recovery_seeds
from protocol.identity.succession import EpochChain
from protocol.identity.successor import (
    RecoverySet,
    SealedLane,
    Successor,
    make_successor,
    verify_successor,
)


@dataclass(frozen=True, slots=True, repr=False)
class MadeNote:
    """A note that holds, and the seed of the log key that it brings into force."""

    note: bytes
    log_seed: bytes


def make_note(
    chain: EpochChain,
    entropy: bytes,
    *,
    lanes: Mapping[str, SealedLane],
    now_ms: int,
    recovery: RecoverySet | None = None,
) -> MadeNote:
    """Return the note by which these words close the open epoch, or raise `words_of_another` where they may not.

    The first recovery key signs beside the next log key wherever it is one of the set: of a founder alone that
    is a quorum, whose word stands against any next-key note. A note with another `recovery` set is for others to
    sign too, and is not verified here.
    """
    closing = chain.newest
    seeds = derive_recovery_seeds(entropy, next_epoch=closing.epoch + 1)
    later = derive_recovery_seeds(entropy, next_epoch=closing.epoch + 2)
    log, sheet = SigningKey(seeds.next_log), SigningKey(seeds.recovery)
    successor = Successor(
        community=closing.community,
        epoch=closing.epoch,
        time_ms=now_ms,
        log_key=log.public,
        next_log_key_hash=log_key_hash(SigningKey(later.next_log).public),
        lanes=lanes,
        recovery=recovery,
    )
    sheets = [sheet] if sheet.public in (*closing.recovery.keys, *(recovery.keys if recovery else ())) else []
    note = make_successor(successor, log=log, recovery=sheets)
    if recovery is not None:
        check_recovery_set(recovery.keys, recovery.threshold)
        return MadeNote(note, seeds.next_log)
    try:
        verify_successor(note, closing)
    except IdentityError as error:
        raise NodeError("words_of_another", error.code) from error
    return MadeNote(note, seeds.next_log)
