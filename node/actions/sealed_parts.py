"""Sealing and opening what belongs to an order but stands in no lane: its lines and the buyer's details."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from protocol.encoding import encode
from protocol.identity.sealing import (
    CONTENT_KEY_BYTES,
    SALT_BYTES,
    ReaderKey,
    commitment,
    open_sealed,
    seal,
    unwrap_key,
    wrap_key,
)
from protocol.lanes.trade.lines import BuyerDetails, OrderLine, open_details, open_line, verify_totals
from protocol.lanes.trade.orders import OrderPlaced
from protocol.log.record import Body
from storage.sealed import KeyWrap, put_key_wrap, put_sealed, sealed_for


@dataclass(frozen=True, slots=True)
class SealedPart:
    """One payload behind its commitment, with its key wrapped for each reader."""

    commitment: bytes
    ciphertext: bytes
    wraps: tuple[KeyWrap, ...]

    def store(self, connection: sa.Connection) -> None:
        """Keep the payload and the wrapped keys."""
        put_sealed(connection, self.commitment, self.ciphertext)
        for wrap in self.wraps:
            put_key_wrap(connection, self.commitment, wrap)


@dataclass(frozen=True, slots=True)
class OpenedOrder:
    """What an order says to those who may read it; None where a part is not here, or erased."""

    lines: tuple[OrderLine, ...] | None
    details: BuyerDetails | None


def seal_part(body: Body, readers: Sequence[bytes]) -> SealedPart:
    """Seal one payload for the holders of the sealing keys in `readers`."""
    payload, salt = encode(body), secrets.token_bytes(SALT_BYTES)
    content_key = secrets.token_bytes(CONTENT_KEY_BYTES)
    promised = commitment(salt, payload)
    wraps = (KeyWrap(reader, wrap_key(content_key, promised, reader)) for reader in dict.fromkeys(readers))
    return SealedPart(promised, seal(payload, salt, content_key), tuple(wraps))


def open_order(connection: sa.Connection, placed: OrderPlaced, reader: ReaderKey) -> OpenedOrder:
    """Open what of an order is here for `reader`.

    Raises `SealingError` or `EncodingError` where a part is here and is not what the lane promised.
    """
    lines = [_open_part(connection, promised, reader) for promised in placed.lines]
    details = _open_part(connection, placed.details, reader)
    opened = None
    if all(line is not None for line in lines):
        opened = tuple(open_line(line) for line in lines if line is not None)
        verify_totals(placed, opened)
    return OpenedOrder(opened, None if details is None else open_details(details))


def missing_parts(connection: sa.Connection, placed: OrderPlaced, reader: bytes) -> list[bytes]:
    """Return the commitments of an order that are not here for `reader`, with ciphertext and key."""
    return [
        promised
        for promised in (*placed.lines, placed.details)
        if sealed_for(connection, promised, reader) is None
    ]


def _open_part(connection: sa.Connection, promised: bytes, reader: ReaderKey) -> bytes | None:
    found = sealed_for(connection, promised, reader.public)
    if found is None:
        return None
    ciphertext, wrapped = found
    return open_sealed(ciphertext, unwrap_key(wrapped, promised, reader), promised)
