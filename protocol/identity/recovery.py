"""What the recovery words derive: recovery key, next log key and key-box key (PROTOCOL.md section 4).

None of the three stays on the node. The words themselves, their lists and checksums, are the node's affair;
here they are their 16 to 32 bytes of entropy.

    seeds = derive_recovery_seeds(entropy, next_epoch=1)
    SigningKey(seeds.recovery).public
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocol.errors import IdentityError
from protocol.identity.keys import SEED_BYTES

ENTROPY_BYTES_MIN = 16
ENTROPY_BYTES_MAX = 32

_SALT = b"wildgrass/v1/recovery-words\n"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RecoverySeeds:
    """Three independent secrets of 32 bytes; knowing one tells nothing of the others or of the words."""

    recovery: bytes
    next_log: bytes
    key_box: bytes


def derive_recovery_seeds(entropy: bytes, *, next_epoch: int) -> RecoverySeeds:
    """Return the seeds; `next_epoch` is the epoch that the next log key will open, 1 at the founding.

    The epoch is part of the derivation so that one printed kit serves every later rotation. Raises
    `IdentityError` for entropy that is not 16 to 32 bytes.
    """
    if not ENTROPY_BYTES_MIN <= len(entropy) <= ENTROPY_BYTES_MAX:
        raise IdentityError("entropy_out_of_range", f"{len(entropy)} bytes")
    return RecoverySeeds(
        recovery=_derive(entropy, b"wildgrass/v1/recovery-key\n"),
        next_log=_derive(entropy, b"wildgrass/v1/next-log-key\n%d\n" % next_epoch),
        key_box=_derive(entropy, b"wildgrass/v1/key-box\n"),
    )


def _derive(entropy: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=SEED_BYTES, salt=_SALT, info=purpose).derive(entropy)


def recovery_message(*, keeper: bytes, asker: bytes, nonce: bytes) -> bytes:
    """Return what a recovery key signs to be given the key box of its community (section 25.5).

    `keeper` and `asker` are the two communities of the session, so that nobody can pass the challenge of one
    peer on as its own and be given the box there.
    """
    return b"wildgrass/v1/recovery\n" + keeper + asker + nonce
