"""Where a node is reached, and the record in which a community signs it (PROTOCOL.md section 26.1).

raw = make_address_record(community, [parse_address("192.0.2.7:8471")], time_ms=now, sign=transport.sign)
record = parse_address_record(raw)
verify_address_record(raw, record, genesis.transport_key)
record.addresses[0].text == "192.0.2.7:8471"
"""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from protocol.encoding import decode, encode
from protocol.errors import EncodingError, SessionError
from protocol.identity.keys import HASH_BYTES, SIGNATURE_BYTES, is_signature_valid
from protocol.limits import (
    ADDRESS_RECORD_BYTES_MAX,
    ADDRESS_RECORD_MS_MAX,
    ADDRESSES_MAX,
    INTEGER_MAX,
    SECTORS_TOLD_MAX,
)

RECORD_FORMAT = 1
RECORD_DOMAIN = b"wildgrass/v1/address-record\n"
REGION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")  # ISO 3166-1 alpha-2, or a subdivision of 3166-2
PROXIED_PORT = 443
_PORT_MAX = 65_535

_ADDRESS = re.compile(
    r"(?P<scheme>wss://)?(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:/@\s]{1,253}))(?::(?P<port>[0-9]{1,5}))?/?"
)


class Address(Struct, frozen=True, array_like=True):
    """One way to a node: `direct` to its own TLS, or `proxied` through one with an ordinary certificate."""

    way: Literal["direct", "proxied"]
    host: Annotated[str, Meta(min_length=1, max_length=253)]
    port: Annotated[int, Meta(ge=1, le=_PORT_MAX)]

    @property
    def text(self) -> str:
        """The one spelling that `parse_address` reads back."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.way == "direct" else f"wss://{host}:{self.port}"


class AddressRecord(Struct, frozen=True, array_like=True):
    """What a community says of itself: where it is reached, where it is, and in which sectors it sells.

    No addresses: it dials out only. An empty region: it does not say. Times are milliseconds since 1970.
    """

    format: Annotated[int, Meta(ge=RECORD_FORMAT, le=RECORD_FORMAT)]
    community: Annotated[bytes, Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
    time_ms: Annotated[int, Meta(ge=0, le=INTEGER_MAX)]
    expires_ms: Annotated[int, Meta(ge=0, le=INTEGER_MAX)]
    addresses: Annotated[tuple[Address, ...], Meta(max_length=ADDRESSES_MAX)]
    region: Annotated[str, Meta(max_length=6)]
    sectors: Annotated[
        tuple[Annotated[str, Meta(pattern=r"\A[a-z]{1,31}\Z")], ...], Meta(max_length=SECTORS_TOLD_MAX)
    ]
    signature: Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]


def parse_address(text: str) -> Address:
    """Return the address of `host:port` (direct) or `wss://host[:port]` (proxied), or raise `ValueError`."""
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or (found["scheme"] is None and found["port"] is None):
        raise ValueError("give host:port, or wss://host for a node behind a proxy")
    port = int(found["port"] or PROXIED_PORT)
    if not 0 < port <= _PORT_MAX:
        raise ValueError(f"a port is 1 to {_PORT_MAX}")
    host = (found["six"] or found["host"]).lower()
    return Address("proxied" if found["scheme"] else "direct", host, port)


def make_address_record(
    community: bytes,
    addresses: Sequence[Address],
    *,
    time_ms: int,
    sign: Callable[[bytes], bytes],
    region: str = "",
    sectors: Sequence[str] = (),
    lifetime_ms: int = ADDRESS_RECORD_MS_MAX,
) -> bytes:
    """Return the signed bytes; `sign` is that of the community's transport key."""
    said = [
        RECORD_FORMAT,
        community,
        time_ms,
        time_ms + lifetime_ms,
        list(addresses[:ADDRESSES_MAX]),
        region,
        sorted(set(sectors))[:SECTORS_TOLD_MAX],
    ]
    return encode([*said, sign(RECORD_DOMAIN + encode(said))])


def parse_address_record(raw: bytes) -> AddressRecord:
    """Return what the bytes say, believed by nobody yet, or raise `address_record_malformed`."""
    try:
        plain = decode(raw, bytes_max=ADDRESS_RECORD_BYTES_MAX)
        record = msgspec.convert(plain, AddressRecord)
    except (EncodingError, msgspec.ValidationError) as error:
        raise SessionError("address_record_malformed", str(error)) from error
    if len(plain) != len(AddressRecord.__struct_fields__):
        raise SessionError("address_record_malformed", f"{len(plain)} elements")
    if not all(map(is_well_spelled, record.addresses)):
        raise SessionError("address_record_malformed", "an address has another spelling")
    if record.region and not REGION.fullmatch(record.region):
        raise SessionError("address_record_malformed", "the region")
    if list(record.sectors) != sorted(set(record.sectors)):
        raise SessionError("address_record_malformed", "sectors are sorted, each once")
    if not 0 < record.expires_ms - record.time_ms <= ADDRESS_RECORD_MS_MAX:
        raise SessionError("address_record_malformed", "the time for which it holds")
    return record


def verify_address_record(raw: bytes, record: AddressRecord, transport_key: bytes) -> None:
    """Raise `address_record_forged` unless the community's transport key signed what the bytes say."""
    said = decode(raw, bytes_max=ADDRESS_RECORD_BYTES_MAX)[:-1]
    if not is_signature_valid(transport_key, RECORD_DOMAIN + encode(said), record.signature):
        raise SessionError("address_record_forged")


def is_well_spelled(address: Address) -> bool:
    """Tell whether an address is the one spelling of itself, as `parse_address` reads it."""
    try:
        return (
            address.host.isascii() and address.host.isprintable() and parse_address(address.text) == address
        )
    except ValueError:
        return False
