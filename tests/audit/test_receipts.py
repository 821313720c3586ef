"""Receipts and single files: one record proven offline, and what a stranger's file is worth."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.audit import KnownKeys, make_receipt, open_source, render_verification, verify_file, write_bundle
from protocol.audit.bundle import checkpoint_path
from protocol.audit.receipt import open_receipt
from protocol.errors import AuditError, LogError, ProtocolError
from protocol.identity.keys import to_base32
from protocol.lanes.kind import CHARTER, TRADE
from protocol.log.merkle import leaf_hash
from protocol.log.note import ED25519, VerifierKey
from protocol.log.origin import Origin
from protocol.log.proof import TlogProof, format_proof, parse_proof
from tests.bundles import MemorySource, write_lane, write_villages
from tests.market_day import market_day
from tests.village import Village


@pytest.fixture(scope="module")
def villages() -> tuple[Village, Village]:
    return market_day()


@pytest.fixture(scope="module")
def bundle(villages: tuple[Village, Village], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_villages(tmp_path_factory.mktemp("bundle"), *villages)


@pytest.fixture
def receipt(bundle: Path, villages: tuple[Village, Village], tmp_path: Path) -> Path:
    """The receipt of the shop's fourth record of trade, as a file."""
    path = tmp_path / "order.tlog-proof"
    with open_source(str(bundle)) as source:
        path.write_bytes(make_receipt(source, Origin(villages[0].community, TRADE, 0), 3))
    return path


def test_a_receipt_proves_its_record(receipt: Path, bundle: Path, villages: tuple[Village, Village]) -> None:
    """With the charter at hand it holds, and shows lane, index, id and the words of the record."""
    shop = villages[0]
    with open_source(str(bundle)) as source:
        found = verify_file(receipt, KnownKeys([source]))
    assert (found.kind, found.verdict) == ("receipt", "holds")
    assert (found.community, found.lane, found.index) == (to_base32(shop.community), TRADE, 3)
    assert found.record_id == to_base32(leaf_hash(shop.entries[TRADE][3]))
    assert found.record_kind == "order.completed"
    assert len(receipt.read_bytes()) < 2_000
    assert "order.completed" in render_verification(found)


def test_a_receipt_without_a_key_is_not_opened(receipt: Path, villages: tuple[Village, Village]) -> None:
    """Nothing it says of itself is believed; a key that the auditor was told opens it."""
    found = verify_file(receipt, KnownKeys())
    assert (found.kind, found.verdict, found.index) == ("receipt", "not_opened", 3)
    shop, home = villages
    origin = Origin(shop.community, TRADE, 0).text
    told = VerifierKey(origin, ED25519, shop.log.public).vkey
    assert verify_file(receipt, KnownKeys(vkeys=[told])).verdict == "holds"
    false = VerifierKey(origin, ED25519, home.log.public).vkey
    found = verify_file(receipt, KnownKeys(vkeys=[false]))
    assert (found.verdict, found.code) == ("fails", "note_not_signed")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_byte_of_a_receipt_may_be_another(
    villages: tuple[Village, Village], bundle: Path, data: st.DataObject
) -> None:
    """One flipped bit: it does not open, or not to the same lane."""
    shop = villages[0]
    origin = Origin(shop.community, TRADE, 0)
    raw = bytearray(make_receipt(MemorySource.of(bundle), origin, 3))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    def log_key_of(found: Origin) -> bytes:
        if found != origin:
            raise LogError("note_not_signed")
        return shop.log.public

    with pytest.raises(ProtocolError):
        open_receipt(bytes(raw), log_key_of)


def test_every_record_of_a_longer_lane_has_its_receipt(
    tmp_path: Path, villages: tuple[Village, Village]
) -> None:
    """Against a lane of 1,000 entries, over tiles of two levels."""
    shop = villages[0]
    origin = Origin(shop.community, TRADE, 0)
    entries = [b"entry %d" % index for index in range(1_000)]
    write_lane(tmp_path, origin, entries, shop.log)
    source = MemorySource.of(tmp_path)
    for index in (0, 1, 254, 255, 256, 511, 512, 767, 768, 998, 999):
        opened = open_receipt(make_receipt(source, origin, index), lambda _: shop.log.public)
        assert (opened.entry, opened.index) == (entries[index], index)
    for index in (1_000, -1):
        with pytest.raises(LogError) as error:
            make_receipt(source, origin, index)
        assert error.value.code == "tree_index_range"


def test_a_damaged_copy_gives_no_receipt(tmp_path: Path, villages: tuple[Village, Village]) -> None:
    """What would not hold is not handed out."""
    shop = villages[0]
    origin = Origin(shop.community, TRADE, 0)
    write_lane(tmp_path, origin, [b"entry %d" % index for index in range(300)], shop.log)
    source = MemorySource.of(tmp_path)
    for path in source.files:
        try:
            raw = make_receipt(source.with_file(path, None), origin, 10)
        except AuditError:
            continue
        assert open_receipt(raw, lambda _: shop.log.public).entry == b"entry 10"
    entries = next(path for path in source.files if path.endswith("entries/000"))
    with pytest.raises(LogError) as error:
        make_receipt(source.flipped(entries, 2 + 10 * 9), origin, 10)
    assert error.value.code == "proof_root_mismatch"


def test_a_receipt_without_its_record_opens_to_nothing(
    bundle: Path, villages: tuple[Village, Village]
) -> None:
    """A proof that does not carry the entry proves an unknown."""
    shop = villages[0]
    proof = parse_proof(make_receipt(MemorySource.of(bundle), Origin(shop.community, TRADE, 0), 3))
    bare = format_proof(TlogProof(proof.index, proof.hashes, proof.checkpoint))
    with pytest.raises(AuditError) as error:
        open_receipt(bare, lambda _: shop.log.public)
    assert error.value.code == "receipt_mismatch"


def test_single_files_are_recognised(bundle: Path, tmp_path: Path, villages: tuple[Village, Village]) -> None:
    """A checkpoint, a bundle in a folder or in a file, and what is none of these."""
    head = bundle / checkpoint_path(Origin(villages[0].community, CHARTER, 0))
    with open_source(str(bundle)) as source:
        keys = KnownKeys([source])
        found = verify_file(head, keys)
        assert (found.kind, found.verdict, found.size) == (
            "checkpoint",
            "holds",
            len(villages[0].entries[CHARTER]),
        )
        altered = tmp_path / "altered"
        altered.write_bytes(head.read_bytes()[:-5] + b"AAA=\n")
        assert verify_file(altered, keys).verdict == "fails"
        assert verify_file(head, KnownKeys()).verdict == "not_opened"
        write_bundle(source, tmp_path / "day.tar")
    assert verify_file(bundle, KnownKeys()).kind == "bundle"
    assert verify_file(tmp_path / "day.tar", KnownKeys()).kind == "bundle"
    assert "wildgrass audit" in render_verification(verify_file(bundle, KnownKeys()))
    for raw in (b"", b"hello\n", bytes(200_000), b"\n\n\n"):
        (tmp_path / "other").write_bytes(raw)
        with pytest.raises(AuditError) as error:
            verify_file(tmp_path / "other", KnownKeys())
        assert error.value.code == "file_unknown"
