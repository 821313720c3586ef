"""Inclusion and consistency proofs, against second implementations from the texts of RFC 6962 and 9162."""

from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import LogError
from protocol.limits import TREE_SIZE_MAX
from protocol.log.merkle import (
    consistency_proof,
    inclusion_proof,
    range_root,
    verify_consistency,
    verify_inclusion,
)

SIZE_MAX = 256
LEAVES = [sha256(b"leaf %d" % number).digest() for number in range(SIZE_MAX)]


def parent(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


@cache
def tree_head(start: int, end: int) -> bytes:
    """RFC 6962 section 2.1: MTH(D[start:end])."""
    if end - start == 1:
        return LEAVES[start]
    k = split(end - start)
    return parent(tree_head(start, start + k), tree_head(start + k, end))


def audit_path(m: int, start: int, end: int) -> list[bytes]:
    """RFC 6962 section 2.1.1: PATH(m, D[start:end])."""
    if end - start == 1:
        return []
    k = split(end - start)
    if m < k:
        return [*audit_path(m, start, start + k), tree_head(start + k, end)]
    return [*audit_path(m - k, start + k, end), tree_head(start, start + k)]


def subproof(m: int, start: int, end: int, *, is_known: bool) -> list[bytes]:
    """RFC 6962 section 2.1.2: SUBPROOF(m, D[start:end], b)."""
    if m == end - start:
        return [] if is_known else [tree_head(start, end)]
    k = split(end - start)
    if m <= k:
        return [*subproof(m, start, start + k, is_known=is_known), tree_head(start + k, end)]
    return [*subproof(m - k, start + k, end, is_known=False), tree_head(start, start + k)]


def is_included(proof, *, leaf, index, size, root) -> bool:
    """RFC 9162 section 2.1.3.2, step by step."""
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = parent(p, r)
            while not fn & 1 and fn != 0:
                fn >>= 1
                sn >>= 1
        else:
            r = parent(r, p)
        fn >>= 1
        sn >>= 1
    return sn == 0 and r == root


def is_consistent(proof, *, first, first_root, second, second_root) -> bool:
    """RFC 9162 section 2.1.4.2, step by step, with its precondition 0 < first < second."""
    if not proof:
        return False
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr = parent(c, fr)
            sr = parent(c, sr)
            while not fn & 1 and fn != 0:
                fn >>= 1
                sn >>= 1
        else:
            sr = parent(sr, c)
        fn >>= 1
        sn >>= 1
    return sn == 0 and fr == first_root and sr == second_root


def perfect(level: int, index: int) -> bytes:
    return tree_head(index << level, (index + 1) << level)


def verdict(action, *arguments, **named) -> str:
    try:
        action(*arguments, **named)
    except LogError as error:
        return error.code
    return "holds"


def test_every_leaf_of_every_size_has_the_proof_of_the_text():
    """For every size from 1 to 256 each proof is that of RFC 6962, byte for byte, and it verifies."""
    for size in range(1, SIZE_MAX + 1):
        root = tree_head(0, size)
        assert range_root(0, size, perfect) == root, size
        for index in range(size):
            proof = inclusion_proof(index, size, perfect)
            assert proof == audit_path(index, 0, size), (index, size)
            verify_inclusion(proof, leaf=LEAVES[index], index=index, size=size, root=root)


def test_every_pair_of_sizes_has_the_proof_of_the_text():
    """For every size from 1 to 256 each consistency proof is that of RFC 6962, and it verifies."""
    for second in range(1, SIZE_MAX + 1):
        root = tree_head(0, second)
        for first in range(1, second + 1):
            proof = consistency_proof(first, second, perfect)
            assert proof == subproof(first, 0, second, is_known=True), (first, second)
            roots = {"first_root": tree_head(0, first), "second_root": root}
            verify_consistency(proof, first=first, second=second, **roots)


def altered(draw, proof: list[bytes]) -> list[bytes]:
    """The proof itself, or with a hash changed, dropped, added or swapped."""
    how = draw(st.sampled_from(["as it is", "change", "drop", "add", "swap"]))
    proof = list(proof)
    place = draw(st.integers(0, max(len(proof) - 1, 0)))
    if how == "add":
        proof.insert(place, draw(st.sampled_from(LEAVES)))
    elif proof and how == "change":
        proof[place] = draw(st.sampled_from(LEAVES))
    elif proof and how == "drop":
        del proof[place]
    elif len(proof) > 1 and how == "swap":
        proof[0], proof[place] = proof[place], proof[0]
    return proof


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_inclusion_is_judged_as_by_the_second_verifier(data):
    """Whatever is altered, leaf, index, size or path, both verifiers agree."""
    size = data.draw(st.integers(1, SIZE_MAX))
    index = data.draw(st.integers(0, size - 1))
    claimed = {
        "leaf": data.draw(st.sampled_from([LEAVES[index], LEAVES[0]])),
        "index": data.draw(st.sampled_from([index, index ^ 1, index // 2])),
        "size": data.draw(st.sampled_from([size, size + 1, max(size - 1, 1)])),
        "root": tree_head(0, size),
    }
    proof = altered(data.draw, audit_path(index, 0, size))
    assert (verdict(verify_inclusion, proof, **claimed) == "holds") == is_included(proof, **claimed)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_consistency_is_judged_as_by_the_second_verifier(data):
    """Whatever is altered, sizes, roots or proof, both verifiers agree."""
    second = data.draw(st.integers(2, SIZE_MAX))
    first = data.draw(st.integers(1, second - 1))
    claimed = {
        "first": data.draw(st.sampled_from([first, max(first - 1, 1), max(first // 2, 1)])),
        "first_root": data.draw(st.sampled_from([tree_head(0, first), tree_head(0, second)])),
        "second": data.draw(st.sampled_from([second, second + 1])),
        "second_root": data.draw(st.sampled_from([tree_head(0, second), tree_head(0, first)])),
    }
    proof = altered(data.draw, subproof(first, 0, second, is_known=True))
    assert (verdict(verify_consistency, proof, **claimed) == "holds") == is_consistent(proof, **claimed)


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (4, 7), (7, 8), (8, 9), (100, 200)])
def test_a_flipped_bit_anywhere_in_an_inclusion_proof_is_refused(index, size):
    """One bit of the leaf, of the root or of any hash of the path is enough."""
    proof = inclusion_proof(index, size, perfect)
    for place, good in enumerate([LEAVES[index], tree_head(0, size), *proof]):
        for bit in range(256):
            parts = [LEAVES[index], tree_head(0, size), *proof]
            parts[place] = (int.from_bytes(good, "big") ^ 1 << bit).to_bytes(32, "big")
            leaf, root, *path = parts
            got = verdict(verify_inclusion, path, leaf=leaf, index=index, size=size, root=root)
            assert got == "proof_root_mismatch"


def test_sizes_and_indexes_out_of_range_are_refused_by_makers_and_verifiers():
    """Nobody asks for, or proves, what cannot be in a tree."""
    assert verdict(inclusion_proof, 3, 3, perfect) == "tree_index_range"
    assert verdict(inclusion_proof, -1, 3, perfect) == "tree_index_range"
    assert verdict(inclusion_proof, 0, 0, perfect) == "tree_index_range"
    assert verdict(inclusion_proof, 0, TREE_SIZE_MAX + 1, perfect) == "tree_size_range"
    assert verdict(consistency_proof, 4, 3, perfect) == "consistency_sizes"
    assert verdict(consistency_proof, -1, 3, perfect) == "consistency_sizes"
    assert verdict(consistency_proof, 1, TREE_SIZE_MAX + 1, perfect) == "tree_size_range"
    named = {"leaf": LEAVES[0], "root": LEAVES[0]}
    assert verdict(verify_inclusion, [], index=1, size=1, **named) == "tree_index_range"
    assert verdict(verify_inclusion, [], index=0, size=TREE_SIZE_MAX + 1, **named) == "tree_size_range"
    assert verdict(verify_inclusion, LEAVES[:1], index=0, size=1, **named) == "proof_length"


def test_growth_from_nothing_needs_no_proof_and_proves_nothing():
    """From size 0 the maker gives the witness protocol's empty proof; the verifier refuses size 0."""
    assert consistency_proof(0, 7, perfect) == []
    roots = {"first_root": LEAVES[0], "second_root": tree_head(0, 7)}
    assert verdict(verify_consistency, [], first=0, second=7, **roots) == "consistency_sizes"
    assert verdict(verify_consistency, [], first=0, second=0, **roots) == "consistency_sizes"
    assert verdict(verify_consistency, [], first=8, second=7, **roots) == "consistency_sizes"


def test_equal_sizes_need_equal_roots_and_an_empty_proof():
    """Two roots for one size are two histories, and no proof reconciles them."""
    root = tree_head(0, 7)
    same = {"first": 7, "second": 7, "first_root": root}
    assert verdict(verify_consistency, [], second_root=root, **same) == "holds"
    assert verdict(verify_consistency, [], second_root=LEAVES[0], **same) == "proof_root_mismatch"
    assert verdict(verify_consistency, [root], second_root=root, **same) == "proof_length"


def test_hashes_of_another_length_are_refused_before_anything_is_hashed():
    """A hash that is short or long never enters a node: its bytes could be cut elsewhere."""
    root = tree_head(0, 2)
    for wrong in (b"", LEAVES[1][:31], LEAVES[1] + b"\x00"):
        good = {"leaf": LEAVES[0], "index": 0, "size": 2, "root": root}
        assert verdict(verify_inclusion, [wrong], **good) == "tree_hash_length"
        assert verdict(verify_inclusion, [LEAVES[1]], **{**good, "leaf": wrong}) == "tree_hash_length"
        assert verdict(verify_inclusion, [LEAVES[1]], **{**good, "root": wrong}) == "tree_hash_length"
        pair = {"first": 1, "first_root": LEAVES[0], "second": 2, "second_root": root}
        assert verdict(verify_consistency, [wrong], **pair) == "tree_hash_length"
        assert verdict(verify_consistency, [LEAVES[1]], **{**pair, "first_root": wrong}) == "tree_hash_length"
