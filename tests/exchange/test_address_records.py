"""Address records: what is signed, what is refused, and by which code."""

import msgspec
import pytest

from protocol.encoding import encode
from protocol.errors import SessionError
from protocol.exchange.addresses import (
    RECORD_DOMAIN,
    Address,
    make_address_record,
    parse_address,
    parse_address_record,
    verify_address_record,
)
from protocol.identity.keys import SigningKey
from protocol.limits import ADDRESS_RECORD_MS_MAX
from tests.exchange.address_villages import TIME_MS, signer
from tests.worked_examples import worked_bytes

SHOP = signer("shop")


def parts() -> list[object]:
    told = SHOP.told("192.0.2.7:8471", "wss://shop.example", sectors=("food",), region="CN-33")
    return list(msgspec.msgpack.decode(told.record))


def refused(raw: bytes) -> str:
    with pytest.raises(SessionError) as refusal:
        verify_address_record(raw, parse_address_record(raw), SHOP.transport.public)
    return refusal.value.code


def test_a_record_says_where_and_where_it_is_from() -> None:
    """Every field comes out as it went in, and the signature holds for the transport key."""
    raw = encode(parts())
    record = parse_address_record(raw)
    verify_address_record(raw, record, SHOP.transport.public)
    assert record.addresses == (Address("direct", "192.0.2.7", 8471), Address("proxied", "shop.example", 443))
    assert (record.community, record.region, record.sectors) == (SHOP.community, "CN-33", ("food",))
    assert (record.time_ms, record.expires_ms) == (TIME_MS, TIME_MS + ADDRESS_RECORD_MS_MAX)


@pytest.mark.parametrize(
    ("element", "value"),
    [
        (0, 2),
        (1, b"short"),
        (3, TIME_MS),
        (3, TIME_MS + ADDRESS_RECORD_MS_MAX + 1),
        (4, [["direct", "x", 1]] * 9),
        (4, [["anywhere", "x", 1]]),
        (4, [["direct", "UPPER", 1]]),
        (4, [["direct", "a b", 1]]),
        (4, [["direct", "x/path", 1]]),
        (4, [["direct", "x", 0]]),
        (4, [["direct", "x", 65_536]]),
        (4, [["direct", "", 1]]),
        (5, "cn"),
        (5, "CN-3333"),
        (6, ["food", "fashion"]),
        (6, ["food", "food"]),
        (6, ["x"] * 17),
        (7, b"short"),
    ],
)
def test_what_is_not_well_written_is_malformed(element: int, value: object) -> None:
    """Each element has its form; one that is out of it spoils the record."""
    changed = parts()
    changed[element] = value
    assert refused(encode(changed)) == "address_record_malformed"


@pytest.mark.parametrize("raw", [b"", b"\xc1", encode([]), encode([*parts(), 1]), encode({}), bytes(5_000)])
def test_other_bytes_are_no_record(raw: bytes) -> None:
    """Neither garbage, nor a record with something behind it, nor one that is too long."""
    assert refused(raw) == "address_record_malformed"


@pytest.mark.parametrize(
    ("element", "value"), [(2, TIME_MS + 1), (4, [["direct", "thief.example", 1]]), (5, "DE"), (6, [])]
)
def test_what_was_changed_after_the_signature_is_forged(element: int, value: object) -> None:
    """Time, addresses, region and sectors are all under the signature."""
    changed = parts()
    changed[element] = value
    assert refused(encode(changed)) == "address_record_forged"


def test_a_signature_of_something_else_is_forged() -> None:
    """The domain keeps a record from being any other thing that the key signs."""
    changed = parts()
    changed[7] = SHOP.transport.sign(encode(changed[:7]))
    assert refused(encode(changed)) == "address_record_forged"
    changed[7] = SHOP.transport.sign(RECORD_DOMAIN + encode(changed[:7]))
    parse_address_record(encode(changed))
    verify_address_record(encode(changed), parse_address_record(encode(changed)), SHOP.transport.public)


def test_the_example_of_the_document_comes_out() -> None:
    """Section 26.1, byte for byte."""
    example = worked_bytes("address-record")
    record = parse_address_record(example["record"])
    verify_address_record(example["record"], record, example["transport public"])
    made = make_address_record(
        record.community,
        [parse_address("192.0.2.7:8471"), parse_address("wss://shop.example")],
        time_ms=TIME_MS,
        sign=SigningKey(b"\x03" * 32).sign,
        region="CN-33",
        sectors=["food", "family"],
    )
    assert made == example["record"]
