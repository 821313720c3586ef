"""Pairing with a neighbour: one click a side, four words to compare, then mutual trust (PROTOCOL.md section 26.5)."""

import secrets

from node.actions.peers import PeerName
from node.actions.shapes import Answer, Request, hash_of
from node.core import Node
from node.errors import NodeError
from node.locale import LANGUAGES
from node.vault.kit import words_of_numbers
from protocol.exchange.pairing import Pair, Step
from protocol.exchange.trust_events import PairingCancelled, PairingConfirmed, PairingStarted
from protocol.identity.keys import to_base32

_NONCE_BYTES = 32


class PairingsQuery(Request, frozen=True, kw_only=True):
    """Nothing to say: all pairings."""


class PairingAnswer(Answer, frozen=True, kw_only=True):
    """Where a pairing stands. `words` has the four words by language, once there are any; both sides see the same.

    `step` is `none`, `started` (the other side has yet to click), `offered` (we have yet to), `revealing`,
    `comparing`, `confirmed` (by us), `agreed` (by them), `trusted`, or `ended` for the reason `code`.
    """

    community: str
    step: str
    words: dict[str, list[str]]
    code: str | None = None


class PairingsAnswer(Answer, frozen=True, kw_only=True):
    """All pairings that are under way or have just ended."""

    pairings: list[PairingAnswer]


async def start_pairing(node: Node, request: PeerName) -> PairingAnswer:
    """Ask a connected neighbour to compare words, or take up its offer."""
    community = hash_of(request.community)
    federation = node.federation_service
    if community not in federation.connected():
        raise NodeError("peer_not_connected", request.community)
    federation.hear(PairingStarted(community, secrets.token_bytes(_NONCE_BYTES)))
    return _of(node, community)


async def confirm_pairing(node: Node, request: PeerName) -> PairingAnswer:
    """Say that both sides see the same words."""
    community = hash_of(request.community)
    pair = node.federation_service.pairs.get(community)
    if pair is None or pair.step not in (Step.COMPARING, Step.AGREED):
        raise NodeError("pairing_not_ready")
    node.federation_service.hear(PairingConfirmed(community))
    return _of(node, community)


async def cancel_pairing(node: Node, request: PeerName) -> PairingAnswer:
    """Break off: the words differ, or it was a mistake."""
    community = hash_of(request.community)
    node.federation_service.hear(PairingCancelled(community))
    return _of(node, community)


async def show_pairing(node: Node, request: PeerName) -> PairingAnswer:
    """Show where the pairing with one neighbour stands."""
    return _of(node, hash_of(request.community))


async def list_pairings(node: Node, request: PairingsQuery) -> PairingsAnswer:
    """List the pairings that are under way or have just ended."""
    return PairingsAnswer(pairings=[_of(node, community) for community in node.federation_service.pairs])


def _of(node: Node, community: bytes) -> PairingAnswer:
    pair = node.federation_service.pairs.get(community)
    return _answer(community, pair)


def _answer(community: bytes, pair: Pair | None) -> PairingAnswer:
    numbers = pair.numbers if pair else ()
    return PairingAnswer(
        community=to_base32(community),
        step=pair.step.value if pair else "none",
        words={language: words_of_numbers(numbers, language) for language in LANGUAGES} if numbers else {},
        code=pair.code or None if pair else None,
    )
