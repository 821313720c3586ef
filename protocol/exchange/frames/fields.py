"""The types of the elements of frames, with their bounds (PROTOCOL.md section 17.2)."""

from typing import Annotated

from msgspec import Meta

from protocol.identity.keys import HASH_BYTES, KEY_BYTES, SIGNATURE_BYTES
from protocol.limits import (
    CODE_CHARACTERS_MAX,
    ENTRIES_FRAME_BYTES_MAX,
    EPOCH_MAX,
    INTEGER_MAX,
    KEY_NAME_BYTES_MAX,
    LANE_NAME_BYTES_MAX,
    TREE_SIZE_MAX,
)
from protocol.log.origin import LANE_PATTERN

INSTANCE_BYTES = 16
NONCE_BYTES = 32
NO_INSTANCE = bytes(INSTANCE_BYTES)

Hash = Annotated[bytes, Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
Key = Annotated[bytes, Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
Signature = Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
Nonce = Annotated[bytes, Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
Instance = Annotated[bytes, Meta(min_length=INSTANCE_BYTES, max_length=INSTANCE_BYTES)]
Count = Annotated[int, Meta(ge=0, le=INTEGER_MAX)]
Size = Annotated[int, Meta(ge=0, le=TREE_SIZE_MAX)]
FilledSize = Annotated[int, Meta(ge=1, le=TREE_SIZE_MAX)]
Code = Annotated[str, Meta(min_length=1, max_length=CODE_CHARACTERS_MAX)]
Packed = Annotated[bytes, Meta(min_length=2, max_length=ENTRIES_FRAME_BYTES_MAX)]
LaneNumber = Annotated[int, Meta(ge=0, le=255)]
LaneName = Annotated[str, Meta(pattern=LANE_PATTERN, max_length=LANE_NAME_BYTES_MAX)]
Epoch = Annotated[int, Meta(ge=0, le=EPOCH_MAX)]
KeyName = Annotated[bytes, Meta(min_length=1, max_length=KEY_NAME_BYTES_MAX)]
