"""Every kind of record: what its struct allows is read back as it was, whatever else has one stable code."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding import encode
from protocol.errors import ProtocolError
from protocol.lanes import BODY_TYPES, KINDS
from protocol.log.merkle import leaf_hash
from protocol.log.record import Record, _decode_quickly, _decode_slowly, decode_record
from tests.record.bodies import PLAIN_VALUES, body_of, canonical, faults_of

TIME_MS = 1_760_000_000_000
ALL_KINDS = st.sampled_from(sorted(KINDS))
RECORDS = ALL_KINDS.flatmap(lambda kind: st.tuples(st.just(kind), body_of(kind)))


def raw_record(kind: str, body: Any) -> bytes:
    return encode([1, kind, TIME_MS, 3, None, body, None])


def slow_way(raw: bytes) -> Record | str:
    try:
        return _decode_slowly(raw, BODY_TYPES)
    except ProtocolError as error:
        return error.code


def either_way(raw: bytes) -> Record | str:
    try:
        return decode_record(raw, BODY_TYPES)
    except ProtocolError as error:
        return error.code


def checked(raw: bytes) -> Record | str:
    """Decode, and hold the two ways against each other."""
    slow = slow_way(raw)
    quick = _decode_quickly(raw, BODY_TYPES, None)
    assert quick is None or quick == slow
    assert either_way(raw) == slow
    return slow


@settings(max_examples=300, deadline=None, derandomize=True)
@given(RECORDS)
def test_a_valid_body_of_any_kind_is_read_back_as_it_was(sample: tuple[str, Any]) -> None:
    """The quick way takes it; encoding what was read gives the bytes, and so does MessagePack by the book."""
    kind, body = sample
    raw = raw_record(kind, body)
    record = _decode_quickly(raw, BODY_TYPES, None)
    assert record is not None
    assert record == checked(raw)
    assert (record.kind, record.time_ms, record.charter_size, record.raw) == (kind, TIME_MS, 3, raw)
    assert record.record_id == leaf_hash(raw)
    assert encode([1, kind, TIME_MS, 3, None, record.body, None]) == raw
    assert canonical([1, kind, TIME_MS, 3, None, body, None]) == raw


@settings(max_examples=400, deadline=None, derandomize=True)
@given(RECORDS, st.data())
def test_a_changed_byte_gives_another_record_or_a_stable_code(
    sample: tuple[str, Any], data: st.DataObject
) -> None:
    """Bytes replaced, put in or left out: both ways agree, and what is accepted is canonical still."""
    altered = bytearray(raw_record(*sample))
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.integers(0, len(altered) - 1))
        how = data.draw(st.sampled_from(["replace", "insert", "delete"]))
        altered[place : place + (how != "insert")] = (
            b"" if how == "delete" else data.draw(st.binary(min_size=1, max_size=1))
        )
    raw = bytes(altered)
    found = checked(raw)
    if isinstance(found, Record):
        assert canonical(msgspec.msgpack.decode(raw)) == raw


@settings(max_examples=300, deadline=None, derandomize=True)
@given(RECORDS, st.data())
def test_any_plain_value_in_any_place_of_a_body_is_judged_alike(
    sample: tuple[str, Any], data: st.DataObject
) -> None:
    """A field gets another value, or one too many is there: accepted or body_refused, the same both ways."""
    kind, body = sample
    field = data.draw(st.sampled_from([*body, "zzz"]))
    found = checked(raw_record(kind, {**body, field: data.draw(PLAIN_VALUES)}))
    if field == "zzz":
        assert found == "body_refused"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_field_has_its_bounds(kind: str) -> None:
    """One value of another type, too short, too long, misspelled or beyond its bound refuses the body."""

    @settings(max_examples=3, deadline=None, derandomize=True)
    @given(body_of(kind))
    def check(body: Any) -> None:
        assert isinstance(checked(raw_record(kind, body)), Record)
        for place, wrong in faults_of(KINDS[kind].body, body):
            found = checked(raw_record(kind, wrong))
            assert isinstance(found, str), f"{place} is accepted: {wrong!r}"
            assert found in ("body_refused", *OF_AMOUNTS), f"{place}: {found}"

    check()


OF_AMOUNTS = (  # amounts, shares and tax classes keep their own codes in a body
    "amount_out_of_range",
    "currency_unknown",
    "role_refused",
    "share_malformed",
    "shares_too_many",
    "role_repeated",
    "shares_exceed_whole",
    "tax_class_malformed",
    "tax_class_repeated",
    "tax_rate_out_of_range",
)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_refuses_bodies_that_are_no_map(kind: str) -> None:
    """A body of another type is refused, whatever the kind."""
    for body in (None, 1, "", b"", [], [1], True):
        assert checked(raw_record(kind, body)) == "body_refused"
