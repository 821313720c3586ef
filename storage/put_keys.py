"""Which keys of the state were put lately: a filter of fixed size that spares looking for what is not there.

A backfill asks for every listing whether it was there before, and mostly it was not. What the filter does not
have was never put; what it has, was put or shares its bits with one that was, and has to be looked for.

    keys = PutKeys()
    keys.add(("listing", key))
    keys.may_have(("listing", key))
"""

from collections.abc import Hashable

_BITS = 1 << 23  # 1 MiB: of a million keys it takes one in twenty for known, of 100,000 one in two thousand
_MASK = _BITS - 1
_SECOND_SHIFT = 32


class PutKeys:
    """A Bloom filter of two bits a key."""

    __slots__ = ("_bits",)

    def __init__(self) -> None:
        """Start empty."""
        self._bits = bytearray(_BITS >> 3)

    def add(self, key: Hashable) -> None:
        """Note that `key` was put."""
        mixed = hash(key)
        first, second = mixed & _MASK, mixed >> _SECOND_SHIFT & _MASK
        self._bits[first >> 3] |= 1 << (first & 7)
        self._bits[second >> 3] |= 1 << (second & 7)

    def may_have(self, key: Hashable) -> bool:
        """Whether `key` may have been put; False is certain."""
        mixed = hash(key)
        first, second = mixed & _MASK, mixed >> _SECOND_SHIFT & _MASK
        bits = self._bits
        return bool(bits[first >> 3] >> (first & 7) & bits[second >> 3] >> (second & 7) & 1)

    def clear(self) -> None:
        """Start anew."""
        self._bits = bytearray(_BITS >> 3)
