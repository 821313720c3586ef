"""The node among its relays: what it puts there, what it hears of it, what waits there for it (section 29).

The machine of `protocol/exchange/relay.py` says what is to be done when; here it is done with the store.
What relays list as waiting is remembered in `Deliveries`, for the desk to fetch.
"""

import logging
from collections.abc import Collection, Sequence

from node.core import Node
from node.writer.transaction import Transaction
from protocol.errors import ProtocolError
from protocol.exchange.delivery import Kept, NotKept, Part, ReceiptShown, TimePassed, moved, next_relay
from protocol.exchange.frames import Receipt, SealedObject, WrappedKey
from protocol.exchange.relay_events import (
    Batch,
    ListNoted,
    LoadParts,
    LoadRelays,
    NotePut,
    NoteTerms,
    PartsLoaded,
    RelayEvent,
    RelaysLoaded,
    RelayWork,
)
from protocol.identity.sealing import ReaderKey, receipt, unwrap_key
from protocol.limits import RELAY_SENDERS_MAX, SEALED_BYTES_MAX, SEALED_OBJECTS_MAX
from storage.peers import all_peers
from storage.sealed import sealed_for
from storage.sent_parts import (
    answered_orders,
    has_parts,
    holding_relays,
    lapsed_parts,
    part_of,
    queued_parts,
    recipients_of_queued,
    remove_parts,
    save_part,
)
from storage.views.reading import StateReader

BATCHES_MAX = 4
LOOKED_AT_MAX = 256
SECOND_MS = 1_000
log = logging.getLogger("wildgrass.relaying")


async def do_relay_work(node: Node, work: RelayWork) -> RelayEvent | None:
    """Do what the machine wants, and return what it is to hear of it."""
    if isinstance(work, LoadRelays):
        return await node.read(lambda read: load_relays(read, node.community))
    if isinstance(work, LoadParts):
        return await _load_parts(node, work)
    now_ms = node.clock.now()
    if isinstance(work, NotePut):
        await node.write(lambda transaction: note_put(transaction, work, now_ms))
        return None
    if isinstance(work, NoteTerms):
        node.deliveries.note_terms(work.relay, work.terms, work.code)
        return None
    refused = await note_receipts(node, work.relay, work.taken)
    node.deliveries.note_waiting(work.relay, work.waiting)
    return ListNoted(work.relay, refused)


def load_relays(read: StateReader, community: bytes) -> RelaysLoaded:
    """Return our own relays, from whom we take deliveries, and which relays keep something of ours."""
    named = read.get("relays", (community,))
    followed = [peer.community for peer in all_peers(read.connection) if peer.trust == "followed"]
    return RelaysLoaded(
        named.relays if named else (),
        tuple(followed[:RELAY_SENDERS_MAX]),
        tuple(holding_relays(read.connection)),
    )


async def _load_parts(node: Node, work: LoadParts) -> PartsLoaded:
    if not await node.look(lambda read: has_parts(read.connection)):
        return PartsLoaded(())
    now_ms = node.clock.now()
    return PartsLoaded(await node.write(lambda transaction: load_parts(transaction, work.peers, now_ms)))


def load_parts(transaction: Transaction, peers: Collection[bytes], now_ms: int) -> tuple[Batch, ...]:
    """Return what is to be put now, the first of it, after what is over was let go of.

    Whoever has a session with us takes the parts from here; what was erased here is not put anywhere.
    """
    connection = transaction.connection
    _forget_answered(transaction)
    for part in lapsed_parts(connection, now_ms, LOOKED_AT_MAX):
        save_part(connection, moved(part, TimePassed(now_ms)))
    batches: dict[tuple[bytes, bytes], _Load] = {}
    for recipient in recipients_of_queued(connection, now_ms):
        named = transaction.get("relays", (recipient,))
        if named is None or recipient in peers:
            continue
        for part in queued_parts(connection, recipient, now_ms, LOOKED_AT_MAX):
            relay = next_relay(part, named.relays, peers)
            if relay is None or ((relay, recipient) not in batches and len(batches) >= BATCHES_MAX):
                continue
            _add(transaction, batches.setdefault((relay, recipient), _Load()), part)
    return tuple(
        Batch(relay, recipient, tuple(load.objects))
        for (relay, recipient), load in batches.items()
        if load.objects
    )


def note_put(transaction: Transaction, note: NotePut, now_ms: int) -> None:
    """Note which parts a relay keeps now, and which it does not."""
    kept = Kept(note.relay, now_ms + note.seconds * SECOND_MS)
    not_kept = NotKept(note.relay, now_ms + note.retry_ms)
    for commitment in note.commitments:
        part = part_of(transaction.connection, commitment)
        if part is not None:
            save_part(transaction.connection, moved(part, kept if commitment in note.kept else not_kept))


async def note_receipts(node: Node, said_by: bytes, receipts: Sequence[Receipt]) -> int:
    """Note what was delivered by receipts that only its reader can have made; return how many are not such."""

    def known(read: StateReader) -> list[Receipt]:
        return [shown for shown in receipts if part_of(read.connection, shown.commitment) is not None]

    known_receipts = await node.read(known) if receipts else []
    if not known_receipts:
        return 0  # not of our orders, or of those that are answered

    def job(transaction: Transaction) -> int:
        refused = 0
        for shown in known_receipts:
            part = part_of(transaction.connection, shown.commitment)
            if part is None:
                continue  # answered just now
            if receipt_for(transaction, node.vault.sealing, part) == shown.receipt:
                save_part(transaction.connection, moved(part, ReceiptShown()))
            else:
                refused += 1
        return refused

    refused = await node.write(job)
    if refused:
        log.warning("%s receipts from %s show nothing", refused, said_by.hex()[:8])
    return refused


def receipt_for(transaction: Transaction, own: ReaderKey, part: Part) -> bytes | None:
    """Return the receipt that the recipient of a part makes, None where the part was erased here."""
    found = sealed_for(transaction.connection, part.commitment, own.public)
    return None if found is None else make_receipt(*found, part.commitment, own, part.recipient)


def make_receipt(
    ciphertext: bytes, wrapped: bytes, commitment: bytes, reader: ReaderKey, recipient: bytes
) -> bytes | None:
    """Return the receipt of a sealed object that opens, else None."""
    try:
        return receipt(ciphertext, unwrap_key(wrapped, commitment, reader), commitment, recipient)
    except ProtocolError as error:
        log.warning("a sealed part does not open: %s", error.code)
        return None


class _Load:
    """Objects of one frame."""

    def __init__(self) -> None:
        self.objects: list[SealedObject] = []
        self.room = SEALED_BYTES_MAX


def _add(transaction: Transaction, load: _Load, part: Part) -> None:
    reader = transaction.get("community", (part.recipient,)).genesis.sealing_key
    found = sealed_for(transaction.connection, part.commitment, reader)
    if found is None:
        return
    ciphertext, wrapped = found
    if len(load.objects) < SEALED_OBJECTS_MAX and len(ciphertext) <= load.room:
        load.objects.append(SealedObject(part.commitment, ciphertext, (WrappedKey(reader, wrapped),)))
        load.room -= len(ciphertext)


def _forget_answered(transaction: Transaction) -> None:
    """An order that the seller has answered needs nothing more."""
    for order_id in answered_orders(transaction.connection, transaction.community, LOOKED_AT_MAX):
        remove_parts(transaction.connection, order_id)
