"""The other communities: who they are, how this node stands with them, and how the node itself is.

A visitor sees names and trust, a member the node's health as well, a steward addresses and forms too.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from node.actions.audits import AuditAnswer, AuditsQuery, list_audits
from node.actions.peers import (
    NeighbourAnswer,
    PeerAddress,
    PeerAnswer,
    PeerName,
    PeersAnswer,
    PeersQuery,
    add_peer,
    block_peer,
    dismiss_peer,
    follow_peer,
    keep_more,
    list_peers,
    unfollow_peer,
    vouch_peer,
)
from node.actions.relays import (
    OwnRelay,
    RecipientAnswer,
    RelaysAnswer,
    RelaysQuery,
    add_relay,
    drop_relay,
    show_relays,
)
from node.actions.resuming import AloneDraft, continue_alone
from node.actions.status import StatusQuery, show_status
from node.core import Node
from node.errors import NodeError, report
from node.locale import catalog
from node.locale import marked as _
from node.pages.answering import GoTo, Page
from node.pages.formats import in_language, tag_of
from node.pages.forms import Form, FormRefused
from node.pages.measures import say_bytes, say_duration, say_lane
from node.pages.network_map import MapWords, OnMap, draw_network
from node.pages.site import Asked, PageRoute
from protocol.errors import ProtocolError
from protocol.lanes.kind import SECTORS

ADDRESS_CHARACTERS_MAX = 255
_ID_CHARACTERS_SHOWN = 8

CardState = Literal["in_step", "catching_up", "away", "silent", "found", "heard", "blocked"]
_ORDER: tuple[CardState, ...] = ("in_step", "catching_up", "away", "silent", "found", "heard", "blocked")
_DONE_ALREADY = ("peer_vouched_already", "peer_not_vouched")
_SAID = (
    "followed", "unfollowed", "vouched", "dismissed", "blocked", "added", "relay", "unrelay", "alone", "more"
)  # fmt: skip

Deed = Callable[[Node, PeerName], Awaitable[object]]
_DEEDS: dict[str, tuple[Deed, str]] = {
    "unfollow": (unfollow_peer, "unfollowed"),
    "vouch": (vouch_peer, "vouched"),
    "dismiss": (dismiss_peer, "dismissed"),
    "block": (block_peer, "blocked"),
    "relay": (add_relay, "relay"),
    "unrelay": (drop_relay, "unrelay"),
    "more": (keep_more, "more"),
}


@dataclass(frozen=True, slots=True)
class Card:
    """One community as the page shows it; `name` is what its node says, or that it has said nothing yet.

    `relay` is there where it is one of ours, `kept` where this node is one for it.
    """

    community: str
    name: str
    name_tag: str
    is_named: bool
    state: CardState
    peer: PeerAnswer | None
    addresses: tuple[str, ...]
    audit: AuditAnswer | None
    relay: OwnRelay | None = None
    kept: RecipientAnswer | None = None


async def show_neighbours(asked: Asked) -> Page:
    """Show all communities that this node knows, and how the node is."""
    return await _page(asked, asked.form, {})


async def add_neighbour(asked: Asked) -> GoTo | Page:
    """Dial an address from now on, and follow who answers there."""
    form = asked.form
    try:
        address = form.text("address", characters_max=ADDRESS_CHARACTERS_MAX, is_required=True)
        form.check()
        await _add(asked.node, address, form)
    except FormRefused as refused:
        return await _page(asked, form, refused.faults)
    return GoTo("/neighbours?said=added")


async def follow_neighbour(asked: Asked) -> GoTo:
    """Follow a community that is known, or one that was only heard on the local network."""
    community = asked.path["community"]
    found = await list_peers(asked.node, PeersQuery())
    heard = next((near for near in found.neighbours if near.community == community), None)
    if heard is not None and all(peer.community != community for peer in found.peers):
        await add_peer(asked.node, PeerAddress(address=heard.address, community=community))
    else:
        await follow_peer(asked.node, PeerName(community=community))
    return GoTo(f"/neighbours?said=followed#c-{community}")


async def go_on_alone(asked: Asked) -> GoTo:
    """Sign without waiting for the neighbours any longer; a second click finds it done."""
    try:
        await continue_alone(asked.node, AloneDraft())
    except NodeError as error:
        if error.code != "alone_refused" or asked.node.writer.refuses_because is not None:
            raise
    return GoTo("/neighbours?said=alone")


async def do_deed(asked: Asked) -> GoTo:
    """Unfollow, vouch for, dismiss or block a community, or keep more of it."""
    deed = _DEEDS.get(asked.path["deed"])
    if deed is None:
        raise NodeError("not_found", asked.path["deed"][:40])
    act, said = deed
    await do_once(act, asked.node, PeerName(community=asked.path["community"]))
    return GoTo(f"/neighbours?said={said}#c-{asked.path['community']}")


async def do_once(act: Deed, node: Node, name: PeerName) -> None:
    """Do something to a community; what a second click or another steward finds done already is done."""
    try:
        await act(node, name)
    except ProtocolError as error:
        if error.code not in _DONE_ALREADY:
            raise


async def _add(node: Node, address: str, form: Form) -> None:
    try:
        await add_peer(node, PeerAddress(address=address))
    except NodeError as error:
        if error.code != "request_field_refused":
            raise
        form.refuse("address", _("Write host:port, such as 192.168.1.20:8471, or wss://host."))
        form.check()


async def _page(asked: Asked, form: Form, faults: dict[str, str]) -> Page:
    visit = asked.visit
    is_steward, is_member = visit.may("steward"), visit.may("member")
    found = await list_peers(asked.node, PeersQuery())
    audits = (await list_audits(asked.node, AuditsQuery())).audits if is_steward else []
    relays = await show_relays(asked.node, RelaysQuery()) if is_steward else None
    cards = _cards(found, audits, relays, visit.language)
    if not is_member:
        cards = [card for card in cards if card.is_named and card.state != "blocked"]
    said = asked.query("said")
    values: dict[str, Any] = {
        "section": "neighbours",
        "cards": cards,
        "map": _drawn(asked, cards, is_member=is_member),
        "is_steward": is_steward,
        "is_member": is_member,
        "said": said if said in _SAID else "",
        "mdns_failure": found.mdns_failure if is_steward else None,
        "own_address": found.own_address if is_steward else "",
        "address": form["address"],
        "faults": faults,
        "sectors": SECTORS,
        "status": await show_status(asked.node, StatusQuery(counts_listings=False)) if is_member else None,
        "refusal": _refusal(asked.node, visit.language),
        "bytes_of": partial(say_bytes, language=visit.language),
        "duration": partial(say_duration, language=visit.language),
        "lane_name": partial(say_lane, language=visit.language),
    }
    return Page("neighbours.html", values, status=422 if faults else 200)


def _cards(
    found: PeersAnswer, audits: Sequence[AuditAnswer], relays: RelaysAnswer | None, language: str
) -> list[Card]:
    relay_of = {relay.community: relay for relay in relays.relays} if relays else {}
    kept_for = {known.community: known for known in relays.recipients} if relays else {}
    audit_of = {audit.community: audit for audit in audits}
    heard_at: dict[str, NeighbourAnswer] = {near.community: near for near in found.neighbours}
    known = {peer.community: peer for peer in found.peers}
    cards = []
    for community in known.keys() | heard_at.keys():
        peer, heard = known.get(community), heard_at.get(community)
        addresses = peer.addresses if peer else []
        cards.append(
            Card(
                community=community,
                name=in_language(peer.name, language) if peer and peer.name else _nameless(language),
                name_tag=tag_of(peer.name, language) if peer and peer.name else language,
                is_named=peer is not None and peer.name is not None,
                state=state_of(peer),
                peer=peer,
                addresses=tuple(dict.fromkeys([*addresses, *([heard.address] if heard else [])])),
                audit=audit_of.get(community),
                relay=relay_of.get(community),
                kept=kept_for.get(community),
            )
        )
    return sorted(cards, key=lambda card: (_ORDER.index(card.state), card.name.casefold(), card.community))


def state_of(peer: PeerAnswer | None) -> CardState:
    """Return how this node stands with a community just now; None was only heard on the local network."""
    if peer is None:
        return "heard"
    if peer.trust == "blocked":
        return "blocked"
    if peer.trust == "found":
        return "found"
    if peer.is_connected:
        return "catching_up" if peer.unfolded else "in_step"
    return "silent" if peer.last_seen_ms is None else "away"


def _drawn(asked: Asked, cards: Sequence[Card], *, is_member: bool) -> str:
    """Members see who is connected, visitors whom the community follows."""
    said = catalog(asked.visit.language).gettext
    shown = [card for card in cards if card.state != "blocked"]
    marked = {card.community for card in shown if card.peer is not None and card.peer.marks}
    neighbours = [
        OnMap(
            f"{card.name} (!)" if card.community in marked else card.name,
            _is_linked(card, is_member=is_member),
        )
        for card in shown
    ]
    words = MapWords(
        title=said(_("This community and its neighbours")),
        linked=said(_("connected") if is_member else _("followed")),
        not_linked=said(_("not connected") if is_member else _("not followed")),
        nobody=said(_("No other community is known here yet.")),
        more=said(_("and {count} more")),
    )
    return draw_network(in_language(asked.node.genesis.name, asked.visit.language), neighbours, words=words)


def _is_linked(card: Card, *, is_member: bool) -> bool:
    if card.peer is None:
        return False
    return card.peer.is_connected if is_member else card.peer.trust == "followed"


def _refusal(node: Node, language: str) -> object:
    refusal = node.writer.refuses_because
    return None if refusal is None else report(refusal, language=language)


def _nameless(language: str) -> str:
    return catalog(language).gettext(_("A community without a name yet"))


NEIGHBOUR_PAGES = (
    PageRoute(method="POST", path="/neighbours/alone", show=go_on_alone, needs="steward"),
    PageRoute(method="GET", path="/neighbours", show=show_neighbours),
    PageRoute(method="POST", path="/neighbours", show=add_neighbour, needs="steward"),
    PageRoute(
        method="POST",
        path="/neighbours/{community:[a-z2-7]{52}}/follow",
        show=follow_neighbour,
        needs="steward",
    ),
    PageRoute(
        method="POST",
        path="/neighbours/{community:[a-z2-7]{52}}/{deed:[a-z]+}",
        show=do_deed,
        needs="steward",
    ),
)
