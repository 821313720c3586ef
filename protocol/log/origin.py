"""The origin: which log of which community, as one line of text (PROTOCOL.md section 5).

A lane restarts in every epoch, so the log that a checkpoint speaks of is a lane of a community in an epoch.

    Origin(community_id, "market/food", 0).text == "wildgrass/v1/<52 characters>/0/market/food"
    parse_origin(origin.text) == origin
"""

import re
from typing import Annotated

from msgspec import Meta, Struct

from protocol.errors import IdentityError, LogError
from protocol.identity.keys import HASH_BYTES, from_base32, to_base32
from protocol.limits import EPOCH_MAX, LANE_NAME_BYTES_MAX

_LANE = r"[a-z]{1,31}(/[a-z]{1,31})?"
LANE_PATTERN = rf"\A{_LANE}\Z"
_WITNESS = re.compile(r"wildgrass/v1/([a-z2-7]{52})/witness")
_ORIGIN = re.compile(rf"wildgrass/v1/([a-z2-7]{{52}})/(0|[1-9][0-9]{{0,9}})/({_LANE})")


class Origin(Struct, frozen=True, array_like=True, order=True):
    """One log: the 32-byte community id, the lane's name, and the epoch, which counts from 0."""

    community: Annotated[bytes, Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
    lane: Annotated[str, Meta(pattern=LANE_PATTERN, max_length=LANE_NAME_BYTES_MAX)]
    epoch: Annotated[int, Meta(ge=0, le=EPOCH_MAX)]

    @property
    def text(self) -> str:
        """The first line of its checkpoints, and the name of its log key."""
        return f"wildgrass/v1/{to_base32(self.community)}/{self.epoch}/{self.lane}"


def parse_origin(text: str) -> Origin:
    """Return the origin that a line names, or raise `LogError`, `IdentityError` for the id in it."""
    found = _ORIGIN.fullmatch(text)
    if found is None or int(found[2]) > EPOCH_MAX:
        raise LogError("origin_malformed", repr(text[:128]))
    return Origin(from_base32(found[1], HASH_BYTES), found[3], int(found[2]))


def witness_name(community: bytes) -> str:
    """Return the key name under which a community cosigns the heads of others."""
    return f"wildgrass/v1/{to_base32(community)}/witness"


def witness_community(name: str) -> bytes | None:
    """Return the community that cosigns under this key name, or None where it is no community's."""
    found = _WITNESS.fullmatch(name)
    try:
        return from_base32(found[1], HASH_BYTES) if found else None
    except IdentityError:
        return None
