"""The frames by which a log asks a witness to cosign its head (PROTOCOL.md section 27)."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.exchange.frames.fields import Count, Hash, Size
from protocol.exchange.frames.lanes import COSIGNATURE_BYTES, StatedHead
from protocol.limits import COSIGN_HASHES_MAX


class CosignGet(Struct, frozen=True, array_like=True, tag="cosign_get"):
    """Asks a witness to cosign a head that grew out of the `old_size` entries that it cosigned last."""

    number: Count
    head: StatedHead
    old_size: Size
    proof: Annotated[tuple[Hash, ...], Meta(max_length=COSIGN_HASHES_MAX)]


class Cosigned(Struct, frozen=True, array_like=True, tag="cosigned"):
    """The witness's key id, time and signature."""

    number: Count
    signature: Annotated[bytes, Meta(min_length=COSIGNATURE_BYTES, max_length=COSIGNATURE_BYTES)]
