"""The paths of a bundle and its index: one spelling each, and nothing else is accepted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.audit.bundle import (
    INDEX_PATH,
    bytes_max_at,
    checkpoint_path,
    format_index,
    lane_folder,
    parse_checkpoint_path,
    parse_index,
    successor_path,
)
from protocol.errors import AuditError
from protocol.lanes.kind import LANE_NAMES
from protocol.log.origin import Origin
from protocol.log.tiles import entry_bundle_path, tile_path
from tests.worked_examples import worked_text

COMMUNITY = bytes(range(32))
ID = "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq"

origins = st.builds(
    Origin, st.binary(min_size=32, max_size=32), st.sampled_from(LANE_NAMES), st.integers(0, 2**31)
)


def refused(raw: bytes) -> str:
    with pytest.raises(AuditError) as error:
        parse_index(raw)
    return error.value.code


def test_paths_are_those_of_http() -> None:
    """The worked example of PROTOCOL.md section 21."""
    origin = Origin(COMMUNITY, "market/food", 0)
    assert checkpoint_path(origin) == f"lanes/{ID}/0/market/food/checkpoint"
    assert successor_path(COMMUNITY, 3) == f"lanes/{ID}/successor/3"
    lanes = {origin: 7, Origin(COMMUNITY, "charter", 0): 12, Origin(COMMUNITY, "trade", 0): 300}
    assert format_index(lanes).decode() == worked_text("bundle-index")


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(origins, st.integers(1, 2**48), max_size=8))
def test_an_index_reads_back_as_it_was_written(lanes: dict[Origin, int]) -> None:
    """Both ways, for any lanes."""
    assert parse_index(format_index(lanes)) == lanes


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(origins, st.integers(1, 2**48), min_size=1, max_size=3), st.data())
def test_no_index_has_two_spellings(lanes: dict[Origin, int], data: st.DataObject) -> None:
    """A changed byte either changes what the index states or refuses it."""
    raw = bytearray(format_index(lanes))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        parsed = parse_index(bytes(raw))
    except AuditError:
        return
    assert format_index(parsed) == bytes(raw)


def test_an_index_with_anything_odd_is_refused() -> None:
    """Unsorted, repeated, empty or misspelt lines, and bytes that are no ASCII."""
    line = f"{ID}/0/trade 7\n".encode()
    other = f"{ID}/0/charter 7\n".encode()
    assert parse_index(other + line)
    for raw in (
        line + other,
        line + line,
        line[:-1],
        line.replace(b"7", b"07"),
        line.replace(b"7", b"0"),
        line.replace(b" ", b"  "),
        line.replace(b"\n", b"\r\n"),
        line.upper(),
        "\u00e9".encode(),
        b"\n",
    ):
        assert refused(raw) == "index_malformed"


def test_only_paths_of_a_bundle_have_a_size() -> None:
    """Whoever unpacks asks for the size first, so other names go nowhere."""
    folder = lane_folder(Origin(COMMUNITY, "trade", 2))
    assert bytes_max_at(INDEX_PATH) == 16_777_216
    assert bytes_max_at(f"{folder}/checkpoint") == 65_536
    assert bytes_max_at(f"{folder}/{tile_path(0, 1_234_067, 256)}") == 8_192
    assert bytes_max_at(f"{folder}/{entry_bundle_path(5, 17)}") == 256 * 65_537
    assert bytes_max_at(successor_path(COMMUNITY, 0)) == 65_536
    for path in (
        "",
        "lanes",
        "lanes/../etc/passwd",
        "/lanes/index",
        f"{folder}/../../x",
        f"{folder}/tile/0/1",
        f"{folder}/tile/0/000/../../x",
        f"lanes/{ID}/successor/01",
        f"lanes/{ID}/successor/{2**31}",
        f"lanes/{ID}/00/trade/checkpoint",
        f"lanes/{ID[:-1]}b/0/trade/checkpoint",
        f"{folder}/checkpoint\n",
    ):
        with pytest.raises(AuditError) as error:
            bytes_max_at(path)
        assert error.value.code == "path_refused"


@given(origins)
def test_a_checkpoint_path_names_its_lane(origin: Origin) -> None:
    """Both ways."""
    assert parse_checkpoint_path(checkpoint_path(origin)) == origin
