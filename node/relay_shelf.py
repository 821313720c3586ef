"""The node as a relay: whom it keeps deliveries for, how much of them, and what it hands out (section 29).

Functions of a connection or a transaction; nothing here can read what it keeps.
"""

from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from node.config import Settings
from node.writer.transaction import Transaction
from protocol.exchange.frames import (
    Answer,
    Delivery,
    Receipt,
    Refused,
    RelayGet,
    RelayKept,
    RelayList,
    RelayListed,
    RelayPut,
    RelayRegister,
    RelayTaken,
    RelayTerms,
    Sealed,
    SealedObject,
    WrappedKey,
)
from protocol.limits import (
    RELAY_BYTES_MAX,
    RELAY_DAYS_MAX,
    RELAY_PAGE_MAX,
    RELAY_RECEIPTS_MAX,
    RELAY_RECIPIENTS_MAX,
    RELAY_REGISTRATION_DAYS,
    RELAY_SENDER_PART,
    SEALED_BYTES_MAX,
)
from storage.peers import peer_of
from storage.relay_shelf import (
    Recipient,
    Shelf,
    Waiting,
    add_delivery,
    all_recipients,
    delivery_for,
    drop_outdated,
    forget_receipts,
    has_receipts,
    known_deliveries,
    listed_after,
    recipient_of,
    save_recipient,
    shelf,
    take_delivery,
    trim_receipts,
)
from storage.views.reading import StateReader

DAY_MS = 86_400_000
DAY_SECONDS = 86_400

Admits = Literal["followed", "named", "off"]


@dataclass(frozen=True, slots=True)
class RelayRule:
    """For whom this node is a relay, and what it keeps for each of them, as its steward has set it.

    `admits`: "followed" communities and those named, only those "named", or nobody ("off").
    """

    admits: Admits = "followed"
    objects_max: int = 1_024
    bytes_max: int = 16_777_216
    days: int = 14


def relay_rule(settings: Settings) -> RelayRule:
    """Return what the settings say."""
    return RelayRule(
        settings.relay_for, settings.relay_objects_max, settings.relay_bytes_max, settings.relay_days
    )


def is_admitted(connection: sa.Connection, rule: RelayRule, community: bytes) -> bool:
    """Tell whether this node is a relay for a community."""
    peer = peer_of(connection, community)
    if rule.admits == "off" or (peer is not None and peer.trust == "blocked"):
        return False
    known = recipient_of(connection, community)
    is_followed = peer is not None and peer.trust == "followed"
    return (known is not None and known.is_admitted) or (rule.admits == "followed" and is_followed)


def register(
    transaction: Transaction, asker: bytes, request: RelayRegister, rule: RelayRule, now_ms: int
) -> Answer:
    """Keep from whom a recipient takes deliveries; without senders it is a recipient no longer."""
    connection = transaction.connection
    known = recipient_of(connection, asker)
    if not is_admitted(connection, rule, asker) or (known is None and not _has_room(connection, now_ms)):
        return Refused(request.number, "relay_not_admitted", "")
    was_let_in = known is not None and known.is_admitted
    save_recipient(connection, Recipient(asker, was_let_in, request.senders, now_ms))
    return RelayTerms(request.number, rule.objects_max, rule.bytes_max, rule.days)


def may_put(read: StateReader, asker: bytes, recipient: bytes, rule: RelayRule, now_ms: int) -> bool:
    """Tell whether a recipient is registered here and names the asker as one of its senders."""
    known = recipient_of(read.connection, recipient)
    return (
        known is not None
        and asker in known.senders
        and now_ms < known.renewed_ms + RELAY_REGISTRATION_DAYS * DAY_MS
        and is_admitted(read.connection, rule, recipient)
    )


def put(transaction: Transaction, asker: bytes, request: RelayPut, rule: RelayRule, now_ms: int) -> Answer:
    """Keep what fits; the caller has asked whether the asker may put anything."""
    connection, recipient = transaction.connection, request.recipient
    drop_outdated(connection, now_ms)
    room = _Room(connection, rule, recipient, asker)
    names = [item.commitment for item in request.objects]
    kept = known_deliveries(connection, recipient, asker, names)
    for item in request.objects:
        if item.commitment in kept or not item.keys or not room.takes(len(item.ciphertext)):
            continue
        expires_ms = now_ms + rule.days * DAY_MS
        add_delivery(
            connection,
            Waiting(recipient, asker, item.commitment, item.ciphertext, item.keys[0].wrapped, expires_ms),
        )
        kept.add(item.commitment)
    if not kept:
        return Refused(request.number, "relay_full", "")
    return RelayKept(request.number, tuple(name for name in names if name in kept), rule.days * DAY_SECONDS)


