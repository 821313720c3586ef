"""Names that the node draws for what is published."""

from hypothesis import given, settings
from hypothesis import strategies as st

from node.actions.shapes import new_id

TIMES_MS = st.integers(0, 2**47)


@given(TIMES_MS, TIMES_MS)
@settings(max_examples=50)
def test_what_is_named_later_stands_behind_what_was_named_before(first_ms: int, second_ms: int) -> None:
    """Tables are in the order of the ids' bytes, so new rows stand side by side at their end."""
    first, second = new_id(first_ms), new_id(second_ms)
    assert first_ms >= second_ms or first < second
    assert len(first) == len(second) == 16


def test_a_thousand_names_of_one_millisecond_are_all_different() -> None:
    """The time is no name: ten random bytes stand behind it."""
    assert len({new_id(1_700_000_000_000) for _ in range(1_000)}) == 1_000
