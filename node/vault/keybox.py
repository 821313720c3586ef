"""The key box: the live keys once more, encrypted under the key that the recovery words give (PROTOCOL.md 4).

Peers may keep it; without the words it says nothing but its size. Its bytes are a nonce of 12, then
ChaCha20-Poly1305 over the canonical map of the keys, with the domain line and the community id as associated
data.
"""

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from node.errors import NodeError
from protocol.encoding import decode, encode
from protocol.errors import EncodingError
from protocol.identity.keys import SEED_BYTES

NONCE_BYTES = 12
KEYBOX_BYTES_MAX = 4_096

_DOMAIN = b"wildgrass/v1/key-box\n"


class LiveKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The private halves that a node works with: 32 bytes each, of one epoch."""

    epoch: int
    log: bytes
    witness: bytes
    transport: bytes
    sealing: bytes

    def __post_init__(self) -> None:
        """Refuse a key of another length."""
        if any(len(seed) != SEED_BYTES for seed in (self.log, self.witness, self.transport, self.sealing)):
            raise ValueError("a private key is 32 bytes")

    def __repr__(self) -> str:
        """Nothing that is secret."""
        return f"LiveKeys(epoch={self.epoch})"


def seal_keybox(keys: LiveKeys, *, keybox_key: bytes, community: bytes, nonce: bytes) -> bytes:
    """Return the bytes of the key box; `nonce` is 12 random bytes, never used twice with one key."""
    assert len(nonce) == NONCE_BYTES
    return nonce + ChaCha20Poly1305(keybox_key).encrypt(nonce, encode(keys), _DOMAIN + community)


def open_keybox(box: bytes, *, keybox_key: bytes, community: bytes) -> LiveKeys:
    """Return the keys in a box, or raise `NodeError`: other words, another community, or altered bytes."""
    if not NONCE_BYTES < len(box) <= KEYBOX_BYTES_MAX:
        raise NodeError("keybox_not_opened", f"{len(box)} bytes")
    try:
        opened = ChaCha20Poly1305(keybox_key).decrypt(
            box[:NONCE_BYTES], box[NONCE_BYTES:], _DOMAIN + community
        )
        return msgspec.convert(decode(opened, bytes_max=KEYBOX_BYTES_MAX), LiveKeys)
    except (InvalidTag, EncodingError, msgspec.ValidationError) as error:
        raise NodeError("keybox_not_opened") from error
