"""The tree of a lane: roots and compact range, against a second implementation from RFC 6962's text."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import LogError
from protocol.limits import TREE_SIZE_MAX
from protocol.log.merkle import EMPTY_ROOT, CompactRange, leaf_hash, leaf_hashes, node_hash, subtree_root

LEAVES = [sha256(b"leaf %d" % number).digest() for number in range(700)]

# The inputs that Certificate Transparency implementations have shared since RFC 6962, and their root.
EIGHT_ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
EIGHT_ENTRIES_ROOT = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def tree_head(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1: MTH, with D given as leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + tree_head(leaves[:k]) + tree_head(leaves[k:])).digest()


def refusal(action, *arguments, **named) -> str:
    with pytest.raises(LogError) as caught:
        action(*arguments, **named)
    return caught.value.code


def test_the_eight_public_entries_have_their_public_root():
    """The root that every RFC 6962 implementation is checked with comes out, by both ways."""
    leaves = leaf_hashes(EIGHT_ENTRIES)
    compact = CompactRange()
    compact.extend(leaves)
    assert subtree_root(leaves).hex() == EIGHT_ENTRIES_ROOT
    assert compact.root().hex() == EIGHT_ENTRIES_ROOT
    assert compact.hashes == (compact.root(),)


def test_leaves_nodes_and_nothing_hash_apart():
    """An entry that looks like two hashes has another hash than their node, and nothing has its own."""
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert EMPTY_ROOT == CompactRange().root() == sha256(b"").digest()
    assert leaf_hashes([b"a", b"b"]) == [leaf_hash(b"a"), leaf_hash(b"b")]


def test_the_fast_root_is_the_root_of_the_text():
    """For every size the loop over levels and the compact range give what the recursion of RFC 6962 gives."""
    for size in [*range(1, 260), 511, 512, 513, 700]:
        expected = tree_head(LEAVES[:size])
        compact = CompactRange()
        compact.extend(LEAVES[:size])
        assert subtree_root(LEAVES[:size]) == expected, size
        assert compact.root() == expected, size
        assert compact.size == size
        assert len(compact.hashes) == size.bit_count()


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["append", "extend", "subtree"]), st.integers(0, 90)), max_size=12))
def test_a_range_does_not_depend_on_how_leaves_arrive(steps):
    """Any mix of single leaves, batches and perfect subtrees gives the root over all leaves."""
    compact = CompactRange()
    for how, count in steps:
        end = min(compact.size + count, len(LEAVES))
        if how == "append":
            end = min(compact.size + 1, len(LEAVES))
            for leaf in LEAVES[compact.size : end]:
                compact.append(leaf)
        elif how == "extend":
            compact.extend(LEAVES[compact.size : end])
        else:
            height = count % 4
            while compact.size % (1 << height) or compact.size + (1 << height) > len(LEAVES):
                height -= 1
                if height < 0:
                    return
            start = compact.size
            compact.append_subtree(subtree_root(LEAVES[start : start + (1 << height)]), height)
        assert compact.root() == tree_head(LEAVES[: compact.size])
        assert CompactRange.from_hashes(compact.size, compact.hashes).root() == compact.root()


def test_the_hashes_of_a_range_are_perfect_subtrees_largest_first():
    """Size 7 is kept as the roots over 4, 2 and 1 leaves."""
    compact = CompactRange()
    compact.extend(LEAVES[:7])
    assert compact.hashes == (tree_head(LEAVES[:4]), tree_head(LEAVES[4:6]), LEAVES[6])


def test_news_is_tried_on_a_copy():
    """A copy grows without the original, and the original without the copy."""
    compact = CompactRange()
    compact.extend(LEAVES[:5])
    trial = compact.copy()
    trial.extend(LEAVES[5:9])
    assert (compact.size, compact.root()) == (5, tree_head(LEAVES[:5]))
    compact.append(LEAVES[100])
    assert (trial.size, trial.root()) == (9, tree_head(LEAVES[:9]))


def test_a_range_of_a_stranger_is_refused_where_it_cannot_be_one():
    """Wrong counts, short hashes and sizes out of range each have their code; the range keeps its state."""
    assert refusal(CompactRange.from_hashes, 3, LEAVES[:1]) == "tree_hash_count"
    assert refusal(CompactRange.from_hashes, 3, LEAVES[:3]) == "tree_hash_count"
    assert refusal(CompactRange.from_hashes, 3, [LEAVES[0], b"short"]) == "tree_hash_length"
    assert refusal(CompactRange.from_hashes, -1, []) == "tree_size_range"
    assert refusal(CompactRange.from_hashes, TREE_SIZE_MAX + 1, LEAVES[:2]) == "tree_size_range"
    compact = CompactRange()
    compact.extend(LEAVES[:3])
    assert refusal(compact.append, b"") == "tree_hash_length"
    assert refusal(compact.extend, [LEAVES[3], LEAVES[4] + b"\x00"]) == "tree_hash_length"
    assert (compact.size, compact.root()) == (3, tree_head(LEAVES[:3]))


def test_a_lane_cannot_grow_past_the_largest_size():
    """The largest lane is still a range; one leaf more is refused."""
    compact = CompactRange.from_hashes(TREE_SIZE_MAX, LEAVES[:1])
    assert refusal(compact.append, LEAVES[0]) == "tree_size_range"
    assert compact.size == TREE_SIZE_MAX
