"""The seller's desk: sealed parts of new orders are fetched from the buyer's node, or from a relay (section 17.6).

The lane tells that there is an order; its lines and details come besides. Whoever kept them on the way, what
comes has to open under its commitment, or it is not kept; for what is here now, a receipt goes back.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from node.actions.sealed_parts import missing_parts
from node.core import Node
from node.relaying import make_receipt
from node.writer.transaction import Transaction
from protocol.errors import SessionError
from protocol.exchange.frames import Delivery, Receipt, SealedObject
from protocol.lanes.kind import Key
from storage.sealed import KeyWrap, put_key_wrap, put_sealed, sealed_for
from storage.views.reading import StateReader

PAGE = 256
log = logging.getLogger("wildgrass.desk")

Missing = Mapping[bytes, list[bytes]]


class Desk:
    """Fetches what is missing; it remembers which orders are complete, so that each is looked at once."""

    def __init__(self, node: Node) -> None:
        """Take the node."""
        self._node = node
        self._complete: set[Key] = set()

    async def fetch_missing(self) -> None:
        """Ask for the sealed parts that are not here: the buyers' nodes that are connected, then relays."""
        connected = self._node.federation_service.connected()
        missing = await self._node.read(self._find_missing)
        for community, commitments in missing.items():
            if community in connected:
                await self._fetch(community, commitments)
        for relay, listed in self._node.deliveries.waiting().items():
            if relay in connected:
                await self._fetch_from(relay, listed, missing)

    def _find_missing(self, read: StateReader) -> Missing:
        missing: dict[bytes, list[bytes]] = defaultdict(list)
        after: Key | None = None
        waiting: set[Key] = set()
        while True:
            prefix = (self._node.community, "order.placed")
            rows = list(read.scan("untaken", prefix, length=6, limit=PAGE, after=after))
            for key, _ in rows:
                waiting.add(key)
                if key not in self._complete:
                    self._look(read, key, missing)
            if len(rows) < PAGE:
                break
            after = rows[-1][0]
        self._complete &= waiting
        return missing

    def _look(self, read: StateReader, key: Key, missing: dict[bytes, list[bytes]]) -> None:
        placement = read.get("placement", key[2:4])
        parts = missing_parts(read.connection, placement.placed, self._node.vault.sealing.public)
        if parts and placement.reference.community != self._node.community:
            missing[placement.reference.community] += parts
        else:
            self._complete.add(key)

    async def _fetch(self, community: bytes, commitments: list[bytes]) -> None:
        """Fetch from the buyer's own node, and tell it what came."""
        questions = self._node.federation_service.questions
        try:
            receipts = await self._keep(await questions.get_sealed(community, commitments))
            await questions.tell_taken(community, community, receipts)
        except SessionError as error:
            log.info("sealed parts wait: %s", error.code)

    async def _fetch_from(self, relay: bytes, listed: Sequence[Delivery], missing: Missing) -> None:
        """Fetch from a relay what is missing of what it lists, and tell it what is here now or was before.

        What nobody here has ordered from us is left where it is, until it is wanted or the relay drops it.
        """
        by_sender: dict[bytes, list[bytes]] = defaultdict(list)
        for delivery in listed:
            by_sender[delivery.sender].append(delivery.commitment)
        try:
            for sender, commitments in by_sender.items():
                await self._fetch_deliveries(relay, sender, commitments, missing.get(sender, []))
        except SessionError as error:
            log.info("deliveries wait: %s", error.code)

    async def _fetch_deliveries(
        self, relay: bytes, sender: bytes, listed: Sequence[bytes], missing: Sequence[bytes]
    ) -> None:
        questions = self._node.federation_service.questions
        receipts = await self._node.read(lambda read: self._receipts_of_held(read, listed))
        wanted = [name for name in listed if name in frozenset(missing)]
        if wanted:
            receipts += await self._keep(await questions.get_deliveries(relay, sender, wanted))
        if receipts:
            await questions.tell_taken(relay, sender, receipts)
        taken = (Delivery(sender, shown.commitment) for shown in receipts)
        self._node.deliveries.forget(relay, taken)

    async def _keep(self, found: Sequence[SealedObject]) -> list[Receipt]:
        """Keep what opens, and return receipts for it once it is synced."""
        opened = [(part, shown) for part in found if (shown := self._receipt_of(part)) is not None]
        if opened:
            await self._node.write(lambda transaction: _keep(transaction, [part for part, _ in opened]))
        return [Receipt(part.commitment, shown) for part, shown in opened]

    def _receipt_of(self, found: SealedObject) -> bytes | None:
        """The receipt, if it is wrapped for us and is what its commitment promises."""
        own = self._node.vault.sealing
        wrapped = next((key.wrapped for key in found.keys if key.reader == own.public), b"")
        return make_receipt(found.ciphertext, wrapped, found.commitment, own, self._node.community)

    def _receipts_of_held(self, read: StateReader, commitments: Iterable[bytes]) -> list[Receipt]:
        own, receipts = self._node.vault.sealing, []
        for commitment in commitments:
            held = sealed_for(read.connection, commitment, own.public)
            shown = held and make_receipt(*held, commitment, own, self._node.community)
            if shown:
                receipts.append(Receipt(commitment, shown))
        return receipts


def _keep(transaction: Transaction, found: Sequence[SealedObject]) -> None:
    for sealed in found:
        put_sealed(transaction.connection, sealed.commitment, sealed.ciphertext)
        for key in sealed.keys:
            put_key_wrap(transaction.connection, sealed.commitment, KeyWrap(key.reader, key.wrapped))
