"""Communities with a genesis and a transport key, and the address records that they sign."""

from dataclasses import dataclass

from protocol.exchange.addresses import make_address_record, parse_address
from protocol.exchange.frames import SignedAddress
from protocol.exchange.session import OwnSide, PeerIdentity
from protocol.identity.genesis import make_genesis
from protocol.identity.keys import SigningKey, log_key_hash
from protocol.identity.sealing import ReaderKey
from protocol.log.merkle import leaf_hash
from protocol.log.record import encode_record
from tests.village import seed

TIME_MS = 1_760_000_000_000


@dataclass(frozen=True)
class Signer:
    """One community that can sign where it is."""

    community: bytes
    genesis: bytes
    transport: SigningKey

    @property
    def own(self) -> OwnSide:
        identity = PeerIdentity(self.community, self.transport.public)
        return OwnSide(self.genesis, identity, self.transport.sign)

    def told(
        self,
        *addresses: str,
        time_ms: int = TIME_MS,
        genesis: bytes | None = None,
        sectors: tuple[str, ...] = (),
        region: str = "",
    ) -> SignedAddress:
        """Its record with these addresses."""
        record = make_address_record(
            self.community,
            [parse_address(text) for text in addresses],
            time_ms=time_ms,
            sign=self.transport.sign,
            sectors=sectors,
            region=region,
        )
        return SignedAddress(record, self.genesis if genesis is None else genesis)


def signer(word: str) -> Signer:
    """A community from one word."""
    log, witness, transport, recovery = (
        SigningKey(seed(f"{word} {role}")) for role in ("log", "witness", "transport", "recovery")
    )
    genesis = make_genesis(
        name={"en": word},
        currency="EUR",
        log=log,
        witness=witness,
        transport=transport,
        sealing_key=ReaderKey(seed(f"{word} sealing")).public,
        next_log_key_hash=log_key_hash(SigningKey(seed(f"{word} next")).public),
        recovery=[recovery],
        recovery_threshold=1,
    )
    record = encode_record("community.founded", genesis, time_ms=TIME_MS)
    return Signer(leaf_hash(record), record, transport)
