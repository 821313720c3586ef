"""Successor notes as they are kept, by the community and epoch that it closes (PROTOCOL.md section 25).

They are evidence like fork proofs; what they prove is `protocol/identity/succession.py`'s affair.
"""

import sqlalchemy as sa

from storage.asking import ask
from storage.evidence import add_evidence

SUCCESSOR = "successor"


def successor_notes(connection: sa.Connection, community: bytes) -> dict[int, list[bytes]]:
    """Return the notes about a community by the epoch that they close, in order of arrival."""
    found: dict[int, list[bytes]] = {}
    for epoch, note in ask(connection, _NOTES, (community, SUCCESSOR)):
        found.setdefault(epoch, []).append(bytes(note))
    return found


def succeeded_communities(connection: sa.Connection) -> list[bytes]:
    """Return the communities about which there is a note."""
    return [bytes(community) for (community,) in ask(connection, _COMMUNITIES, (SUCCESSOR,))]


def keep_successor(connection: sa.Connection, community: bytes, epoch: int, note: bytes) -> None:
    """Keep a note; the caller has verified and trimmed it."""
    add_evidence(connection, community, epoch, SUCCESSOR, note)


_NOTES = "SELECT epoch, note FROM evidence WHERE community = ? AND kind = ? ORDER BY epoch, evidence_number"
_COMMUNITIES = "SELECT DISTINCT community FROM evidence WHERE kind = ? ORDER BY community"
