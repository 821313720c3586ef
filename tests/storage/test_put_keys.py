"""The filter of put keys: it may take a stranger for a known key, and never the other way round."""

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.lanes.kind import Position
from storage.put_keys import PutKeys
from tests.village import object_id

_NUMBERS = st.integers(0, 2**53 - 1)  # those of a key; below 0 two numbers of Python have one hash
_KEYS = st.tuples(st.sampled_from(["listing", "deal"]), st.tuples(st.binary(max_size=32), _NUMBERS))


@settings(max_examples=25)
@given(put=st.sets(_KEYS, max_size=50), asked=st.sets(_KEYS, max_size=50))
def test_what_the_filter_does_not_have_was_never_put(put: set[object], asked: set[object]) -> None:
    """False is certain; True for a stranger is so rare that 50 keys do not show it."""
    keys = PutKeys()
    for key in put:
        keys.add(key)
    assert all(keys.may_have(key) for key in put)
    assert sum(keys.may_have(key) for key in asked - put) <= 1
    keys.clear()
    assert not any(keys.may_have(key) for key in put)


def test_a_hundred_thousand_keys_leave_room_for_strangers() -> None:
    """Of keys that were not put, fewer than one in a hundred has to be looked for."""
    keys = PutKeys()
    for number in range(100_000):
        keys.add(("listing", (b"c" * 32, "market/food", object_id(f"put {number}"))))
    strangers = [("listing", (b"c" * 32, "market/pets", object_id(f"other {n}"))) for n in range(10_000)]
    assert sum(keys.may_have(stranger) for stranger in strangers) < 100


def test_equal_keys_are_one_key_however_they_are_written() -> None:
    """A named position and a plain tuple are equal, so the filter has both or neither."""
    keys = PutKeys()
    keys.add(("void", Position(b"c" * 32, "trade", 0, 7)))
    assert keys.may_have(("void", (b"c" * 32, "trade", 0, 7)))
