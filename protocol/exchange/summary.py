"""Which of two nodes' many heads differ, told in few bytes (PROTOCOL.md section 18.1).

Every head falls by its origin into one of 2**bits buckets and has an item hash; a bucket's hash is over its
items. All are made under a key that the asker draws anew for each comparison, so that nobody can prepare heads
that look alike. About two square roots of buckets: ten changes in ten thousand heads cost some five kilobytes.

    summary = HeadsSummed(key, summary_bits(len(notes)), notes)
    different = differing_buckets(summary.hashes(), answer.hashes)
"""

from collections.abc import Collection, Iterable
from hashlib import sha256
from math import isqrt

from protocol.limits import SUMMARY_BITS_MAX

ITEM_BYTES = 8
_SIGNATURES_START = b"\n\n"
_LINE_START = "\n\N{EM DASH} ".encode()


def summary_bits(count: int) -> int:
    """Return how many bits of buckets suit `count` heads: at least two square roots of them."""
    return min(max((2 * isqrt(count)).bit_length(), 1), SUMMARY_BITS_MAX)


class HeadsSummed:
    """The heads of one comparison, by bucket; `notes` are checkpoint notes as they are stored."""

    def __init__(self, key: bytes, bits: int, notes: Iterable[bytes]) -> None:
        """Take the comparison's 16-byte key and how many bits number a bucket."""
        self._key = key
        self._buckets: list[dict[bytes, bytes]] = [{} for _ in range(1 << bits)]
        for note in notes:
            text = note[: note.rindex(_SIGNATURES_START) + 1]
            place = sha256(key + text[: text.index(b"\n") + 1]).digest()
            cosignatures = note.count(_LINE_START, len(text)) - 1
            item = sha256(key + text + bytes([cosignatures])).digest()[:ITEM_BYTES]
            self._buckets[int.from_bytes(place[:2], "big") >> (16 - bits)][item] = note

    def hashes(self) -> bytes:
        """Return the hash of every bucket, in order."""
        return b"".join(
            sha256(self._key + b"".join(sorted(bucket))).digest()[:ITEM_BYTES] for bucket in self._buckets
        )

    def items(self, buckets: Iterable[int]) -> bytes:
        """Return the item hashes of some buckets."""
        return b"".join(item for bucket in buckets for item in sorted(self._buckets[bucket]))

    def notes_besides(self, buckets: Iterable[int], items: bytes) -> list[bytes]:
        """Return the notes in some buckets whose item hash is not among `items`."""
        known = {items[start : start + ITEM_BYTES] for start in range(0, len(items), ITEM_BYTES)}
        return [
            note
            for bucket in buckets
            if bucket < len(self._buckets)
            for item, note in self._buckets[bucket].items()
            if item not in known
        ]


def differing_buckets(own: bytes, other: bytes) -> Collection[int]:
    """Return the numbers of the buckets whose hashes differ."""
    starts = range(0, len(own), ITEM_BYTES)
    return [
        number
        for number, start in enumerate(starts)
        if own[start : start + ITEM_BYTES] != other[start : start + ITEM_BYTES]
    ]
