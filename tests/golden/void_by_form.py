"""Small cuts in which one entry is void for its bytes, its lane's clock or its place.

Each function is one vector: its name, with the number that some have at the end left out, is the code; its
docstring says what must hold.
"""

from typing import Any

from protocol.encoding import encode
from protocol.lanes import BODY_TYPES, KINDS
from protocol.lanes.kind import CHARTER, LEDGER, TRADE
from protocol.log.record import decode_record, encode_record
from tests.golden.cuts import Cut, cut_of
from tests.village import MARKET, START_MS, Village, Villager, object_id, seed

MEMBER = Villager("member")


def village(*lanes: str) -> Village:
    return Village("village", lanes=lanes)


def publish(shop: Village, word: str = "shop", **fields: Any) -> None:
    shop.say(MARKET, "shop.published", shop_id=object_id(word), name={"en": word}, **fields)


def with_entry(raw: bytes) -> Cut:
    """A market lane with this entry, and a good record after it."""
    shop = village(MARKET)
    shop.append(MARKET, raw)
    publish(shop)
    return cut_of(shop)


def element(number: int, value: Any) -> bytes:
    """A good record with one element replaced."""
    shop = village(MARKET)
    publish(shop)
    record = decode_record(shop.entries[MARKET][-1], BODY_TYPES)
    parts = [1, record.kind, record.time_ms, record.charter_size, None, record.body, None]
    return encode([*parts[:number], value, *parts[number + 1 :]])


def encoding_too_large() -> Cut:
    """A record of more than 60,000 bytes is void; its lane goes on."""
    return with_entry(b"\xc6" + (60_001).to_bytes(4, "big") + bytes(60_001))


def encoding_malformed() -> Cut:
    """An entry of no bytes is void; its lane goes on."""
    return with_entry(b"")


def encoding_trailing_bytes() -> Cut:
    """A record with a byte behind it is void; its lane goes on."""
    return with_entry(element(0, 1) + b"\xc0")


def encoding_type_refused() -> Cut:
    """A record of an unknown kind with a float in it is void, not unknown; its lane goes on."""
    return with_entry(encode([1, "weather.noted", START_MS + 9, 2, None, {"degrees": 0.5}, None]))


def encoding_integer_range() -> Cut:
    """A record whose time is beyond 2^53 - 1 is void; its lane goes on."""
    return with_entry(element(2, 2**53))


def encoding_too_deep() -> Cut:
    """A record of an unknown kind nested nine deep is void; its lane goes on."""
    return with_entry(encode([1, "box.packed", START_MS + 9, 2, None, [[[[[[[[]]]]]]]], None]))


def encoding_not_canonical() -> Cut:
    """A record whose charter size is not in its shortest form is void; its lane goes on."""
    return with_entry(element(0, 1).replace(b"\x02\xc0\x82", b"\xcc\x02\xc0\x82"))


def encoding_not_utf8() -> Cut:
    """A record with a text that is not UTF-8 is void; its lane goes on."""
    return with_entry(element(0, 1).replace(b"\xa4shop", b"\xa4sho\xff"))


def record_shape() -> Cut:
    """A record of six elements is void; its lane goes on."""
    return with_entry(encode([1, "shop.published", START_MS + 9, 2, None, {}]))


def record_shape_2() -> Cut:
    """A record with a signature and no author is void; its lane goes on."""
    return with_entry(element(6, bytes(64)))


def record_shape_3() -> Cut:
    """A canonical value that is no array is void; its lane goes on."""
    return with_entry(encode({"format": 1}))


def format_unknown() -> Cut:
    """A record of format 2 is void whatever else it holds; its lane goes on."""
    return with_entry(encode([2, "shop.published"]))


def body_refused() -> Cut:
    """A body with a field that its kind does not have is void; its lane goes on."""
    return with_entry(element(5, {"shop_id": object_id("shop"), "name": {"en": "shop"}, "colour": "green"}))


def kind_not_of_lane() -> Cut:
    """A shop in the trade lane is void."""
    shop = village(MARKET, TRADE)
    shop.say(TRADE, "shop.published", shop_id=object_id("shop"), name={"en": "shop"})
    return cut_of(shop)


def time_decreased() -> Cut:
    """A record earlier than the newest admitted one is void; one at the same time counts."""
    shop = village(MARKET)
    publish(shop)
    shop.now_ms -= 2
    publish(shop, "early")
    publish(shop, "again")
    return cut_of(shop)


def charter_size_decreased() -> Cut:
    """A record under a smaller charter size than the newest admitted one is void."""
    shop = village(MARKET)
    shop.append(MARKET, element(3, 1))
    return cut_of(shop)


def charter_size_refused() -> Cut:
    """A charter record with a charter size other than 0 is void."""
    shop = village(MARKET)
    body = KINDS["peer.vouched"].body(community=seed("peer"))
    shop.append(CHARTER, encode_record("peer.vouched", body, time_ms=START_MS + 9, charter_size=3))
    return cut_of(shop)


def charter_size_refused_2() -> Cut:
    """A record under a charter size that its epoch's charter never came to is void once the next epoch stands."""
    shop = village(MARKET)
    shop.append(MARKET, element(3, 9))
    shop.close_epoch()
    shop.continue_lane(CHARTER)
    return cut_of(shop)


def record_repeated() -> Cut:
    """The same record a second time is void; another at the same time counts."""
    shop = village(MARKET)
    publish(shop)
    shop.append(MARKET, shop.entries[MARKET][-1])
    shop.now_ms -= 1
    publish(shop, "other")
    shop.append(MARKET, shop.entries[MARKET][-3])
    return cut_of(shop)


def instant_full() -> Cut:
    """The 257th record of one time is void; the next time is free again."""
    shop = village(MARKET)
    for number in range(257):
        body = KINDS["listing.withdrawn"].body(listing_id=number.to_bytes(16, "big"))
        shop.append(MARKET, encode_record("listing.withdrawn", body, time_ms=START_MS + 9, charter_size=2))
    shop.now_ms += 9
    publish(shop)
    return cut_of(shop)


def beyond_seal() -> Cut:
    """What stands beyond the size at which its epoch was closed is void and leaves no trace; the next epoch goes on."""
    shop = village(MARKET)
    publish(shop)
    shop.close_epoch(beyond={MARKET: 1})
    shop.continue_lane(CHARTER)
    shop.continue_lane(MARKET)
    return cut_of(shop)


def unknown_kind() -> Cut:
    """A record of a kind that the format does not have is unknown; it sets the clock, so an earlier one is void."""
    shop = village(MARKET, LEDGER)
    shop.append(MARKET, encode([1, "weather.noted", START_MS + 100, 2, b"x", "sunny", b"y"]))
    publish(shop)
    return cut_of(shop)


def stalled() -> Cut:
    """A lane waits for its charter, and everything behind that entry with it."""
    shop = village(MARKET)
    shop.append(MARKET, element(3, 9))
    publish(shop)
    return cut_of(shop)


BY_FORM = (
    encoding_too_large,
    encoding_malformed,
    encoding_trailing_bytes,
    encoding_type_refused,
    encoding_integer_range,
    encoding_too_deep,
    encoding_not_canonical,
    encoding_not_utf8,
    record_shape,
    record_shape_2,
    record_shape_3,
    format_unknown,
    body_refused,
    kind_not_of_lane,
    time_decreased,
    charter_size_decreased,
    charter_size_refused,
    charter_size_refused_2,
    record_repeated,
    instant_full,
    beyond_seal,
)
NOT_VOID = (unknown_kind, stalled)
