"""Bodies of every kind by hypothesis, made from the structs themselves, and MessagePack by the book.

body_of("order.placed")  a strategy for plain bodies that are valid
faults_of(KINDS["order.placed"].body, plain)  bodies that are wrong in exactly one place
canonical(value)  a second encoder, written from the MessagePack specification and PROTOCOL.md section 2
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from protocol.amounts.money import CURRENCY_EXPONENTS
from protocol.amounts.quantity import UNIT_CODES
from protocol.amounts.split import Policy, Share, TaxTotal
from protocol.encoding import encode
from protocol.fields import Text, Title
from protocol.lanes import KINDS
from protocol.lanes.kind import CHARTER, LANE_NAMES
from protocol.limits import AMOUNT_MINOR_MAX, INTEGER_MAX

Strategy = st.SearchStrategy[Any]

TEXTS = st.text(max_size=6)
PLAIN_VALUES: Strategy = st.recursive(
    st.none() | st.booleans() | st.integers(-INTEGER_MAX, INTEGER_MAX) | TEXTS | st.binary(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
_ATTRIBUTES = st.dictionaries(st.text(min_size=1, max_size=6), PLAIN_VALUES, min_size=1, max_size=2)
_TAX_CLASSES = st.sampled_from(["books", "food", "none", "z_9"])
_SHARE = st.builds(
    lambda role, side, fixed: plain(
        Share(role=role, beneficiary=side, fixed_minor={"EUR": 5})
        if fixed
        else Share(role=role, beneficiary=side, share_bp=500)
    ),
    st.sampled_from(["commons", "relay", "hub"]),
    st.sampled_from(["seller_community", "buyer_community"]),
    st.booleans(),
)


def plain(body: msgspec.Struct) -> Any:
    """Return the body as maps and arrays of plain values."""
    return msgspec.msgpack.decode(encode(body))


@cache
def body_of(kind: str) -> Strategy:
    """Return a strategy for plain bodies of `kind` that pass as they are."""
    return _struct(KINDS[kind].body)


# What the types alone do not say: sorted lists, values out of tables, sums. By (struct, field).
def _totals() -> Strategy:
    one = st.builds(
        lambda tax_class, rate, gross: {"tax_class": tax_class, "rate_bp": rate, "gross_minor": gross},
        _TAX_CLASSES,
        st.integers(0, 10_000),
        st.integers(0, AMOUNT_MINOR_MAX // 16),
    )
    return _sorted_unique(one, key=lambda total: total["tax_class"])


def _sorted_unique(one: Strategy, *, key: Any = lambda item: item, max_size: int = 3) -> Strategy:
    lists = st.lists(one, min_size=1, max_size=max_size, unique_by=key)
    return lists.map(lambda items: sorted(items, key=key))


_OVERRIDES: dict[tuple[str, str], Strategy] = {
    ("Genesis", "currency"): st.sampled_from(sorted(CURRENCY_EXPONENTS)),
    ("FixedPrice", "currency"): st.sampled_from(sorted(CURRENCY_EXPONENTS)),
    ("OrderPlaced", "currency"): st.sampled_from(sorted(CURRENCY_EXPONENTS)),
    ("PostingMade", "currency"): st.sampled_from(sorted(CURRENCY_EXPONENTS)),
    ("OrderPlaced", "totals"): _totals(),
    ("OrderRefunded", "totals"): _totals(),
    ("OrderPlaced", "lines"): st.lists(
        st.binary(min_size=32, max_size=32), min_size=1, max_size=3, unique=True
    ),
    ("OrderPlaced", "witnesses"): st.lists(
        st.binary(min_size=32, max_size=32), min_size=2, max_size=3, unique=True
    ),
    ("OrderPlaced", "threshold"): st.integers(0, 2),
    ("WitnessesAdopted", "witnesses"): st.lists(
        st.binary(min_size=32, max_size=32).map(lambda raw: {"community": raw, "witness_key": raw}),
        min_size=2,
        max_size=3,
        unique_by=lambda witness: witness["community"],
    ),
    ("WitnessesAdopted", "threshold"): st.integers(1, 2),
    ("WitnessesAdopted", "http_witnesses"): st.lists(
        st.binary(min_size=31, max_size=31).map(
            lambda raw: {
                "name": f"w{raw.hex()}.example",
                "witness_key": b"h" + raw,
                "url": f"https://w{raw.hex()[:8]}.example:8470/prefix",
            }
        ),
        min_size=1,
        max_size=3,
        unique_by=lambda witness: witness["name"],
    ),
    ("RelaysNamed", "relays"): st.lists(st.binary(min_size=32, max_size=32), max_size=3, unique=True),
    ("ListingPublished", "unit_code"): st.sampled_from(sorted(UNIT_CODES)),
    ("ShopPublished", "keepers"): _sorted_unique(st.binary(min_size=16, max_size=16)),
    ("LanesStated", "lanes"): _sorted_unique(
        st.builds(
            lambda lane, size: {"lane": lane, "size": size, "root": bytes(32)},
            st.sampled_from([name for name in LANE_NAMES if name != CHARTER]),
            st.integers(1, 2**48),
        ),
        key=lambda statement: statement["lane"],
    ),
    ("Policy", "shares"): st.lists(_SHARE, max_size=3, unique_by=lambda share: share["role"]),
}
# Tags of a listing's languages: its struct checks them without saying so in its types.
_STRICTER: dict[tuple[str, str], Any] = {
    ("ListingPublished", "title"): Title,
    ("ListingPublished", "text"): Text,
}
_SORTED_WORDS = {("MemberAdmitted", "roles"), ("ListingPublished", "fulfilment")}


def _struct(struct: type[msgspec.Struct]) -> Strategy:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    strategies = {field.encode_name: _field(struct, field) for field in info.fields}
    if info.array_like:
        return st.tuples(*strategies.values()).map(list)
    required = {field.encode_name for field in info.fields if field.required}
    return st.fixed_dictionaries(
        {name: made for name, made in strategies.items() if name in required},
        optional={name: made for name, made in strategies.items() if name not in required},
    )


def _field(struct: type[msgspec.Struct], field: inspect.Field) -> Strategy:
    place = (struct.__name__, field.name)
    if place in _SORTED_WORDS:
        return _sorted_unique(st.sampled_from(_words(field.type)))
    if field.name == "attributes":
        return _ATTRIBUTES
    return _OVERRIDES[place] if place in _OVERRIDES else _value(_type_of(struct, field))


def _type_of(struct: type[msgspec.Struct], field: inspect.Field) -> inspect.Type:
    place = (struct.__name__, field.name)
    return inspect.type_info(_STRICTER[place]) if place in _STRICTER else field.type


def _words(info: inspect.Type) -> tuple[Any, ...]:
    words = info.type if isinstance(info, inspect.Metadata) else info
    assert isinstance(words, inspect.ListType)
    assert isinstance(words.item_type, inspect.LiteralType)
    return tuple(words.item_type.values)


def _value(info: inspect.Type) -> Strategy:
    match info:
        case inspect.Metadata():
            return _value(info.type)
        case inspect.UnionType():
            return st.one_of(
                *(_value(kind) for kind in info.types if not isinstance(kind, inspect.UnsetType))
            )
        case inspect.IntType():
            return st.integers(info.ge if info.ge is not None else 0, info.le or (info.lt or 2) - 1)
        case inspect.StrType():
            return _text(info)
        case inspect.BytesType():
            return st.binary(min_size=info.min_length or 0, max_size=info.max_length or 8)
        case inspect.LiteralType():
            return st.sampled_from(info.values)
        case inspect.ListType() | inspect.VarTupleType():
            return st.lists(_value(info.item_type), min_size=info.min_length or 0, max_size=_few(info))
        case inspect.DictType():
            keys, values = _value(info.key_type), _value(info.value_type)
            return st.dictionaries(keys, values, min_size=info.min_length or 0, max_size=_few(info))
        case inspect.StructType():
            return _struct(info.cls)
    raise NotImplementedError(info)


def _text(info: inspect.StrType) -> Strategy:
    if info.pattern is None:
        return st.text(min_size=info.min_length or 0, max_size=min(info.max_length or 8, 8))
    longest = info.max_length or 10**9
    return st.from_regex(info.pattern, fullmatch=True).filter(lambda text: len(text) <= longest)


def _few(info: Any) -> int:
    return max(info.min_length or 0, min(info.max_length or 3, 3))


# One place wrong, by the bounds that the types state and the names they do not have.
_OF_OTHER_TYPES = (None, True, -1, "AAAA", b"AAAA", [], {}, [[]], 2**53 - 1)


def faults_of(struct: type[msgspec.Struct], body: Any) -> Iterator[tuple[str, Any]]:
    """Yield (place, body) where the body is wrong in one place below `struct`'s own fields."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    if info.array_like:
        yield "one too many", [*body, None]
        yield "one too few", body[:-1]
        for position, field in enumerate(info.fields):
            for what, wrong in _value_faults(field.type, body[position]):
                yield f"{field.name} {what}", [*body[:position], wrong, *body[position + 1 :]]
        return
    yield "an unknown field", {**body, "zzz": 1}
    for field in info.fields:
        name = field.encode_name
        if field.required:
            yield f"{name} missing", {key: value for key, value in body.items() if key != name}
        if name in body and name != "attributes":
            for what, wrong in _value_faults(_type_of(struct, field), body[name]):
                yield f"{name} {what}", {**body, name: wrong}


