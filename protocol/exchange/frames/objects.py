"""The frames that carry what stands beside the lanes: sealed objects, blobs (PROTOCOL.md section 17.6)."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.exchange.frames.fields import Count, Hash, Key
from protocol.identity.sealing import WRAPPED_KEY_BYTES
from protocol.limits import BLOB_PART_BYTES_MAX, READERS_MAX, SEALED_BYTES_MAX, SEALED_OBJECTS_MAX


class WrappedKey(Struct, frozen=True, array_like=True):
    """The content key of one sealed payload, wrapped for the holder of one sealing key."""

    reader: Key
    wrapped: Annotated[bytes, Meta(min_length=WRAPPED_KEY_BYTES, max_length=WRAPPED_KEY_BYTES)]


class SealedObject(Struct, frozen=True, array_like=True):
    """A ciphertext and wrapped keys, found by the commitment; empty `ciphertext`: only keys are meant."""

    commitment: Hash
    ciphertext: Annotated[bytes, Meta(max_length=SEALED_BYTES_MAX)]
    keys: Annotated[tuple[WrappedKey, ...], Meta(max_length=READERS_MAX)]


class SealedGet(Struct, frozen=True, array_like=True, tag="sealed_get"):
    """Asks for sealed objects by their commitments."""

    number: Count
    commitments: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=SEALED_OBJECTS_MAX)]


class Sealed(Struct, frozen=True, array_like=True, tag="sealed"):
    """Those of the sealed objects that are held and fit into one frame, in the order asked for."""

    number: Count
    objects: Annotated[tuple[SealedObject, ...], Meta(max_length=SEALED_OBJECTS_MAX)]


class SealedPut(Struct, frozen=True, array_like=True, tag="sealed_put"):
    """Hands sealed objects, those of an order for instance, to a community that is to read or keep them."""

    number: Count
    objects: Annotated[tuple[SealedObject, ...], Meta(min_length=1, max_length=SEALED_OBJECTS_MAX)]


class SealedAck(Struct, frozen=True, array_like=True, tag="sealed_ack"):
    """The commitments of the objects that are kept now, synced to disk."""

    number: Count
    kept: Annotated[tuple[Hash, ...], Meta(max_length=SEALED_OBJECTS_MAX)]


class BlobGet(Struct, frozen=True, array_like=True, tag="blob_get"):
    """Asks for a part of the blob with this SHA-256."""

    number: Count
    digest: Hash
    offset: Count
    length: Annotated[int, Meta(ge=1, le=BLOB_PART_BYTES_MAX)]


class Blob(Struct, frozen=True, array_like=True, tag="blob"):
    """A part of a blob, shorter than asked for only where the blob ends, and the size of the whole."""

    number: Count
    size: Count
    content: Annotated[bytes, Meta(max_length=BLOB_PART_BYTES_MAX)]
