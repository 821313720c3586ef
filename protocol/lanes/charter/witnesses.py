"""Witnesses: who is asked to cosign the community's heads, and how many suffice (PROTOCOL.md section 10.6)."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.errors import LogError, RecordVoid
from protocol.fields import CommunityId, PublicKey
from protocol.lanes.kind import CHARTER, Change, Entry, Put, Reader, RecordKind, Tables
from protocol.limits import KEY_NAME_BYTES_MAX, WITNESS_URL_CHARACTERS_MAX, WITNESSES_MAX
from protocol.log.lines import check_key_name
from protocol.log.origin import witness_name
from protocol.log.record import Body

_HOST = r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])"
URL_PATTERN = rf"\Ahttps?://{_HOST}(?::[1-9][0-9]{{0,4}})?(?:/[A-Za-z0-9._~-]+)*\Z"

WitnessUrl = Annotated[str, Meta(max_length=WITNESS_URL_CHARACTERS_MAX, pattern=URL_PATTERN)]


class Witness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A community that cosigns, and the key by which anybody knows its cosignatures."""

    community: CommunityId
    witness_key: PublicKey


class HttpWitness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A witness of C2SP tlog-witness: the name and key of its cosignatures, and what `/add-checkpoint` follows."""

    name: Annotated[str, Meta(min_length=1, max_length=KEY_NAME_BYTES_MAX)]
    witness_key: PublicKey
    url: WitnessUrl

    def __post_init__(self) -> None:
        """The name is that of a key."""
        try:
            check_key_name(self.name)
        except LogError as error:
            raise ValueError(error.code) from error


class WitnessesAdopted(Body, frozen=True, kw_only=True):
    """`witnesses.adopted`: a head counts as witnessed when `threshold` of these have cosigned it."""

    witnesses: Annotated[list[Witness], Meta(max_length=WITNESSES_MAX)]
    threshold: Annotated[int, Meta(ge=0, le=WITNESSES_MAX)]
    http_witnesses: Annotated[list[HttpWitness], Meta(min_length=1, max_length=WITNESSES_MAX)] | UnsetType = (
        UNSET
    )

    def __post_init__(self) -> None:
        """Each stands once, and the threshold is 1 to their number, or 0 where there is none."""
        others = http_witnesses_of(self)
        names = [
            *(witness_name(witness.community) for witness in self.witnesses),
            *(each.name for each in others),
        ]
        keys = [*(witness.witness_key for witness in self.witnesses), *(each.witness_key for each in others)]
        count = len(names)
        if not count == len(set(names)) == len(set(keys)):
            raise ValueError("witnesses must be named once each, and no key twice")
        if count > WITNESSES_MAX:
            raise ValueError("there are too many witnesses")
        if not min(count, 1) <= self.threshold <= count:
            raise ValueError("the threshold must be 1 to the number of witnesses")


class Witnesses(msgspec.Struct, frozen=True, gc=False):
    """The witnesses of a community and its quorum, as it adopted them last."""

    witnesses: tuple[Witness, ...]
    threshold: int
    http_witnesses: tuple[HttpWitness, ...]


TABLES: Tables = {"witnesses": Witnesses}


def http_witnesses_of(body: WitnessesAdopted) -> Sequence[HttpWitness]:
    """Return those that are asked over HTTP, none where the field is absent."""
    return [] if body.http_witnesses is UNSET else body.http_witnesses


def step_adopted(_read: Reader, entry: Entry) -> list[Change]:
    """The newest word replaces those before; an empty list says that there is none."""
    community, body = entry.position.community, entry.record.body
    others = http_witnesses_of(body)
    if community in [witness.community for witness in body.witnesses] or witness_name(community) in [
        witness.name for witness in others
    ]:
        raise RecordVoid("witness_is_self")
    return [Put("witnesses", (community,), Witnesses(tuple(body.witnesses), body.threshold, tuple(others)))]


KINDS = (RecordKind("witnesses.adopted", CHARTER, WitnessesAdopted, step_adopted),)
