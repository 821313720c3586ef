"""What the search for others keeps and asks of the store, as functions of a connection or a transaction.

Trust stands in `peers`, what was found in `address_book`; the search sees both as one `Known`.
"""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from node.writer.transaction import Transaction
from protocol.exchange.addresses import Address, parse_address
from protocol.exchange.discovery_events import ForgetKnown, Found, KeepKnown, Known, Trust
from protocol.exchange.follow_rules import FollowRule
from protocol.lanes.kind import SECTORS
from storage.address_book import Finding, all_findings, forget_finding, keep_finding
from storage.follow_rules import all_rules
from storage.peers import Peer, all_peers, peer_of, remove_peer
from storage.views.reading import StateReader


def known_communities(connection: sa.Connection, own: bytes) -> tuple[tuple[Known, ...], bytes]:
    """Return everybody that is known, and the own address record of before (empty: none)."""
    peers = {peer.community: peer for peer in all_peers(connection)}
    findings = {finding.community: finding for finding in all_findings(connection)}
    mine = findings.pop(own, None)
    known = [_known(findings.get(name), peers.get(name), name) for name in {**findings, **peers}]
    return tuple(known), mine.record if mine else b""


def take_changes(transaction: Transaction, changes: Iterable[KeepKnown | ForgetKnown]) -> None:
    """Keep and forget in the order given; whom a steward has chosen is forgotten by nobody else."""
    for change in changes:
        if isinstance(change, KeepKnown):
            keep_finding(transaction.connection, _finding(change.known))
        else:
            forget_finding(transaction.connection, change.community)
            peer = peer_of(transaction.connection, change.community)
            if peer is not None and peer.trust == "found":
                remove_peer(transaction.connection, change.community)


def own_sectors(read: StateReader, own: bytes) -> tuple[str, ...]:
    """Return the sectors in which the own community sells: those whose lanes it has declared."""
    return tuple(name for name in SECTORS if read.get("declared_lane", (own, f"market/{name}")) is not None)


def rules(connection: sa.Connection) -> tuple[FollowRule, ...]:
    """Return the rules as the machines read them."""
    return tuple(
        FollowRule(rule.rule_number, rule.effect, rule.community, rule.sector, rule.region)  # type: ignore[arg-type]  # written from the same literal
        for rule in all_rules(connection)
    )


def _known(finding: Finding | None, peer: Peer | None, community: bytes) -> Known:
    trust: Trust = peer.trust if peer else "found"  # type: ignore[assignment]  # one of the three words
    found: Found = finding.found if finding else "added"  # type: ignore[assignment]  # written from the same literal
    genesis = (peer.genesis if peer else None) or (finding.genesis if finding else b"")
    return Known(
        community=community,
        found=found,
        found_ms=finding.found_ms if finding else 0,
        trust=trust,
        told_by=finding.told_by if finding else None,
        genesis=genesis,
        record=finding.record if finding else b"",
        hints=_addresses(peer.addresses if peer else ()),
        met_ms=peer.last_seen_ms if peer else None,
        rule=(finding.rule_number or 0) if finding else 0,
    )


def _addresses(texts: Sequence[str]) -> tuple[Address, ...]:
    return tuple(parse_address(text) for text in texts)


def _finding(known: Known) -> Finding:
    return Finding(
        known.community,
        known.found,
        known.found_ms,
        known.told_by,
        known.genesis,
        known.record,
        known.rule or None,
    )