def is_to_forget(read: StateReader, asker: bytes, request: RelayList) -> bool:
    """Tell whether a list says that receipts were noted which are still here."""
    return has_receipts(read.connection, asker, request.after)


def forget(transaction: Transaction, asker: bytes, request: RelayList) -> None:
    """Drop the receipts that the asker has noted."""
    forget_receipts(transaction.connection, asker, request.after)


def listing(read: StateReader, asker: bytes, request: RelayList) -> Answer:
    """Return what has come for the asker since."""
    rows = listed_after(read.connection, asker, request.after, RELAY_PAGE_MAX + 1)
    page = rows[:RELAY_PAGE_MAX]
    return RelayListed(
        request.number,
        page[-1].number if page else request.after,
        len(rows) > len(page),
        tuple(Delivery(row.sender, row.commitment) for row in page if row.receipt is None),
        tuple(Receipt(row.commitment, row.receipt) for row in page if row.receipt is not None),
    )


def hand_out(read: StateReader, asker: bytes, request: RelayGet) -> Answer:
    """Return those of the deliveries that wait for the asker and fit into one frame."""
    community = read.get("community", (asker,))
    objects: list[SealedObject] = []
    room = SEALED_BYTES_MAX
    for commitment in request.commitments if community else ():
        found = delivery_for(read.connection, asker, request.sender, commitment)
        if found is None or len(found[0]) > room:
            continue
        ciphertext, wrapped = found
        room -= len(ciphertext)
        key = WrappedKey(community.genesis.sealing_key, wrapped)
        objects.append(SealedObject(commitment, ciphertext, (key,)))
    return Sealed(request.number, tuple(objects))


def waits_for(read: StateReader, asker: bytes, request: RelayTaken) -> bool:
    """Tell whether any of it waits for the asker: what was never here concerns nobody."""
    return any(
        delivery_for(read.connection, asker, request.sender, shown.commitment) is not None
        for shown in request.receipts
    )


def take(transaction: Transaction, asker: bytes, request: RelayTaken, now_ms: int) -> None:
    """Let go of what the recipient has, and keep its receipts for the sender."""
    connection = transaction.connection
    until_ms = now_ms + RELAY_DAYS_MAX * DAY_MS
    for shown in request.receipts:
        take_delivery(connection, asker, request.sender, shown.commitment, shown.receipt, until_ms)
    trim_receipts(connection, request.sender, RELAY_RECEIPTS_MAX)


class _Room:
    """What may still come: for the recipient, from this sender, and at this relay at all."""

    def __init__(self, connection: sa.Connection, rule: RelayRule, recipient: bytes, sender: bytes) -> None:
        in_all = shelf(connection)
        for_recipient = shelf(connection, recipient=recipient)
        from_sender = shelf(connection, recipient=recipient, sender=sender)
        self._free = [
            [rule.objects_max - for_recipient.objects, rule.bytes_max - for_recipient.ciphertext_bytes],
            _free_of(from_sender, rule.objects_max // RELAY_SENDER_PART, rule.bytes_max // RELAY_SENDER_PART),
            [rule.objects_max, RELAY_BYTES_MAX - in_all.ciphertext_bytes],
        ]

    def takes(self, ciphertext_bytes: int) -> bool:
        """Reserve room for one more object, or tell that there is none."""
        if any(objects < 1 or free < ciphertext_bytes for objects, free in self._free):
            return False
        for free in self._free:
            free[0] -= 1
            free[1] -= ciphertext_bytes
        return True


def _free_of(present: Shelf, objects_max: int, bytes_max: int) -> list[int]:
    return [objects_max - present.objects, bytes_max - present.ciphertext_bytes]


def _has_room(connection: sa.Connection, now_ms: int) -> bool:
    """Whether one more recipient fits; those who did not renew for so long do not count."""
    oldest_ms = now_ms - RELAY_REGISTRATION_DAYS * DAY_MS
    current = [
        known for known in all_recipients(connection) if known.senders and known.renewed_ms > oldest_ms
    ]
    return len(current) < RELAY_RECIPIENTS_MAX
