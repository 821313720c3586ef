"""Relays: who keeps sealed objects for the community until it fetches them (PROTOCOL.md section 10.5)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.errors import RecordVoid
from protocol.fields import CommunityId
from protocol.lanes.kind import CHARTER, Change, Entry, Put, Reader, RecordKind, Tables
from protocol.limits import RELAYS_MAX
from protocol.log.record import Body


class RelaysNamed(Body, frozen=True, kw_only=True):
    """`relays.named`: whoever cannot reach us leaves what is sealed for us with one of these communities."""

    relays: Annotated[list[CommunityId], Meta(max_length=RELAYS_MAX)]

    def __post_init__(self) -> None:
        """The order is a preference, and each stands in it once."""
        if len(set(self.relays)) != len(self.relays):
            raise ValueError("relays must be named once each")


class Relays(msgspec.Struct, frozen=True, gc=False):
    """The relays of a community as it named them last, the preferred one first."""

    relays: tuple[CommunityId, ...]


TABLES: Tables = {"relays": Relays}


def step_named(_read: Reader, entry: Entry) -> list[Change]:
    """The newest word replaces those before; an empty list says that there is none."""
    community, relays = entry.position.community, entry.record.body.relays
    if community in relays:
        raise RecordVoid("relay_is_self")
    return [Put("relays", (community,), Relays(tuple(relays)))]


KINDS = (RecordKind("relays.named", CHARTER, RelaysNamed, step_named),)
