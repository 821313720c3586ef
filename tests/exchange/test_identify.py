"""A genesis record names a community to the session only if all of it holds."""

import pytest

from protocol.errors import ProtocolError
from protocol.exchange.identify import identify
from protocol.exchange.session import PeerIdentity
from protocol.lanes.charter.identity import LaneOpened
from protocol.log.merkle import leaf_hash
from protocol.log.record import encode_record
from tests.worked_examples import worked_bytes, worked_example

RECORD = bytes.fromhex(worked_example("genesis")["record"])
TIME_MS = 1_760_000_000_000


def test_the_printed_genesis_is_a_peer() -> None:
    """The record of section 4.5 gives its community id and its transport key."""
    printed = worked_example("genesis")
    expected = PeerIdentity(
        bytes.fromhex(printed["community id"]), bytes.fromhex(printed["transport public"])
    )
    assert identify(RECORD) == expected
    assert expected.community == leaf_hash(RECORD)


@pytest.mark.parametrize("position", range(0, len(RECORD), 7))
def test_a_genesis_with_one_changed_byte_is_nobody(position: int) -> None:
    """Every byte is under a proof, or under the canonical form."""
    changed = bytearray(RECORD)
    changed[position] ^= 1
    try:
        identity = identify(bytes(changed))
    except ProtocolError:
        return
    assert identity.community != leaf_hash(RECORD)  # the time alone is under no proof: another community
    assert position in range(RECORD.index(b"\xcf"), RECORD.index(b"\xcf") + 9)


def test_another_record_is_no_genesis() -> None:
    """What stands in a charter later, and what is no record at all, identify nobody."""
    opened = encode_record("lane.opened", LaneOpened(lane="trade"), time_ms=TIME_MS, charter_size=1)
    for raw in (opened, b"", b"genesis", RECORD + b"\x00", worked_bytes("session")["dialer hello"]):
        with pytest.raises(ProtocolError):
            identify(raw)
