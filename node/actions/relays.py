"""Relays: name those that keep sealed parts for us, and say for whom this node is one (PROTOCOL.md section 29).

A relay sees who sends how much to whom, and when; it can open nothing. To be one costs room on the disk.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from msgspec import Meta

from node.actions.peers import PeerName, name_of
from node.actions.shapes import Answer, HashText, Request, Said, hash_of, said
from node.core import Node
from node.errors import NodeError
from node.relay_shelf import is_admitted
from node.writer.transaction import Transaction
from protocol.exchange.frames import RelayTerms
from protocol.fields import Title
from protocol.identity.keys import to_base32
from protocol.lanes.charter.relays import RelaysNamed
from protocol.lanes.kind import CHARTER
from protocol.limits import RELAYS_MAX
from storage.peers import peer_of
from storage.relay_shelf import Recipient, all_recipients, recipient_of, save_recipient, shelf
from storage.views.reading import StateReader


class RelaysDraft(Request, frozen=True, kw_only=True):
    """Our relays, the preferred one first; none: nobody keeps anything for us."""

    relays: Annotated[list[HashText], Meta(max_length=RELAYS_MAX)]


class RelaysQuery(Request, frozen=True, kw_only=True):
    """Nothing to say: our relays, and those for whom we are one."""


class OwnRelay(Answer, frozen=True, kw_only=True):
    """One of our relays. `keeps` is "yes" with its terms, "unasked" before a session, or the code of its refusal.

    `waiting` counts what it lists for us and is not fetched yet.
    """

    community: str
    name: Title | None
    is_connected: bool
    keeps: str
    waiting: int
    objects_max: int | None = None
    bytes_max: int | None = None
    days: int | None = None


class RecipientAnswer(Answer, frozen=True, kw_only=True):
    """A community for which this node keeps sealed parts, or may: how many wait, from how many senders it takes."""

    community: str
    name: Title | None
    is_named: bool
    is_admitted: bool
    senders: int
    objects: int
    ciphertext_bytes: int
    renewed_ms: int | None = None


class RelaysAnswer(Answer, frozen=True, kw_only=True):
    """Our relays in their order, whom we are a relay for, and by which rule."""

    relays: list[OwnRelay]
    recipients: list[RecipientAnswer]
    relay_for: Literal["followed", "named", "off"]
    objects_max: int
    bytes_max: int
    days: int


async def name_relays(node: Node, request: RelaysDraft) -> Said:
    """Say in our charter where sealed parts for us may be left, and register there."""
    named = [hash_of(relay) for relay in request.relays]

    def job(transaction: Transaction) -> Said:
        for relay, text in zip(named, request.relays, strict=True):
            if relay != transaction.community and peer_of(transaction.connection, relay) is None:
                raise NodeError("community_unknown", text)
        return said(transaction.say(CHARTER, RelaysNamed(relays=list(dict.fromkeys(named)))))

    answer = await node.write(job)
    node.federation_service.tell_relays_changed()
    return answer


async def add_relay(node: Node, request: PeerName) -> Said:
    """Name one more relay, behind those that we have."""
    return await _rename(node, request, lambda relays, relay: [*relays, relay])


async def drop_relay(node: Node, request: PeerName) -> Said:
    """Name one relay less."""
    return await _rename(node, request, lambda relays, relay: [other for other in relays if other != relay])


async def admit_recipient(node: Node, request: PeerName) -> RelaysAnswer:
    """Be a relay for a community, whether we follow it or not."""
    return await _admit(node, request, is_let_in=True)


async def dismiss_recipient(node: Node, request: PeerName) -> RelaysAnswer:
    """Be one no longer, unless we follow it and are a relay for all whom we follow."""
    return await _admit(node, request, is_let_in=False)


async def show_relays(node: Node, request: RelaysQuery) -> RelaysAnswer:
    """Show our relays, and for whom this node is one."""
    connected = node.federation.connected() if node.federation else frozenset()

    def question(read: StateReader) -> RelaysAnswer:
        named = read.get("relays", (node.community,))
        rule = node.relay_rule
        return RelaysAnswer(
            relays=[
                _own_relay(read, node, relay, is_connected=relay in connected)
                for relay in (named.relays if named else ())
            ],
            recipients=[
                _recipient(read, node, known)
                for known in all_recipients(read.connection)
                if known.is_admitted or known.senders
            ],
            relay_for=rule.admits,
            objects_max=rule.objects_max,
            bytes_max=rule.bytes_max,
            days=rule.days,
        )

    return await node.look(question)


async def _rename(
    node: Node, request: PeerName, renamed: Callable[[Sequence[bytes], bytes], list[bytes]]
) -> Said:
    named = await node.read(lambda read: read.get("relays", (node.community,)))
    relays = renamed(named.relays if named else (), hash_of(request.community))
    texts = [to_base32(relay) for relay in dict.fromkeys(relays)]
    if len(texts) > RELAYS_MAX:
        raise NodeError("relays_full")
    return await name_relays(node, RelaysDraft(relays=texts))


async def _admit(node: Node, request: PeerName, *, is_let_in: bool) -> RelaysAnswer:
    community = hash_of(request.community)

    def job(transaction: Transaction) -> None:
        known = recipient_of(transaction.connection, community) or Recipient(community)
        save_recipient(transaction.connection, known._replace(is_admitted=is_let_in))

    await node.write(job)
    return await show_relays(node, RelaysQuery())


def _own_relay(read: StateReader, node: Node, relay: bytes, *, is_connected: bool) -> OwnRelay:
    said_last = node.deliveries.terms.get(relay, "unasked")
    terms = said_last if isinstance(said_last, RelayTerms) else None
    return OwnRelay(
        community=to_base32(relay),
        name=name_of(read, relay, peer_of(read.connection, relay)),
        is_connected=is_connected,
        keeps="yes" if terms else str(said_last),
        waiting=len(node.deliveries.waiting().get(relay, ())),
        objects_max=terms.objects_max if terms else None,
        bytes_max=terms.bytes_max if terms else None,
        days=terms.days if terms else None,
    )


def _recipient(read: StateReader, node: Node, known: Recipient) -> RecipientAnswer:
    present = shelf(read.connection, recipient=known.community)
    return RecipientAnswer(
        community=to_base32(known.community),
        name=name_of(read, known.community, peer_of(read.connection, known.community)),
        is_named=known.is_admitted,
        is_admitted=is_admitted(read.connection, node.relay_rule, known.community),
        senders=len(known.senders),
        objects=present.objects,
        ciphertext_bytes=present.ciphertext_bytes,
        renewed_ms=known.renewed_ms or None,
    )
