"""Hash tiles: nothing is believed that the root does not state, and every smaller tree can be read off."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import ProtocolError
from protocol.exchange.frames import TileWanted
from protocol.exchange.hash_tiles import HashTiles
from protocol.log.checkpoint import Checkpoint
from protocol.log.merkle import CompactRange, consistency_proof, leaf_hash, subtree_root, verify_consistency

LEAVES = [leaf_hash(index.to_bytes(4, "big")) for index in range(140_000)]
LEVELS = [LEAVES]
while len(LEVELS[-1]) >= 256:
    below = LEVELS[-1]
    LEVELS.append([subtree_root(below[at : at + 256]) for at in range(0, len(below) // 256 * 256, 256)])


def root(size: int) -> bytes:
    lane = CompactRange()
    lane.extend(LEAVES[:size])
    return lane.root()


def head(size: int) -> Checkpoint:
    return Checkpoint("lane", size, root(size))


def raw_tile(tile: TileWanted) -> bytes:
    return b"".join(LEVELS[tile.level][tile.index * 256 : tile.index * 256 + tile.width])


def check_paths(first: int, second: int) -> None:
    tiles = HashTiles(head(second))
    wanted = tiles.first_wanted([first])
    tiles.accept_first(wanted, [raw_tile(tile) for tile in wanted])
    assert tiles.range_at(first).root() == root(first)
    proof = consistency_proof(first, second, tiles.node)
    verify_consistency(proof, first=first, first_root=root(first), second=second, second_root=root(second))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        *[(1, 1), (255, 256), (256, 256), (256, 300), (256, 65_536), (65_536, 65_536), (65_536, 65_537)],
        *[(5, 70_000), (65_536, 131_072), (131_071, 131_072), (65_792, 66_000), (66_000, 140_000)],
    ],
)
def test_borders_of_tiles_are_no_exception(first: int, second: int) -> None:
    """Where tiles begin, end and are empty, the smaller tree and its proof come out right."""
    check_paths(first, second)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_smaller_tree_can_be_read_off_and_proven(data: st.DataObject) -> None:
    """One answer holds the compact range at a known size, and the proof that contradiction would need."""
    second = data.draw(st.integers(1, len(LEAVES)))
    check_paths(data.draw(st.integers(1, second)), second)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_one_flipped_bit_anywhere_is_refused(data: st.DataObject) -> None:
    """A changed byte in any tile of the first answer is found out, whichever tile it is in."""
    second = data.draw(st.integers(1, len(LEAVES)))
    tiles = HashTiles(head(second))
    wanted = tiles.first_wanted([data.draw(st.integers(1, second))])
    answers = [bytearray(raw_tile(tile)) for tile in wanted]
    answer = answers[data.draw(st.integers(0, len(answers) - 1))]
    answer[data.draw(st.integers(0, len(answer) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ProtocolError) as refusal:
        tiles.accept_first(wanted, [bytes(answer) for answer in answers])
    assert refusal.value.code in {"fetch_root_mismatch", "fetch_tile_mismatch"}


@pytest.mark.parametrize("change", ["one tile less", "one tile more", "a hash less", "a byte more"])
def test_an_answer_of_another_shape_is_refused(change: str) -> None:
    """The number and the length of tiles are checked before they are read."""
    tiles = HashTiles(head(70_000))
    wanted = tiles.first_wanted([300])
    answers = [raw_tile(tile) for tile in wanted]
    if change == "one tile less":
        del answers[-1]
    if change == "one tile more":
        answers.append(answers[-1])
    if change == "a hash less":
        answers[0] = answers[0][:-32]
    if change == "a byte more":
        answers[-1] += b"x"
    with pytest.raises(ProtocolError) as refusal:
        tiles.accept_first(wanted, answers)
    assert refusal.value.code in {"answer_mismatch", "tile_length", "tile_edge_mismatch"}


def test_a_tile_is_missing_until_it_and_all_above_it_are_verified() -> None:
    """The way down to a bundle's hash is asked for from the top."""
    tiles = HashTiles(head(140_000))
    wanted = tiles.first_wanted([])
    assert [(tile.level, tile.index) for tile in wanted] == [(2, 0), (1, 2), (0, 546)]
    tiles.accept_first(wanted, [raw_tile(tile) for tile in wanted])
    assert tiles.missing_above(1, 3) == (1, 0)
    assert tiles.missing_above(1, 520) is None
    tiles.accept(1, 0, raw_tile(TileWanted(1, 0, 256)))
    assert tiles.missing_above(1, 3) is None
    assert tiles.hash_at(1, 3) == LEVELS[1][3]
    tiles.forget(1, 0)
    assert tiles.missing_above(1, 3) == (1, 0)