def _value_faults(info: inspect.Type, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(info, inspect.Metadata):
        yield from _value_faults(info.type, value)
        return
    if isinstance(info, inspect.UnionType):
        info = next(kind for kind in info.types if not isinstance(kind, inspect.UnsetType | inspect.NoneType))
    accepted = {
        inspect.IntType: int,
        inspect.StrType: str,
        inspect.LiteralType: str,
        inspect.BytesType: bytes,
        inspect.DictType: dict,
        inspect.ListType: list,
        inspect.VarTupleType: list,
    }.get(type(info), list if getattr(info, "array_like", False) else dict)
    for wrong in _OF_OTHER_TYPES:
        if type(wrong) is not accepted:
            yield f"of type {type(wrong).__name__}", wrong
    yield from _bound_faults(info, value)


def _bound_faults(info: inspect.Type, value: Any) -> Iterator[tuple[str, Any]]:
    match info:
        case inspect.IntType():
            yield from _integer_faults(info)
        case inspect.StrType():
            yield from _length_faults(info, value, "x")
            if info.pattern is not None:
                yield from (
                    (f"spelled {wrong!r}", wrong) for wrong in ("", "\n", value + "\n", "É", " " + value)
                )
        case inspect.BytesType():
            yield from _length_faults(info, value, b"x")
        case inspect.LiteralType():
            yield from ((f"as {wrong!r}", wrong) for wrong in ("", "other", value + " ", value.upper()))
        case inspect.ListType() | inspect.VarTupleType():
            yield from _list_faults(info, value)
        case inspect.DictType():
            if info.min_length:
                yield "empty", {}
            for key in value:
                rest = {other: text for other, text in value.items() if other != key}
                for what, wrong in _value_faults(info.value_type, value[key]):
                    yield f"at {key} {what}", {**rest, key: wrong}
                for what, wrong in _value_faults(info.key_type, key):
                    if type(wrong) is str:
                        yield f"key {key} {what}", {**rest, wrong: value[key]}
        case inspect.StructType():
            yield from faults_of(info.cls, value)


def _integer_faults(info: inspect.IntType) -> Iterator[tuple[str, Any]]:
    assert info.ge is not None or info.le is None, "a bound below comes with a bound above"
    if info.ge is not None:
        yield "below its bound", info.ge - 1
    if info.le is not None or info.lt is not None:
        beyond = info.le + 1 if info.le is not None else info.lt
        if beyond <= INTEGER_MAX:
            yield "above its bound", beyond


def _length_faults(info: Any, value: Any, filler: Any) -> Iterator[tuple[str, Any]]:
    if info.min_length:
        yield "too short", value[: info.min_length - 1]
    if info.max_length is not None:
        yield "too long", value[:0] + filler * (info.max_length + 1)


def _list_faults(info: Any, value: list[Any]) -> Iterator[tuple[str, Any]]:
    if info.min_length:
        yield "too short", value[: info.min_length - 1]
    if info.max_length is not None and value:
        yield "too long", [value[0]] * (info.max_length + 1)
    for position, item in enumerate(value):
        for what, wrong in _value_faults(info.item_type, item):
            yield f"[{position}] {what}", [*value[:position], wrong, *value[position + 1 :]]


def canonical(value: Any) -> bytes:
    """Return the canonical bytes of a plain value, byte by byte as the specification has them."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return _canonical_integer(value)
    if isinstance(value, bytes):
        return _head(len(value), (None, 0, 0), (0xC4, 0xC5, 0xC6)) + value
    if isinstance(value, str):
        raw = value.encode()
        return _head(len(raw), (0xA0, 31, 0), (0xD9, 0xDA, 0xDB)) + raw
    if isinstance(value, list):
        return _head(len(value), (0x90, 15, 0), (None, 0xDC, 0xDD)) + b"".join(map(canonical, value))
    pairs = sorted((key.encode(), canonical(key) + canonical(item)) for key, item in value.items())
    return _head(len(pairs), (0x80, 15, 0), (None, 0xDE, 0xDF)) + b"".join(pair for _, pair in pairs)


def _canonical_integer(value: int) -> bytes:
    if -32 <= value < 128:
        return (value & 0xFF).to_bytes(1, "big")
    for exponent in range(4):
        bits = 8 << exponent
        if 0 <= value < 1 << bits:
            return bytes([0xCC + exponent]) + value.to_bytes(bits // 8, "big")
        if -(1 << bits - 1) <= value < 0:
            return bytes([0xD0 + exponent]) + value.to_bytes(bits // 8, "big", signed=True)
    raise ValueError(value)


def _head(length: int, short: tuple[int | None, int, int], long: tuple[int | None, int, int]) -> bytes:
    if short[0] is not None and length <= short[1]:
        return bytes([short[0] + length])
    for exponent, head in enumerate(long):
        if head is not None and length < 1 << (8 << exponent):
            return bytes([head]) + length.to_bytes(1 << exponent, "big")
    raise ValueError(length)


__all__ = ["PLAIN_VALUES", "Policy", "TaxTotal", "body_of", "canonical", "faults_of", "plain"]
