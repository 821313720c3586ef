"""The canonical subset of MessagePack (PROTOCOL.md section 2).

One value has exactly one encoding: shortest forms, text keys sorted by their UTF-8 bytes, no duplicates,
no floats, no extensions, bounded depth and size. `encode` makes it; `decode` accepts nothing else.

    decode(encode({"b": 1, "a": [True, None, b"x"]})) == {"a": [True, None, b"x"], "b": 1}
"""

from typing import Any

import msgpack
import msgspec

from protocol.encoding_faults import first_fault
from protocol.errors import EncodingError
from protocol.limits import DEPTH_MAX, INTEGER_MAX

_struct_encoder = msgspec.msgpack.Encoder(order="sorted")


def encode(value: Any) -> bytes:
    """Return the canonical bytes of a plain value or of a msgspec struct.

    Strings sort by code point, which for valid Unicode is the order of their UTF-8 bytes.
    """
    return _struct_encoder.encode(value)


def decode(raw: bytes, *, bytes_max: int) -> Any:
    """Return the plain value of canonical bytes, or raise `EncodingError` with the code of the first fault.

    The type list is closed *before* re-encoding, because a MessagePack timestamp would survive the
    comparison; the comparison then refuses long forms, unsorted and duplicate keys at once. Only what is
    refused is read byte by byte, to say why: other implementations have to come to the same code.
    """
    if len(raw) > bytes_max:
        raise EncodingError("encoding_too_large", f"{len(raw)} bytes, at most {bytes_max}")
    try:
        value = msgpack.unpackb(raw, raw=False, strict_map_key=False, use_list=True)
        check_types(value, depth=0)
        if encode(value) == raw:
            return value
    except (EncodingError, ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise first_fault(raw) from error
    raise first_fault(raw)


def check_types(value: Any, *, depth: int) -> None:
    """Refuse floats, extensions, keys that are not text, large integers, and nesting past `DEPTH_MAX`."""
    kind = type(value)
    if kind is int:
        if not -INTEGER_MAX <= value <= INTEGER_MAX:
            raise EncodingError("encoding_integer_range", str(value))
        return
    if kind in (str, bytes, bool) or value is None:
        return
    if kind is not dict and kind is not list:
        raise EncodingError("encoding_type_refused", kind.__name__)
    if depth >= DEPTH_MAX:
        raise EncodingError("encoding_too_deep", f"deeper than {DEPTH_MAX}")
    if kind is dict:
        for key in value:
            if type(key) is not str:
                raise EncodingError("encoding_type_refused", f"a map key of type {type(key).__name__}")
        value = value.values()
    for item in value:
        check_types(item, depth=depth + 1)
