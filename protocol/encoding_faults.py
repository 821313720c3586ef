r"""Why bytes are not canonical: the first fault from the first byte on (PROTOCOL.md section 2.3).

A void record's code is part of the state, so two implementations have to name the same fault of bytes that
have several. Accepting is `protocol.encoding.decode`'s affair; here is only what it refused.

    first_fault(b"\xcd\x00\x05").code == "encoding_not_canonical"
"""

from protocol.errors import EncodingError
from protocol.limits import DEPTH_MAX, INTEGER_MAX

_WHOLE = frozenset({*range(0x80), *range(0xE0, 0x100), 0xC0, 0xC2, 0xC3})  # small integers, nil, false, true
_SHORT_MAP, _SHORT_ARRAY, _SHORT_TEXT = range(0x80, 0x90), range(0x90, 0xA0), range(0xA0, 0xC0)
_NEVER_USED = 0xC1
_FLOATS_AND_EXTENSIONS = frozenset({*range(0xC7, 0xCC), *range(0xD4, 0xD9)})
# head byte: bytes of the number that follows, and the number nearest to 0 that needs this form
_UNSIGNED = {0xCC: (1, 1 << 7), 0xCD: (2, 1 << 8), 0xCE: (4, 1 << 16), 0xCF: (8, 1 << 32)}
_SIGNED = {0xD0: (1, -33), 0xD1: (2, -(1 << 7) - 1), 0xD2: (4, -(1 << 15) - 1), 0xD3: (8, -(1 << 31) - 1)}
_TEXT = {0xD9: (1, 32), 0xDA: (2, 1 << 8), 0xDB: (4, 1 << 16)}
_BYTES = {0xC4: (1, 0), 0xC5: (2, 1 << 8), 0xC6: (4, 1 << 16)}
_ARRAY = {0xDC: (2, 16), 0xDD: (4, 1 << 16)}
_MAP = {0xDE: (2, 16), 0xDF: (4, 1 << 16)}


def first_fault(raw: bytes) -> EncodingError:
    """Return the first fault of `raw`, which has one; asking for that of canonical bytes is a bug of ours."""
    scan = _Scan(raw)
    try:
        scan.value(depth=0)
    except EncodingError as error:
        return error
    assert scan.at < len(raw), "these bytes are canonical"
    return EncodingError("encoding_trailing_bytes", f"{len(raw) - scan.at} bytes")


class _Scan:
    """Reads on from `at`, and raises where a value cannot be canonical."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.at = 0

    def value(self, *, depth: int) -> None:
        """Read one value with all that it holds."""
        head = self._take(1)[0]
        if head in _WHOLE:
            return
        if head in _FLOATS_AND_EXTENSIONS:
            raise EncodingError("encoding_type_refused", "a float or an extension")
        if head in _UNSIGNED or head in _SIGNED:
            self._integer(head)
        elif head in _SHORT_TEXT or head in _TEXT:
            self._text(head)
        elif head in _BYTES:
            self._take(self._count(_BYTES[head]))
        elif head == _NEVER_USED:
            raise EncodingError("encoding_malformed", "the byte c1")
        else:
            self._container(head, depth)

    def _container(self, head: int, depth: int) -> None:
        if depth >= DEPTH_MAX:
            raise EncodingError("encoding_too_deep", f"deeper than {DEPTH_MAX}")
        if head in _SHORT_MAP or head in _MAP:
            self._map(self._count(_MAP[head]) if head in _MAP else head - _SHORT_MAP.start, depth)
            return
        for _ in range(self._count(_ARRAY[head]) if head in _ARRAY else head - _SHORT_ARRAY.start):
            self.value(depth=depth + 1)

    def _map(self, count: int, depth: int) -> None:
        before = None
        for _ in range(count):
            head = self._take(1)[0]
            if head == _NEVER_USED:
                raise EncodingError("encoding_malformed", "the byte c1")
            if head not in _SHORT_TEXT and head not in _TEXT:
                raise EncodingError("encoding_type_refused", "a map key that is not text")
            key = self._text(head)
            if before is not None and key <= before:
                raise EncodingError("encoding_not_canonical", "map keys are not sorted, or repeated")
            before = key
            self.value(depth=depth + 1)

    def _text(self, head: int) -> bytes:
        text = self._take(self._count(_TEXT[head]) if head in _TEXT else head - _SHORT_TEXT.start)
        try:
            text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise EncodingError("encoding_not_utf8") from error
        return text

    def _integer(self, head: int) -> None:
        if head in _UNSIGNED:
            size, nearest = _UNSIGNED[head]
            number = int.from_bytes(self._take(size), "big")
            is_shortest = number >= nearest
        else:
            size, nearest = _SIGNED[head]
            number = int.from_bytes(self._take(size), "big", signed=True)
            is_shortest = number <= nearest
        if not is_shortest:
            raise EncodingError("encoding_not_canonical", f"{number} has a shorter form")
        if abs(number) > INTEGER_MAX:
            raise EncodingError("encoding_integer_range", str(number))

    def _count(self, form: tuple[int, int]) -> int:
        size, smallest = form
        count = int.from_bytes(self._take(size), "big")
        if count < smallest:
            raise EncodingError("encoding_not_canonical", f"{count} has a shorter form")
        return count

    def _take(self, count: int) -> bytes:
        taken = self._raw[self.at : self.at + count]
        if len(taken) < count:
            raise EncodingError("encoding_malformed", "the bytes end within a value")
        self.at += count
        return taken
