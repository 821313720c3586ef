"""The question `handshake` of section 17.3: one side of a session with fixed keys, fed what the other side sent."""

from collections.abc import Mapping
from typing import Any

from protocol.errors import SessionError
from protocol.exchange.session import (
    Admit,
    Binding,
    Close,
    Connected,
    MessageReceived,
    OwnSide,
    PeerIdentity,
    SendMessage,
    Session,
)
from protocol.identity.genesis import verify_genesis
from protocol.identity.keys import SigningKey, to_base32
from protocol.lanes import BODY_TYPES
from protocol.log.record import decode_record
from tests.golden.plain import from_json

NOW_MS = 0


def handshake(case: Mapping[str, Any]) -> Any:
    """Return what this side sends, and whom it admits; raise what it closes the session with."""
    key = SigningKey(bytes.fromhex(case["transport_seed"]))
    genesis = bytes.fromhex(case["genesis"])
    expected = from_json(case["expected"])
    session = Session(
        case["role"],
        OwnSide(genesis, identity_of(genesis), key.sign),
        Binding(*from_json(case["binding"])),
        nonce=bytes.fromhex(case["nonce"]),
        time_ms=case["time_ms"],
        identify=identity_of,
        expected=expected,
    )
    effects = session.handle(Connected(), NOW_MS)
    for raw in case["received"]:
        effects += session.handle(MessageReceived(bytes.fromhex(raw)), NOW_MS)
    for effect in effects:
        if isinstance(effect, Close):
            raise SessionError(effect.code)
    return {
        "sent": [effect.raw.hex() for effect in effects if isinstance(effect, SendMessage)],
        "admitted": [to_base32(effect.identity.community) for effect in effects if isinstance(effect, Admit)],
    }


def identity_of(genesis: bytes) -> PeerIdentity:
    record = decode_record(genesis, BODY_TYPES)
    verify_genesis(record.body)
    return PeerIdentity(record.record_id, record.body.transport_key)
