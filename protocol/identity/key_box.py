"""The key box: the live keys once more, under the key of the recovery words (PROTOCOL.md section 4.7).

Peers may keep it; without the words it says nothing but its size.

    box = seal_key_box(keys, key=seeds.key_box, community=community, nonce=nonce)
    open_key_box(box, key=seeds.key_box, community=community) == keys
"""

from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from msgspec import Meta

from protocol.encoding import decode, encode
from protocol.errors import EncodingError, IdentityError
from protocol.identity.keys import SEED_BYTES
from protocol.limits import EPOCH_MAX, KEY_BOX_BYTES_MAX

NONCE_BYTES = 12

_DOMAIN = b"wildgrass/v1/live-keys\n"

Seed = Annotated[bytes, Meta(min_length=SEED_BYTES, max_length=SEED_BYTES)]


class LiveKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The private halves that a node works with, of one epoch; it prints as the epoch only."""

    epoch: Annotated[int, Meta(ge=0, le=EPOCH_MAX)]
    log: Seed
    sealing: Seed
    transport: Seed
    witness: Seed

    def __repr__(self) -> str:
        """Nothing that is secret."""
        return f"LiveKeys(epoch={self.epoch})"


def seal_key_box(keys: LiveKeys, *, key: bytes, community: bytes, nonce: bytes) -> bytes:
    """Return the bytes of the key box; `nonce` is 12 random bytes, never used twice with one key."""
    assert len(nonce) == NONCE_BYTES
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, encode(keys), _DOMAIN + community)


def open_key_box(box: bytes, *, key: bytes, community: bytes) -> LiveKeys:
    """Return the keys in a box, or raise `IdentityError`: other words, other community, altered bytes."""
    if not NONCE_BYTES < len(box) <= KEY_BOX_BYTES_MAX:
        raise IdentityError("key_box_not_opened", f"{len(box)} bytes")
    try:
        opened = ChaCha20Poly1305(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], _DOMAIN + community)
        return msgspec.convert(decode(opened, bytes_max=KEY_BOX_BYTES_MAX), LiveKeys)
    except (InvalidTag, EncodingError, msgspec.ValidationError) as error:
        raise IdentityError("key_box_not_opened") from error
