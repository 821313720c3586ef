"""Witnesses of the community: whom the charter names, and who has seen which lane up to where.

A cosigned head is proof that others know of it, and at what time. A head without is usable all the same, and
labelled.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from msgspec import UNSET, Meta

from node.actions.shapes import Answer, HashText, Request, Said, hash_of, said
from node.core import Node
from node.epochs import Reading, known_genesis
from node.errors import NodeError
from node.witnessing import witnessed
from node.writer.transaction import Transaction
from protocol.errors import ProtocolError
from protocol.identity.keys import to_base32
from protocol.lanes.charter.witnesses import HttpWitness, Witness, WitnessesAdopted, WitnessUrl
from protocol.lanes.kind import CHARTER, Position
from protocol.limits import WITNESSES_MAX
from protocol.log.note import COSIGNATURE_V1, VerifierKey
from storage.cosignatures import cosigned_sizes
from storage.views.reading import StateReader

VKEY_CHARACTERS_MAX = 512


class HttpWitnessDraft(Request, frozen=True, kw_only=True):
    """A witness as its operator publishes it: its verifier key, `name+id+key`, and where it is asked."""

    vkey: Annotated[str, Meta(max_length=VKEY_CHARACTERS_MAX)]
    url: WitnessUrl


class WitnessesDraft(Request, frozen=True, kw_only=True):
    """The communities to cosign our heads, and how many suffice; without `threshold` a safe number.

    `http_witnesses` are C2SP witnesses besides: this node calls their addresses.
    """

    witnesses: Annotated[list[HashText], Meta(max_length=WITNESSES_MAX)]
    http_witnesses: Annotated[list[HttpWitnessDraft], Meta(max_length=WITNESSES_MAX)] = []
    threshold: Annotated[int, Meta(ge=0, le=WITNESSES_MAX)] | None = None


class WitnessesQuery(Request, frozen=True, kw_only=True):
    """Nothing to say: the witnesses of our community."""


class WitnessedLane(Answer, frozen=True, kw_only=True):
    """Of one lane, up to which size each witness has seen it; one that is not named has seen nothing.

    A witness is named by its community, one over HTTP by the name of its key.
    """

    lane: str
    epoch: int
    seen: dict[str, int]


class HttpWitnessAnswer(Answer, frozen=True, kw_only=True):
    """A witness that is asked over HTTP."""

    name: str
    vkey: str
    url: str


class WitnessesAnswer(Answer, frozen=True, kw_only=True):
    """The witnesses and the quorum. `advice` is the threshold that one bad witness among them cannot split."""

    witnesses: list[str]
    http_witnesses: list[HttpWitnessAnswer]
    threshold: int
    advice: int
    lanes: list[WitnessedLane]


class Seen(Answer, frozen=True, kw_only=True):
    """How many of how many witnesses have seen a record; `is_witnessed` where that is the quorum."""

    by: int
    of: int
    is_witnessed: bool


@dataclass(frozen=True, slots=True)
class _Rule:
    """The witnesses of one community by key name, its quorum, and what each has seen of its lanes."""

    names: tuple[str, ...]
    threshold: int


def safe_threshold(count: int) -> int:
    """Return the least q of `count` witnesses with 2q - count > 1: one bad witness makes no second history.

    A single witness is better than none, and its word alone is all there is.
    """
    return min(count, (count + 3) // 2)


async def adopt_witnesses(node: Node, request: WitnessesDraft) -> Said:
    """Say in our charter who is to cosign our heads, and how many suffice."""
    named = [hash_of(text) for text in request.witnesses]
    http = [_http_witness(draft) for draft in request.http_witnesses]
    count = len(named) + len(http)
    threshold = safe_threshold(count) if request.threshold is None else request.threshold

    def job(transaction: Transaction) -> Said:
        witnesses = [_witness(transaction, community) for community in named]
        body = _adopted(witnesses, http, threshold)
        return said(transaction.say(CHARTER, body))

    return await node.write(job)


async def list_witnesses(node: Node, request: WitnessesQuery) -> WitnessesAnswer:
    """List our witnesses, and what each has seen of our lanes."""

    def question(read: StateReader) -> WitnessesAnswer:
        rule = witnessed(read, node.community)
        names = {key.name: to_base32(community) for community, key in rule.keys.items()}
        http = [
            HttpWitnessAnswer(name=known.key.name, vkey=known.key.vkey, url=known.url) for known in rule.http
        ]
        shown = {**names, **{known.name: known.name for known in http}}
        sizes = cosigned_sizes(read.connection, [node.community])
        return WitnessesAnswer(
            witnesses=list(names.values()),
            http_witnesses=http,
            threshold=rule.threshold,
            advice=safe_threshold(len(shown)),
            lanes=[
                WitnessedLane(
                    lane=lane,
                    epoch=epoch,
                    seen={shown[name]: size for name, size in seen.items() if name in shown},
                )
                for (_, lane, epoch), seen in sorted(sizes.items())
            ],
        )

    return await node.look(question)


def seen_of(read: Reading, positions: Iterable[Position]) -> dict[Position, Seen]:
    """Return for each record how many of its community's witnesses have seen it: one question for all.

    A record is seen by whoever cosigned a head that covers it. Where no witness is named there is no entry.
    """
    wanted = list(positions)
    rules = {community: _rule(read, community) for community in {place.community for place in wanted}}
    named = [community for community, rule in rules.items() if rule.names]
    sizes = cosigned_sizes(read.connection, named) if named else {}
    found: dict[Position, Seen] = {}
    for place in wanted:
        rule = rules[place.community]
        if rule.names:
            seen = sizes.get((place.community, place.lane, place.epoch), {})
            by = sum(seen.get(name, 0) > place.index for name in rule.names)
            found[place] = Seen(by=by, of=len(rule.names), is_witnessed=by >= rule.threshold)
    return found


def _rule(read: Reading, community: bytes) -> _Rule:
    rule = witnessed(read, community)
    return _Rule(tuple(key.name for key in rule.all_keys), rule.threshold)


def _http_witness(draft: HttpWitnessDraft) -> HttpWitness:
    """A verifier key as its operator publishes it, and the address."""
    try:
        key = VerifierKey.from_vkey(draft.vkey)
    except ProtocolError as error:
        raise NodeError("request_field_refused", f"{error.code}: {error.detail}") from error
    if key.type != COSIGNATURE_V1:
        raise NodeError("request_field_refused", f"{key.name} is no key of a witness (cosignature/v1)")
    return HttpWitness(name=key.name, witness_key=key.public, url=draft.url)


def _adopted(witnesses: list[Witness], http: list[HttpWitness], threshold: int) -> WitnessesAdopted:
    try:
        return WitnessesAdopted(witnesses=witnesses, threshold=threshold, http_witnesses=http or UNSET)
    except ValueError as error:
        raise NodeError("request_field_refused", str(error)) from error


def _witness(transaction: Transaction, community: bytes) -> Witness:
    """A community that has proven itself here, with its witness key."""
    genesis = known_genesis(transaction, community)
    if genesis is None:
        raise NodeError("community_unknown", to_base32(community))
    return Witness(community=community, witness_key=genesis.witness_key)
