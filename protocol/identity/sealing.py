"""Commitments, sealed payloads and their keys (PROTOCOL.md section 15).

A lane holds a salted commitment; the ciphertext and one wrapped key a reader are objects beside it, found
by the commitment. To erase is to destroy the ciphertext: the commitment alone says nothing without its salt.

    sealed = seal(payload, salt, content_key)
    wrapped = wrap_key(content_key, commitment(salt, payload), reader_public)
    open_sealed(sealed, unwrap_key(wrapped, commitment(salt, payload), reader), commitment(salt, payload))
"""

from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from protocol.errors import SealingError
from protocol.identity.keys import check_sealing_key
from protocol.limits import SEALED_BYTES_MAX

SALT_BYTES = 32
CONTENT_KEY_BYTES = 32
TAG_BYTES = 16
WRAPPED_KEY_BYTES = 32 + CONTENT_KEY_BYTES + TAG_BYTES
PAYLOAD_BYTES_MAX = SEALED_BYTES_MAX - SALT_BYTES - TAG_BYTES

_NONCE = bytes(12)  # fixed, because a content key seals one payload only
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class ReaderKey:
    """An X25519 private key made from its 32 bytes; it opens what is wrapped for it."""

    __slots__ = ("_private", "public")

    def __init__(self, seed: bytes) -> None:
        """Take the 32 private bytes of RFC 7748. Another length is a bug of ours."""
        self._private = X25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw()

    def open(self, wrapped: bytes, context: bytes) -> bytes:
        """Return what HPKE sealed to this key under `context`; raises `cryptography`'s `InvalidTag`."""
        return _SUITE.decrypt(wrapped, self._private, info=context)


def commitment(salt: bytes, payload: bytes) -> bytes:
    """Return the 32 bytes that stand in the lane for `payload`; the salt is 32 random bytes, used once."""
    assert len(salt) == SALT_BYTES
    return sha256(b"wildgrass/v1/commitment\n" + salt + payload).digest()


def seal(payload: bytes, salt: bytes, content_key: bytes) -> bytes:
    """Return the ciphertext of `payload` under a random content key that seals nothing else, ever."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise SealingError("sealed_too_large", f"{len(payload)} bytes, at most {PAYLOAD_BYTES_MAX}")
    return ChaCha20Poly1305(content_key).encrypt(_NONCE, salt + payload, commitment(salt, payload))


def open_sealed(ciphertext: bytes, content_key: bytes, promised: bytes) -> bytes:
    """Return the payload if it opens and is what the commitment `promised`, else raise `SealingError`.

    The comparison matters: this cipher alone lets one ciphertext open under two keys to two payloads.
    """
    return _opened(ciphertext, content_key, promised)[SALT_BYTES:]


def receipt(ciphertext: bytes, content_key: bytes, promised: bytes, recipient: bytes) -> bytes:
    """Return the 32 bytes by which `recipient`, a community, shows that it has opened this; else raise.

    Whoever only carries the ciphertext lacks the salt, so no relay can say that something was delivered
    that was not (PROTOCOL.md section 29).
    """
    salt = _opened(ciphertext, content_key, promised)[:SALT_BYTES]
    return sha256(b"wildgrass/v1/receipt\n" + recipient + promised + salt).digest()


def _opened(ciphertext: bytes, content_key: bytes, promised: bytes) -> bytes:
    if len(ciphertext) > SEALED_BYTES_MAX:
        raise SealingError("sealed_too_large", f"{len(ciphertext)} bytes, at most {SEALED_BYTES_MAX}")
    if len(ciphertext) < SALT_BYTES + TAG_BYTES or len(content_key) != CONTENT_KEY_BYTES:
        raise SealingError("sealed_not_opened", "the ciphertext or its key is too short")
    try:
        opened = ChaCha20Poly1305(content_key).decrypt(_NONCE, ciphertext, promised)
    except InvalidTag as error:
        raise SealingError("sealed_not_opened") from error
    if commitment(opened[:SALT_BYTES], opened[SALT_BYTES:]) != promised:
        raise SealingError("commitment_mismatch")
    return opened


def wrap_key(content_key: bytes, promised: bytes, reader_public: bytes) -> bytes:
    """Return the content key wrapped for one reader: RFC 9180 base mode, 80 bytes.

    The one documented exception to the purity of `protocol`: HPKE draws an ephemeral key of its own, and
    a caller who could choose it could also repeat it. Raises `IdentityError` for an unusable reader key.
    """
    check_sealing_key(reader_public)
    reader = X25519PublicKey.from_public_bytes(reader_public)
    return _SUITE.encrypt(content_key, reader, info=_wrap_context(promised, reader_public))


def unwrap_key(wrapped: bytes, promised: bytes, reader: ReaderKey) -> bytes:
    """Return the 32-byte content key; raise `SealingError` if it is for another reader or payload."""
    if len(wrapped) != WRAPPED_KEY_BYTES:
        raise SealingError("wrapped_key_not_opened", f"{len(wrapped)} bytes instead of {WRAPPED_KEY_BYTES}")
    try:
        return reader.open(wrapped, _wrap_context(promised, reader.public))
    except InvalidTag as error:
        raise SealingError("wrapped_key_not_opened") from error


def _wrap_context(promised: bytes, reader_public: bytes) -> bytes:
    return b"wildgrass/v1/content-key\n" + promised + reader_public
