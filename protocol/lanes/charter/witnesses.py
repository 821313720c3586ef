"""Witnesses: who is asked to cosign the community's heads, and how many suffice (PROTOCOL.md section 10.6)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.errors import RecordVoid
from protocol.fields import CommunityId, PublicKey
from protocol.lanes.kind import CHARTER, Change, Entry, Put, Reader, RecordKind, Tables
from protocol.limits import WITNESSES_MAX
from protocol.log.record import Body


class Witness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A community that cosigns, and the key by which anybody knows its cosignatures."""

    community: CommunityId
    witness_key: PublicKey


class WitnessesAdopted(Body, frozen=True, kw_only=True):
    """`witnesses.adopted`: a head counts as witnessed when `threshold` of these communities cosigned it."""

    witnesses: Annotated[list[Witness], Meta(max_length=WITNESSES_MAX)]
    threshold: Annotated[int, Meta(ge=0, le=WITNESSES_MAX)]

    def __post_init__(self) -> None:
        """Each stands once, and the threshold is 1 to their number, or 0 where there is none."""
        count = len(self.witnesses)
        communities = {witness.community for witness in self.witnesses}
        if not count == len(communities) == len({witness.witness_key for witness in self.witnesses}):
            raise ValueError("witnesses must be named once each, and no key twice")
        if not min(count, 1) <= self.threshold <= count:
            raise ValueError("the threshold must be 1 to the number of witnesses")


class Witnesses(msgspec.Struct, frozen=True, gc=False):
    """The witnesses of a community and its quorum, as it adopted them last."""

    witnesses: tuple[Witness, ...]
    threshold: int


TABLES: Tables = {"witnesses": Witnesses}


def step_adopted(_read: Reader, entry: Entry) -> list[Change]:
    """The newest word replaces those before; an empty list says that there is none."""
    community, body = entry.position.community, entry.record.body
    if community in [witness.community for witness in body.witnesses]:
        raise RecordVoid("witness_is_self")
    return [Put("witnesses", (community,), Witnesses(tuple(body.witnesses), body.threshold))]


KINDS = (RecordKind("witnesses.adopted", CHARTER, WitnessesAdopted, step_adopted),)
