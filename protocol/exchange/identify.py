"""What a genesis record says to the session: which community, and its transport key (PROTOCOL.md section 17.3).

identify(genesis_record) == PeerIdentity(community_id, transport_key)
"""

from protocol.errors import SessionError
from protocol.exchange.session import PeerIdentity
from protocol.identity.genesis import Genesis, verify_genesis
from protocol.lanes import BODY_TYPES
from protocol.lanes.charter.identity import GENESIS_KIND
from protocol.log.record import decode_record


def identify(genesis_record: bytes) -> PeerIdentity:
    """Return the identity that a genesis record proves, or raise `ProtocolError`; every proof is verified."""
    record = decode_record(genesis_record, BODY_TYPES)
    if record.kind != GENESIS_KIND or record.author is not None or record.charter_size != 0:
        raise SessionError("session_genesis_refused", f"a record of kind {record.kind}")
    genesis: Genesis = record.body
    verify_genesis(genesis)
    return PeerIdentity(record.record_id, genesis.transport_key)
