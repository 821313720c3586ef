"""What peers keep for each other (PROTOCOL.md section 25.4): key boxes, and copies of sealed payloads.

Copies stand apart from a community's own sealed payloads: whoever hands over rubbish under a commitment spoils its
own backup, and nobody else's.

    keep_copy(connection, community, Copy(commitment, ciphertext, wrapped))
    copies_after(connection, community, bytes(32), 16)
"""

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from storage.asking import ask, ask_one
from storage.schema.facts import box_keys, given_copies, kept_boxes, kept_copies


class Copy(NamedTuple):
    """A sealed payload and its content key, wrapped for the community whose copy it is."""

    commitment: bytes
    ciphertext: bytes
    wrapped: bytes


class Kept(NamedTuple):
    """How much is kept for a community: copies, and their bytes."""

    copies: int
    total_bytes: int


def keep_box(
    connection: sa.Connection, community: bytes, key_box: bytes, recovery_keys: Iterable[bytes]
) -> None:
    """Keep the key box of a community in place of an older one, and who may ask for it."""
    for table in (kept_boxes, box_keys):
        connection.execute(sa.delete(table).where(table.c.community == community))
    connection.execute(sa.insert(kept_boxes).values(community=community, key_box=key_box))
    connection.execute(
        sa.insert(box_keys), [{"recovery_key": key, "community": community} for key in recovery_keys]
    )


def kept_box(connection: sa.Connection, community: bytes) -> bytes | None:
    """Return the key box that is kept for a community, or None."""
    found = ask_one(connection, _BOX, (community,))
    return bytes(found[0]) if found else None


def communities_of_key(connection: sa.Connection, recovery_key: bytes) -> list[bytes]:
    """Return the communities whose key boxes are kept for the holder of this recovery key."""
    return [bytes(community) for (community,) in ask(connection, _OF_KEY, (recovery_key,))]


def keep_copy(connection: sa.Connection, community: bytes, copy: Copy) -> None:
    """Keep a copy for a community, in place of what it handed over before under this commitment."""
    this = (kept_copies.c.community == community, kept_copies.c.commitment == copy.commitment)
    connection.execute(sa.delete(kept_copies).where(*this))
    connection.execute(sa.insert(kept_copies).values(community=community, **copy._asdict()))


def copy_size(connection: sa.Connection, community: bytes, commitment: bytes) -> int | None:
    """Return how many bytes of a copy are kept for a community, None where none is."""
    found = ask_one(connection, _SIZE, (community, commitment))
    return int(found[0]) if found else None


def kept_for(connection: sa.Connection, community: bytes) -> Kept:
    """Return how much is kept for a community."""
    found = ask_one(connection, _KEPT, (community,))
    assert found is not None, "a sum has one row"
    return Kept(int(found[0]), int(found[1]))


def copies_after(connection: sa.Connection, community: bytes, after: bytes, limit: int) -> list[Copy]:
    """Return up to `limit` copies kept for a community, by their commitments, behind `after`."""
    return [Copy(*map(bytes, row)) for row in ask(connection, _COPIES, (community, after, limit))]


def copies_to_give(connection: sa.Connection, keeper: bytes, reader: bytes, limit: int) -> list[Copy]:
    """Return up to `limit` payloads that `reader` can open here and that `keeper` has not acknowledged."""
    return [Copy(*map(bytes, row)) for row in ask(connection, _TO_GIVE, (reader, keeper, limit))]


def count_to_give(connection: sa.Connection, keeper: bytes, reader: bytes) -> int:
    """Return how many payloads `reader` can open here that `keeper` has not acknowledged."""
    found = ask_one(connection, _COUNT_TO_GIVE, (reader, keeper))
    return int(found[0]) if found else 0


def count_uncopied(connection: sa.Connection, reader: bytes) -> int:
    """Return how many payloads `reader` can open here that no peer has acknowledged."""
    found = ask_one(connection, _UNCOPIED, (reader,))
    return int(found[0]) if found else 0


def note_given(connection: sa.Connection, keeper: bytes, commitments: Iterable[bytes]) -> None:
    """Note what a peer has acknowledged."""
    for commitment in commitments:
        this = (given_copies.c.keeper == keeper, given_copies.c.commitment == commitment)
        connection.execute(sa.delete(given_copies).where(*this))
        connection.execute(sa.insert(given_copies).values(keeper=keeper, commitment=commitment))


def count_given(connection: sa.Connection, keeper: bytes) -> int:
    """Return how many of ours a peer has acknowledged."""
    found = ask_one(connection, "SELECT count(*) FROM given_copies WHERE keeper = ?", (keeper,))
    return int(found[0]) if found else 0


def forget_given(connection: sa.Connection, keeper: bytes) -> None:
    """Forget what a peer has acknowledged: it says itself that it has less."""
    connection.execute(sa.delete(given_copies).where(given_copies.c.keeper == keeper))


_BOX = "SELECT key_box FROM kept_boxes WHERE community = ?"
_OF_KEY = "SELECT community FROM box_keys WHERE recovery_key = ? ORDER BY community"
_KEPT = "SELECT count(*), coalesce(sum(length(ciphertext) + length(wrapped)), 0) FROM kept_copies WHERE community = ?"
_SIZE = "SELECT length(ciphertext) + length(wrapped) FROM kept_copies WHERE community = ? AND commitment = ?"
_COPIES = (
    "SELECT commitment, ciphertext, wrapped FROM kept_copies"
    " WHERE community = ? AND commitment > ? ORDER BY commitment LIMIT ?"
)
_READABLE = (
    " FROM key_wraps JOIN sealed_payloads ON sealed_payloads.commitment = key_wraps.commitment"
    " WHERE reader = ? AND NOT EXISTS (SELECT 1 FROM given_copies"
    " WHERE keeper = ? AND given_copies.commitment = key_wraps.commitment)"
)
_TO_GIVE = (
    "SELECT key_wraps.commitment, ciphertext, wrapped" + _READABLE + " ORDER BY key_wraps.commitment LIMIT ?"
)
_UNCOPIED = (
    "SELECT count(*) FROM key_wraps JOIN sealed_payloads ON sealed_payloads.commitment = key_wraps.commitment"
    " WHERE reader = ? AND NOT EXISTS (SELECT 1 FROM given_copies"
    " WHERE given_copies.commitment = key_wraps.commitment)"
)
_COUNT_TO_GIVE = "SELECT count(*)" + _READABLE
