"""Every stable error code with its sentence: what happened and what to do (PROTOCOL.md section 20).

Codes are never renamed or reused. They are grouped by the family that raises them.
"""

from collections.abc import Mapping

_ENCODING = {
    "encoding_too_large": "The bytes are larger than the limit. Split or shorten what you send.",
    "encoding_malformed": "The bytes are not MessagePack. Check that the whole file or message arrived.",
    "encoding_trailing_bytes": "Bytes follow after the end of the value. Send one value only.",
    "encoding_type_refused": "Floats, extensions, timestamps and non-text keys are not allowed. "
    "Use integers, text, bytes, booleans, arrays and maps.",
    "encoding_integer_range": "An integer is beyond 2^53 - 1. Use a smaller number.",
    "encoding_too_deep": "The value is nested deeper than the limit. Flatten it.",
    "encoding_not_canonical": "The bytes are not in the canonical form. Encode shortest, with sorted keys.",
    "encoding_not_utf8": "A text is not valid UTF-8. Encode it as UTF-8 without surrogates.",
}

SENTENCES: Mapping[str, str] = {
    **_ENCODING,
}
