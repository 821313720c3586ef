"""Vectors of section 2: canonical bytes, and one file for each way of not being canonical."""

from protocol.encoding import encode
from tests.golden.plain import Vectors, refused, to_json

VALID: tuple[tuple[str, object], ...] = (
    ("nil", None),
    ("false", False),
    ("true", True),
    *((f"the integer {number}", number) for number in (0, 1, 127, 128, 255, 256, 65_535, 65_536)),
    *((f"the integer {number}", number) for number in (2**32 - 1, 2**32, 2**53 - 1)),
    *((f"the integer {number}", number) for number in (-1, -32, -33, -128, -129, -32_768, -32_769)),
    *((f"the integer {number}", number) for number in (-(2**31), -(2**31) - 1, -(2**53) + 1)),
    *((f"a text of {length} bytes", "x" * length) for length in (0, 1, 31, 32, 255, 256)),
    ("a text with U+0000, a noncharacter and an emoji", "\0\uffff🌾"),
    *((f"{length} bytes", bytes(length)) for length in (0, 1, 255, 256)),
    *((f"an array of {length}", [None] * length) for length in (0, 1, 15, 16)),
    ("a map of 0", {}),
    ("a map of 15", {f"{number:02}": number for number in range(15)}),
    ("a map of 16", {f"{number:02}": number for number in range(16)}),
    ("keys sorted by their bytes, not by their length", {"a": 1, "aa": 2, "b": 3, "é": 4, "草": 5, "🌾": 6}),
    ("eight levels", [[[[[[[[]]]]]]]]),
    ("maps and arrays in eight levels", {"a": [{"a": [{"a": [{"a": []}]}]}]}),
)

# name, what it is, bytes, code: each wrong in one way
ALONE = (
    ("empty", "nothing", "", "encoding_malformed"),
    ("never-used", "the byte that is never used", "c1", "encoding_malformed"),
    ("integer-cut", "an integer cut short", "cd01", "encoding_malformed"),
    ("text-cut", "a text cut short", "a26f", "encoding_malformed"),
    ("bytes-cut", "bytes cut short", "c402ff", "encoding_malformed"),
    ("length-cut", "a length cut short", "da01", "encoding_malformed"),
    ("array-cut", "an array cut short", "92c0", "encoding_malformed"),
    ("map-cut", "a map without its last value", "81a161", "encoding_malformed"),
    ("key-never-used", "the byte that is never used as a key", "81c1c0", "encoding_malformed"),
    ("trailing", "a second value", "c0c0", "encoding_trailing_bytes"),
    ("float", "a float", "cb0000000000000000", "encoding_type_refused"),
    ("float-short", "a short float", "ca00000000", "encoding_type_refused"),
    ("timestamp", "a timestamp", "d6ff00000000", "encoding_type_refused"),
    ("timestamp-odd", "an extension of a timestamp's type", "c703ff000000", "encoding_type_refused"),
    ("extension", "an extension", "d40100", "encoding_type_refused"),
    ("key-bytes", "a map key of bytes", "81c40161c0", "encoding_type_refused"),
    ("key-array", "a map key that is an array", "8190c0", "encoding_type_refused"),
    ("key-integer", "a map key that is an integer", "8101c0", "encoding_type_refused"),
    ("key-nil", "a map key that is nil", "81c0c0", "encoding_type_refused"),
    ("integer-large", "2 to the 53", "cf0020000000000000", "encoding_integer_range"),
    ("integer-small", "minus 2 to the 53", "d3ffe0000000000000", "encoding_integer_range"),
    ("integer-largest", "the largest of 64 bits", "cfffffffffffffffff", "encoding_integer_range"),
    ("deep-arrays", "nine arrays in one another", "91" * 9 + "c0", "encoding_too_deep"),
    ("deep-maps", "nine maps in one another", "81a161" * 9 + "c0", "encoding_too_deep"),
    ("deep-endless", "a nesting without end", "91" * 5_000, "encoding_too_deep"),
    ("long-byte", "5 in one byte with a sign", "d005", "encoding_not_canonical"),
    ("long-positive", "5 in two bytes", "cd0005", "encoding_not_canonical"),
    ("long-negative", "-1 in two bytes", "d1ffff", "encoding_not_canonical"),
    ("long-signed", "a positive number in a signed form", "d200010000", "encoding_not_canonical"),
    ("long-text", "a short text in the long form", "d90161", "encoding_not_canonical"),
    ("long-bytes", "short bytes in the long form", "c5000161", "encoding_not_canonical"),
    ("long-array", "a short array in the long form", "dc0001c0", "encoding_not_canonical"),
    ("long-map", "a short map in the long form", "de0001a161c0", "encoding_not_canonical"),
    ("unsorted", "unsorted keys", "82a162c0a161c0", "encoding_not_canonical"),
    ("repeated", "a key that stands twice", "82a161c0a161c0", "encoding_not_canonical"),
    ("unsorted-longer", "a key before its own beginning", "82a26161c0a161c0", "encoding_not_canonical"),
    ("not-utf8", "a text that is not UTF-8", "a1ff", "encoding_not_utf8"),
    ("surrogate", "half of a surrogate pair", "a3eda080", "encoding_not_utf8"),
    ("overlong", "a character in too many bytes", "a2c080", "encoding_not_utf8"),
    ("key-not-utf8", "a key that is not UTF-8", "81a1ffc0", "encoding_not_utf8"),
)

# Two faults each; the one that stands first counts.
TOGETHER = (
    ("first-float", "a float, then a cut", "92cb0000000000000000", "encoding_type_refused"),
    ("first-cut", "an array of more than there is, after one element", "dcffff01", "encoding_malformed"),
    ("first-text", "bad text, then a cut", "92a1ff", "encoding_not_utf8"),
    ("first-form", "a long form, then a float", "92cd0005cb0000000000000000", "encoding_not_canonical"),
    (
        "first-range",
        "a large integer, then a key of bytes",
        "82a161cf0020000000000000c40162c0",
        "encoding_integer_range",
    ),
    ("first-key", "a repeated key with a float behind it", "82a161c0a161cb00", "encoding_not_canonical"),
    ("first-value", "a float, then its key again", "82a161cb0000000000000000a161c0", "encoding_type_refused"),
    ("first-deep", "too deep, and cut", "91" * 9, "encoding_too_deep"),
    ("first-trailing", "two values, the second malformed", "c0c1", "encoding_trailing_bytes"),
)


def encoding_vectors() -> Vectors:
    """encoding/valid.json and encoding/refused/."""
    vectors: Vectors = {
        "encoding/valid.json": {
            "must_hold": "These bytes decode to the value, and the value encodes to exactly these bytes.",
            "question": "decode",
            "cases": [
                {"name": name, "hex": encode(value).hex(), "answer": to_json(value)} for name, value in VALID
            ],
        }
    }
    for name, why, text, code in (*ALONE, *TOGETHER):
        vectors[f"encoding/refused/{name}.json"] = refused("decode", why, code, hex=text)
    return vectors
