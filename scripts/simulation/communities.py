"""Communities of a simulated world: keys from a word, a genesis, and the notes that end their epochs.

shop = Community("shop")
shop.genesis_record, shop.log, shop.side
shop.make_note(chain.newest, lanes, time_ms=now_ms, by="next_key")
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from protocol.amounts.split import Policy, Share
from protocol.exchange.session import OwnSide, PeerIdentity
from protocol.identity.genesis import make_genesis
from protocol.identity.keys import SigningKey, log_key_hash
from protocol.identity.successor import EpochKeys, SealedLane, Successor, make_successor
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
        self.log, self.witness, self.transport, self.recovery = (
            SigningKey(seed(f"{name} {use}")) for use in ("log", "witness", "transport", "recovery")
        )
        sealing = X25519PrivateKey.from_private_bytes(seed(f"{name} sealing")).public_key()
        genesis = make_genesis(
            name={"en": name},
            currency="EUR",
            log=self.log,
            witness=self.witness,
            transport=self.transport,
            sealing_key=sealing.public_bytes_raw(),
            next_log_key_hash=log_key_hash(self.log_key(1).public),
            recovery=[self.recovery],
            recovery_threshold=1,
        )
        self.genesis_record = encode_record("community.founded", genesis, time_ms=START_MS)
        self.id = leaf_hash(self.genesis_record)
        self.identity = PeerIdentity(self.id, self.transport.public)
        self.side = OwnSide(self.genesis_record, self.identity, self.transport.sign)
        self.first = EpochKeys.of_genesis(self.id, genesis)

    def log_key(self, epoch: int, branch: str = "") -> SigningKey:
        """Return the log key of an epoch, as the recovery words derive it; a `branch` has other ones."""
        return SigningKey(seed(f"{self.name} log {epoch} {branch}")) if epoch else self.log

    def make_note(
        self,
        closing: EpochKeys,
        lanes: Mapping[str, SealedLane],
        *,
        time_ms: int,
        by: Literal["next_key", "quorum"],
        branch: str = "",
    ) -> bytes:
        """Return the note that closes an epoch: by the next key alone, or by the recovery sheet as well."""
        log, later = self.log_key(closing.epoch + 1, branch), self.log_key(closing.epoch + 2, branch)
        successor = Successor(
            community=self.id,
            epoch=closing.epoch,
            time_ms=time_ms,
            log_key=log.public,
            next_log_key_hash=log_key_hash(later.public),
            lanes=lanes,
        )
        return make_successor(successor, log=log, recovery=[self.recovery] if by == "quorum" else [])

    def origin(self, lane: str, epoch: int = 0) -> Origin:
        """Return which log one of its lanes is."""
        return Origin(self.id, lane, epoch)
