"""Communities of a simulated world: keys from a word, a genesis, and what a founder says first.

shop = Community("shop")
shop.genesis_record, shop.log, shop.side
"""

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from protocol.amounts.split import Policy, Share
from protocol.exchange.session import OwnSide, PeerIdentity
from protocol.identity.genesis import make_genesis
from protocol.identity.keys import SigningKey, log_key_hash
from protocol.log.merkle import leaf_hash
from protocol.log.origin import Origin
from protocol.log.record import encode_record
from simulation.agenda import START_MS

MARKET = "market/food"
POLICY = Policy(
    base="net",
    shares=(
        Share(role="seller_community", beneficiary="seller_community", share_bp=300),
        Share(role="buyer_community", beneficiary="buyer_community", share_bp=250),
        Share(role="commons", beneficiary="seller_community", share_bp=50),
    ),
    same_community="to_seller_community",
    tax_remitter="seller",
)


def seed(word: str) -> bytes:
    """Return 32 bytes that follow from a word."""
    return sha256(word.encode()).digest()


class Community:
    """Who a node speaks for."""

    def __init__(self, name: str) -> None:
        """Take a name that is unique in the world."""
        self.name = name
        self.log, self.witness, self.transport, self.recovery, self.next_log = (
            SigningKey(seed(f"{name} {use}")) for use in ("log", "witness", "transport", "recovery", "next")
        )
        sealing = X25519PrivateKey.from_private_bytes(seed(f"{name} sealing")).public_key()
        genesis = make_genesis(
            name={"en": name},
            currency="EUR",
            log=self.log,
            witness=self.witness,
            transport=self.transport,
            sealing_key=sealing.public_bytes_raw(),
            next_log_key_hash=log_key_hash(self.next_log.public),
            recovery=[self.recovery],
            recovery_threshold=1,
        )
        self.genesis_record = encode_record("community.founded", genesis, time_ms=START_MS)
        self.id = leaf_hash(self.genesis_record)
        self.identity = PeerIdentity(self.id, self.transport.public)
        self.side = OwnSide(self.genesis_record, self.identity, self.transport.sign)

    def origin(self, lane: str) -> Origin:
        """Return which log one of its lanes is."""
        return Origin(self.id, lane, 0)
