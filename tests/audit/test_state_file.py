"""The auditor's rows on disk: whatever collides, and however large rows are, as in a dict."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.audit import state_file
from node.audit.state_file import StateFile
from protocol.audit.sums import AccountSum, GrossSum
from protocol.fold import Void
from protocol.lanes.kind import Key

keys = st.tuples(st.binary(max_size=2), st.integers(0, 3), st.sampled_from(["a", "b" * 2_000]))
rows = st.dictionaries(keys, st.none() | st.binary(max_size=3) | st.just(b"long" * 700), max_size=8)
writes = st.lists(st.tuples(st.sampled_from(["void", "account_sum"]), rows), max_size=12)


def struct(table: str, value: bytes | None) -> Void | AccountSum | None:
    if value is None:
        return None
    return Void(value, "refused") if table == "void" else AccountSum(value.hex())


@settings(max_examples=120, deadline=None)
@given(writes, st.integers(1, 4), st.sampled_from([1, 40, 1_048_576]))
def test_what_was_written_last_is_found(
    told: list[tuple[str, dict[Key, bytes | None]]], slots: int, portion: int
) -> None:
    """Two tables with equal keys in so few slots that every chain is long, in portions of any size."""
    expected: dict[str, dict[Key, Void | AccountSum | None]] = {"void": {}, "account_sum": {}}
    file = StateFile(slots)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state_file, "_PORTION_BYTES", portion)
        for table, values in told:
            changed = {key: struct(table, value) for key, value in values.items()}
            file.write(table, changed)
            expected[table] |= changed
            for key in values:
                for name, held in expected.items():
                    assert file.get(name, key) == held.get(key)
    for table, held in expected.items():
        listed = list(file.items(table, None))
        assert len(listed) == len(dict(listed))
        assert dict(listed) == {key: value for key, value in held.items() if value is not None}
    file.close()


def test_rows_may_be_written_while_others_are_gone_through() -> None:
    """Adding up writes sums of its own between two rows that it reads."""
    file = StateFile(1)
    file.write("void", {(number,): Void(bytes([number]), "refused") for number in range(20)})
    seen = set()
    for key, _ in file.items("void", None):
        seen.add(key)
        file.write("gross_sum", {key: GrossSum(key[0])})
    assert seen == {(number,) for number in range(20)}
    assert {key: total.amount_minor for key, total in file.items("gross_sum", None)} == {
        (number,): number for number in range(20)
    }
    file.close()


def test_a_row_that_was_never_there_is_not_taken_out() -> None:
    """Nothing is written for it."""
    file = StateFile()
    assert not file.write("void", {(1,): None})
    assert file.write("void", {(1,): Void(b"id", "refused")})
    assert file.write("void", {(1,): None})
    assert (file.get("void", (1,)), list(file.items("void", None))) == (None, [])
    file.close()
