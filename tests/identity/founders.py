"""The keys of the worked example of PROTOCOL.md section 4.5, and a genesis made with them."""

from protocol.identity.genesis import make_genesis
from protocol.identity.keys import SigningKey, log_key_hash
from protocol.identity.sealing import ReaderKey
from protocol.log.merkle import leaf_hash
from protocol.log.record import encode_record

FOUNDED_MS = 1_760_000_000_000


def key(number):
    return SigningKey(bytes([number]) * 32)


LOG, WITNESS, TRANSPORT, NEXT_LOG = key(1), key(2), key(3), key(5)
RECOVERY = (key(6), key(7))
READER = ReaderKey(bytes([4]) * 32)


def founding(**changes):
    """What `make_genesis` takes, with some of it changed."""
    fields = {
        "name": {"en": "Green Market", "zh-Hans": "青菜市"},
        "currency": "CNY",
        "log": LOG,
        "witness": WITNESS,
        "transport": TRANSPORT,
        "sealing_key": READER.public,
        "next_log_key_hash": log_key_hash(NEXT_LOG.public),
        "recovery": RECOVERY,
        "recovery_threshold": 2,
    }
    return fields | changes


GENESIS = make_genesis(**founding())
GENESIS_RECORD = encode_record("community.founded", GENESIS, time_ms=FOUNDED_MS)
COMMUNITY = leaf_hash(GENESIS_RECORD)
