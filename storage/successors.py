"""Successor notes as they are kept, by the community and epoch that it closes (PROTOCOL.md section 25).

They are evidence like fork proofs; what they prove is `protocol/identity/succession.py`'s affair.
"""

import sqlalchemy as sa

from storage.asking import ask
from storage.evidence import add_evidence
from storage.schema.facts import chosen_successors

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


def choose_successor(connection: sa.Connection, community: bytes, epoch: int, name: bytes) -> None:
    """Keep which note about an epoch the stewards chose, in place of an earlier choice."""
    this = (chosen_successors.c.community == community, chosen_successors.c.epoch == epoch)
    connection.execute(sa.delete(chosen_successors).where(*this))
    connection.execute(sa.insert(chosen_successors).values(community=community, epoch=epoch, note_name=name))


def chosen_successors_of(connection: sa.Connection, community: bytes) -> dict[int, bytes]:
    """Return by epoch the names of the notes that the stewards chose."""
    return {epoch: bytes(name) for epoch, name in ask(connection, _CHOSEN, (community,))}


_CHOSEN = "SELECT epoch, note_name FROM chosen_successors WHERE community = ?"
_NOTES = "SELECT epoch, note FROM evidence WHERE community = ? AND kind = ? ORDER BY epoch, evidence_number"
_COMMUNITIES = "SELECT DISTINCT community FROM evidence WHERE kind = ? ORDER BY community"
