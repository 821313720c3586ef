"""The RFC 6962 tree of a lane: hashes, compact range, inclusion, consistency (PROTOCOL.md sections 6, 7).

A lane of 100,000 records is verified in well under a second, so whatever runs once a record is a loop over
a level of the tree, never a call a node. Nothing here knows what an entry means or where hashes are kept:
the makers of proofs ask for perfect subtrees through `node(level, index)`.

    lane = CompactRange()
    lane.extend(leaf_hashes([b"hello"]))
    lane.root() == leaf_hash(b"hello")
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Self

from protocol.errors import LogError
from protocol.limits import TREE_SIZE_MAX

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

NodeReader = Callable[[int, int], bytes]
"""`node(level, index)` is the root over the 2**level leaves that start at index * 2**level."""


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 || entry); it is also the id of a record."""
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """Return the leaf hash of every entry, in order."""
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def subtree_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over one or more neighbouring hashes; of a whole tile it is the hash one tile up.

    Pairing level by level and carrying the odd last one up is the split of RFC 6962 at the largest power
    of two, for any count. No hashes at all is a bug of ours: the empty tree is `EMPTY_ROOT`.
    """
    level = list(hashes)
    while len(level) > 1:
        parents = _paired(level)
        if len(level) % 2:
            parents.append(level[-1])
        level = parents
    return level[0]


class CompactRange:
    """The tree over the first `size` leaves, kept as the roots of its perfect subtrees, largest first.

    One hash for each bit that is set in `size`: at most 49 hashes stand for any lane, and that is enough to
    append and to state the root.
    """

    __slots__ = ("_hashes", "size")

    def __init__(self) -> None:
        """Start with the empty tree."""
        self.size = 0
        self._hashes: list[bytes] = []

    @classmethod
    def from_hashes(cls, size: int, hashes: Sequence[bytes]) -> Self:
        """Rebuild a range from its size and its hashes left to right, or raise `LogError`."""
        _check_size(size)
        if len(hashes) != size.bit_count():
            raise LogError("tree_hash_count", f"size {size} has {size.bit_count()} hashes, not {len(hashes)}")
        _check_hashes(hashes)
        compact = cls()
        compact.size = size
        compact._hashes = list(hashes)
        return compact

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees, left to right, so largest first."""
        return tuple(self._hashes)

    def copy(self) -> "CompactRange":
        """Return an independent range: news is tried on a copy, and kept when the root is the signed one."""
        twin = CompactRange()
        twin.size = self.size
        twin._hashes = self._hashes.copy()
        return twin

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self.append_subtrees((leaf,), 0)

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes, in order."""
        self.append_subtrees(leaves, 0)

    def append_subtree(self, root: bytes, height: int) -> None:
        """Add a perfect subtree of 2**height leaves by its root, where `size` is a multiple of that."""
        self.append_subtrees((root,), height)

    def append_subtrees(self, roots: Sequence[bytes], height: int) -> None:
        """Add neighbouring perfect subtrees of 2**height leaves each, as the hashes of one tile are.

        The size must be a multiple of 2**height, else it is a bug of ours. Growing past `TREE_SIZE_MAX`
        and hashes that are not 32 bytes raise `LogError`.
        """
        assert self.size % (1 << height) == 0, "a perfect subtree starts at a multiple of its own size"
        _check_hashes(roots)
        size = self.size
        grown = _check_size(size + (len(roots) << height))
        level = list(roots)
        unpaired: list[bytes] = []
        while level:
            if size >> height & 1:
                level.insert(0, self._hashes.pop())
            if len(level) % 2:
                unpaired.append(level[-1])
            level = _paired(level)
            height += 1
        self._hashes.extend(reversed(unpaired))
        self.size = grown

    def root(self) -> bytes:
        """Return the root of the tree; `EMPTY_ROOT` at size 0."""
        if not self._hashes:
            return EMPTY_ROOT
        root = self._hashes[-1]
        for left in self._hashes[-2::-1]:
            root = sha256(b"\x01" + left + root).digest()
        return root


def range_root(start: int, end: int, node: NodeReader) -> bytes:
    """Return the root over leaves [start, end), where `start` is 0 or a point at which RFC 6962 splits."""
    roots = []
    position = start
    for level in range((end - start).bit_length() - 1, -1, -1):
        if (end - start) >> level & 1:
            roots.append(node(level, position >> level))
            position += 1 << level
    root = roots.pop()
    while roots:
        root = node_hash(roots.pop(), root)
    return root


def inclusion_proof(index: int, size: int, node: NodeReader) -> list[bytes]:
    """Return the audit path of leaf `index` in the tree of `size`, from the leaf to the root."""
    _check_index(index, size)
    path = []
    start, end = 0, size
    while end - start > 1:
        split = _split(start, end)
        if index < split:
            path.append(range_root(split, end, node))
            end = split
        else:
            path.append(range_root(start, split, node))
            start = split
    path.reverse()
    return path


def consistency_proof(first: int, second: int, node: NodeReader) -> list[bytes]:
    """Return the proof that the tree of `second` leaves begins with the tree of `first` leaves.

    It is empty for equal sizes and, as the witness protocol has it, for `first` = 0.
    """
    _check_size(second)
    if not 0 <= first <= second:
        raise LogError("consistency_sizes", f"from {first} to {second}")
    if first == 0:
        return []
    proof = []
    start, end = 0, second
    while end != first:
        split = _split(start, end)
        if first <= split:
            proof.append(range_root(split, end, node))
            end = split
        else:
            proof.append(range_root(start, split, node))
            start = split
    if start:  # else the verifier holds this hash: it is the root of the first tree
        proof.append(range_root(start, end, node))
    proof.reverse()
    return proof


def verify_inclusion(proof: Sequence[bytes], *, leaf: bytes, index: int, size: int, root: bytes) -> None:
    """Check that `leaf` is the hash of leaf `index` in the tree (size, root), or raise `LogError`."""
    _check_index(index, size)
    _check_hashes((*proof, leaf, root))
    inner, border = _path_lengths(index, size - 1)
    if len(proof) != inner + border:
        raise LogError("proof_length", f"{len(proof)} hashes instead of {inner + border}")
    if _climb(leaf, proof[:inner], proof[inner:], index) != root:
        raise LogError("proof_root_mismatch", f"leaf {index} of {size}")


def verify_consistency(
    proof: Sequence[bytes], *, first: int, first_root: bytes, second: int, second_root: bytes
) -> None:
    """Check that tree (second, second_root) begins with tree (first, first_root), or raise `LogError`.

    Size 0 is refused: everything begins with nothing, so there a proof would prove nothing.
    """
    _check_size(second)
    if not 0 < first <= second:
        raise LogError("consistency_sizes", f"from {first} to {second}")
    _check_hashes((*proof, first_root, second_root))
    if first == second:
        _verify_equal(proof, first_root, second_root)
        return
    shift = (first & -first).bit_length() - 1  # height of the last perfect subtree of the first tree
    whole = first == 1 << shift  # the first tree is that subtree: its root is known and not in the proof
    inner, border = _path_lengths(first - 1, second - 1)
    inner -= shift
    wanted = inner + border + (not whole)
    if len(proof) != wanted:
        raise LogError("proof_length", f"{len(proof)} hashes instead of {wanted}")
    seed, path = (first_root, proof) if whole else (proof[0], proof[1:])
    below, beside = path[:inner], path[inner:]
    position = (first - 1) >> shift
    if _climb_left(seed, below, beside, position) != first_root:
        raise LogError("proof_root_mismatch", f"the first tree, of {first}")
    if _climb(seed, below, beside, position) != second_root:
        raise LogError("proof_root_mismatch", f"the second tree, of {second}")


def _verify_equal(proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> None:
    if proof:
        raise LogError("proof_length", f"{len(proof)} hashes instead of none between equal sizes")
    if first_root != second_root:
        raise LogError("proof_root_mismatch", "two roots for one size")


def _paired(level: list[bytes]) -> list[bytes]:
    """The parents of one level; an odd last hash is left out."""
    return [
        sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)
    ]


def _split(start: int, end: int) -> int:
    """Where RFC 6962 splits [start, end): after the largest power of two smaller than its length."""
    return start + (1 << ((end - start - 1).bit_length() - 1))


def _path_lengths(index: int, last: int) -> tuple[int, int]:
    """How many hashes a path has below the level where it meets the right edge, and how many beside that."""
    inner = (index ^ last).bit_length()
    return inner, (index >> inner).bit_count()


def _climb(node: bytes, below: Sequence[bytes], beside: Sequence[bytes], index: int) -> bytes:
    """The root over `node`: siblings stand left or right by the bits of `index`, then always left."""
    for level, sibling in enumerate(below):
        node = node_hash(sibling, node) if index >> level & 1 else node_hash(node, sibling)
    return _climb_left(node, (), beside, 0)


def _climb_left(node: bytes, below: Sequence[bytes], beside: Sequence[bytes], index: int) -> bytes:
    """The root that `node` had as the last subtree of its own tree: only siblings to its left count."""
    for level, sibling in enumerate(below):
        if index >> level & 1:
            node = node_hash(sibling, node)
    for sibling in beside:
        node = node_hash(sibling, node)
    return node


def _check_size(size: int) -> int:
    if not 0 <= size <= TREE_SIZE_MAX:
        raise LogError("tree_size_range", str(size))
    return size


def _check_index(index: int, size: int) -> None:
    _check_size(size)
    if not 0 <= index < size:
        raise LogError("tree_index_range", f"index {index} in a tree of {size}")


def _check_hashes(hashes: Iterable[bytes]) -> None:
    for digest in hashes:
        if len(digest) != HASH_BYTES:
            raise LogError("tree_hash_length", f"{len(digest)} bytes")
