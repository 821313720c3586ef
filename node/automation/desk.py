"""The seller's desk: sealed parts of new orders are fetched from the buyer's node (PROTOCOL.md section 17.6).

The lane tells that there is an order; its lines and details come besides, from the community that placed it.
What comes has to open under its commitment, or it is not kept.
"""

import logging
from collections import defaultdict

from node.actions.sealed_parts import missing_parts
from node.core import Node
from node.writer.transaction import Transaction
from protocol.errors import ProtocolError, SessionError
from protocol.exchange.frames import SealedObject
from protocol.identity.sealing import ReaderKey, open_sealed, unwrap_key
from protocol.lanes.kind import Key
from storage.sealed import KeyWrap, put_key_wrap, put_sealed
from storage.views.reading import StateReader

PAGE = 256
log = logging.getLogger("wildgrass.desk")


class Desk:
    """Fetches what is missing; it remembers which orders are complete, so that each is looked at once."""

    def __init__(self, node: Node) -> None:
        """Take the node."""
        self._node = node
        self._complete: set[Key] = set()

    async def fetch_missing(self) -> None:
        """Ask every buyer's community for the sealed parts that are not here."""
        missing = await self._node.read(self._find_missing)
        for community, commitments in missing.items():
            await self._fetch(community, commitments)

    def _find_missing(self, read: StateReader) -> dict[bytes, list[bytes]]:
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
        try:
            found = await self._node.federation_service.questions.get_sealed(community, commitments)
        except SessionError as error:
            log.info("sealed parts wait: %s", error.code)
            return
        opened = [part for part in found if self._opens(part)]
        if opened:
            await self._node.write(lambda transaction: _keep(transaction, opened))

    def _opens(self, found: SealedObject) -> bool:
        """Whether it is wrapped for us, and is what its commitment promises."""
        reader: ReaderKey = self._node.vault.sealing
        wrapped = next((key.wrapped for key in found.keys if key.reader == reader.public), b"")
        try:
            open_sealed(found.ciphertext, unwrap_key(wrapped, found.commitment, reader), found.commitment)
        except ProtocolError as error:
            log.warning("a sealed part was refused: %s", error.code)
            return False
        return True


def _keep(transaction: Transaction, found: list[SealedObject]) -> None:
    for sealed in found:
        put_sealed(transaction.connection, sealed.commitment, sealed.ciphertext)
        for key in sealed.keys:
            put_key_wrap(transaction.connection, sealed.commitment, KeyWrap(key.reader, key.wrapped))
