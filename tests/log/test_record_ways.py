"""Records decode in two ways; both accept the same bytes, to the same record."""

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import ProtocolError
from protocol.lanes import BODY_TYPES
from protocol.lanes.market.listings import FixedPrice, Tax
from protocol.log.record import Record, _decode_quickly, _decode_slowly
from tests.village import MARKET, Village, object_id


def samples() -> list[bytes]:
    shop, home = Village("shop"), Village("home")
    shop.adopt()
    shop.say(
        MARKET, "shop.published", shop_id=object_id("s"), name={"en": "S"}, attributes={"a": [1, b"", {}]}
    )
    shop.say(
        MARKET,
        "listing.published",
        listing_id=object_id("l"),
        shop_id=object_id("s"),
        title={"en": "Apples", "zh": "苹果"},
        price=FixedPrice(currency="EUR", amount_minor=300),
        unit_code="KGM",
        quantity_scale=3,
        tax=Tax(tax_class="food", rate_bp=700),
        availability="in_stock",
        fulfilment=["delivery", "pickup"],
    )
    home.place(shop)
    return [raw for village in (shop, home) for entries in village.entries.values() for raw in entries]


SAMPLES = samples()


def slow_way(raw: bytes) -> Record | str:
    try:
        return _decode_slowly(raw, BODY_TYPES)
    except ProtocolError as error:
        return error.code


def quick_way(raw: bytes) -> Record | str | None:
    try:
        return _decode_quickly(raw, BODY_TYPES, None)
    except ProtocolError as error:
        return error.code


def test_the_quick_way_takes_every_record_that_we_write() -> None:
    """Canonical records of known kinds never need the slow way, and both give the same record."""
    for raw in SAMPLES:
        assert isinstance(quick_way(raw), Record)
        assert quick_way(raw) == slow_way(raw)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SAMPLES), st.data())
def test_whatever_the_quick_way_says_the_slow_way_says_too(raw: bytes, data: st.DataObject) -> None:
    """Mutated bytes: the quick way passes them on, or gives the very answer of the slow one."""
    altered = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(altered) - 1))
        altered[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(altered)))
        altered[place:place] = data.draw(st.binary(max_size=3))
    quick = quick_way(bytes(altered))
    assert quick is None or quick == slow_way(bytes(altered))


def test_a_given_record_id_is_taken_over() -> None:
    """Who has hashed the leaf already does not pay twice."""
    record = _decode_quickly(SAMPLES[0], BODY_TYPES, bytes(32))
    assert record is not None
    assert record.record_id == bytes(32)
