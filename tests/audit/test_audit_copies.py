"""Several copies of one lane, closed epochs, witnesses: what agrees, what contradicts, what counts."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from node.audit import audit_sources
from protocol.amounts.split import policy_id
from protocol.audit.bundle import checkpoint_path, format_index, lane_folder, parse_index, successor_path
from protocol.audit.findings import Check, Report
from protocol.identity.keys import SigningKey, log_key_hash, to_base32
from protocol.identity.successor import SealedLane, Successor, make_successor
from protocol.lanes.charter.identity import LaneStatement
from protocol.lanes.kind import CHARTER, LEDGER, TRADE
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.cosignature import make_cosignature
from protocol.log.merkle import leaf_hashes, subtree_root
from protocol.log.note import format_note, parse_note
from protocol.log.origin import Origin, witness_name
from tests.bundles import MemorySource, write, write_index, write_lane, write_villages
from tests.market_day import market_day, publish
from tests.village import MARKET, POLICY, Village, seed


@pytest.fixture
def villages() -> tuple[Village, Village]:
    return market_day()


def check(report: Report, name: str) -> Check:
    return next(each for each in report.checks if each.name == name)


def bundle(
    root: Path, *villages: Village, name: str, cut: Mapping[tuple[str, str], int] | None = None
) -> MemorySource:
    return MemorySource.of(write_villages(root / name, *villages, cut=cut), name)


def test_the_largest_whole_copy_is_folded(tmp_path: Path, villages: tuple[Village, Village]) -> None:
    """One node is behind, one has a flipped byte: the third one's copy counts, and only the damage is a finding."""
    full = bundle(tmp_path, *villages, name="full")
    behind = bundle(tmp_path, *villages, name="behind", cut={("shop", TRADE): 5, ("home", LEDGER): 2})
    path = next(path for path in full.files if "trade/tile/entries" in path)
    damaged = MemorySource(full.flipped(path, 30).files, name="damaged")
    report = audit_sources([behind, damaged, full])
    assert [(finding.source, finding.path) for finding in report.findings] == [("damaged", path)]
    assert report.records == sum(len(entries) for v in villages for entries in v.entries.values())
    assert check(report, "copies") == Check(name="copies", passed=23, failed=1, not_opened=0)
    assert check(report, "copies_agree").failed == 0
    assert {head.source for head in report.cut} <= {"behind", "full", "damaged"}
    assert all(head.folded == head.size for head in report.cut)


def test_two_heads_that_contradict_each_other_are_a_fork(
    tmp_path: Path, villages: tuple[Village, Village]
) -> None:
    """Both copies are whole and signed; the finding names both sizes and roots, whichever comes first."""
    shop, home = villages
    one = bundle(tmp_path, shop, home, name="one")
    shop.entries[TRADE][-1] = shop.entries[TRADE][0]
    shop.say(TRADE, "lane.opened", lane=TRADE)
    other = bundle(tmp_path, shop, home, name="other")
    for sources in ([one, other], [other, one]):
        report = audit_sources(sources)
        finding = next(finding for finding in report.findings if finding.code == "lane_forked")
        assert finding.rule == "18.6"
        assert (finding.place.community, finding.place.lane) == (to_base32(shop.community), TRADE)
        assert subtree_root(leaf_hashes(shop.entries[TRADE])).hex() in finding.detail
        assert str(len(shop.entries[TRADE])) in finding.detail
        assert check(report, "copies_agree").failed == 1


def test_a_fork_is_found_though_the_other_copy_is_damaged(
    tmp_path: Path, villages: tuple[Village, Village]
) -> None:
    """The signed head alone is the proof; its entries may be gone."""
    shop, home = villages
    one = bundle(tmp_path, shop, home, name="one")
    origin = Origin(shop.community, TRADE, 0)
    size = len(shop.entries[TRADE])
    forked = make_checkpoint_note(Checkpoint(origin.text, size, seed("another root")), shop.log)
    other = MemorySource(one.with_file(checkpoint_path(origin), forked).files, name="other")
    codes = audit_sources([one, other]).by_code
    assert codes == {"checkpoint_contradicted": 1, "lane_forked": 1}


def cosigned(
    source: MemorySource, origin: Origin, witness: Village, *, altered: bool = False
) -> MemorySource:
    """The head of a lane with a witness's line; altered: of another time than the one that was signed."""
    path = checkpoint_path(origin)
    note = parse_note(source.files[path])
    line = make_cosignature(
        note.text, name=witness_name(witness.community), key=witness.witness, time_seconds=1
    )
    raw = format_note(note.with_signatures(line))
    if altered:
        raw = raw[:-20] + (b"A" if raw[-20:-19] != b"A" else b"B") + raw[-19:]
    return source.with_file(path, raw)


def test_cosignatures_of_audited_communities_are_verified(
    tmp_path: Path, villages: tuple[Village, Village]
) -> None:
    """A good line passes, an altered one is a finding, one of a stranger is not opened."""
    shop, home = villages
    source = bundle(tmp_path, shop, home, name="one")
    origin = Origin(shop.community, TRADE, 0)
    report = audit_sources([cosigned(source, origin, home)])
    assert check(report, "cosignatures") == Check(name="cosignatures", passed=1, failed=0, not_opened=0)
    report = audit_sources([cosigned(source, origin, home, altered=True)])
    assert report.by_code == {"note_signature_invalid": 1}
    assert report.findings[0].path == checkpoint_path(origin)
    report = audit_sources([cosigned(source, origin, Village("stranger"))])
    assert report.verdict == "clean"
    assert check(report, "cosignatures").not_opened == 1


class Reign:
    """A village that goes on in a second epoch, and the bundles of both."""

    def __init__(self, *, beyond: Mapping[str, int] | None = None) -> None:
        self.shop, self.home = market_day()
        self.shop.close_epoch(beyond)
        self.shop.continue_lane(CHARTER)
        self.shop.say(CHARTER, "policy.retired", policy_id=policy_id(POLICY))
        self.shop.continue_lane(MARKET)
        publish(self.shop, "after")
        self.note = self.successor()

    def successor(
        self, *, time_ms: int = 1_760_000_100_000, lanes: Mapping[str, SealedLane] | None = None
    ) -> bytes:
        sealed = {lane: SealedLane(*seal) for lane, seal in self.shop.seals[0].items()}
        after = SigningKey(seed("the key after"))
        successor = Successor(
            community=self.shop.community,
            epoch=0,
            time_ms=time_ms,
            log_key=self.shop.next_log.public,
            next_log_key_hash=log_key_hash(after.public),
            lanes=lanes or sealed,
        )
        return make_successor(successor, log=self.shop.next_log)

    def bundle(self, root: Path, note: bytes | None = b"") -> MemorySource:
        """Write both epochs with the successor note; None leaves it out."""
        written = [
            write_lane(root, Origin(village.community, lane, epoch), entries, log)
            for village, epoch, log in (
                (self.home, 0, self.home.log),
                (self.shop, 0, self.shop.log),
                (self.shop, 1, self.shop.next_log),
            )
            for lane, entries in village.entries_in(epoch).items()
        ]
        if note is not None:
            write(root, successor_path(self.shop.community, 0), note or self.note)
        write_index(root, written)
        return MemorySource.of(root)


def test_a_community_is_followed_through_its_successor_note(tmp_path: Path) -> None:
    """The new key comes from the note, the lanes go on from their seals, and all of it is in effect."""
    reign = Reign()
    report = audit_sources([reign.bundle(tmp_path)])
    assert report.by_code == {}
    assert report.records == 53 + 4
    assert check(report, "records").passed == 57
    assert check(report, "succession") == Check(name="succession", passed=5, failed=0, not_opened=0)
    shop = next(each for each in report.communities if each.community == to_base32(reign.shop.community))
    assert shop.listings == 4
    assert not shop.policies[0].is_in_force


def test_a_flipped_bit_in_the_bundle_of_two_epochs_is_named(tmp_path: Path) -> None:
    """The successor note and the files of the second epoch as well."""
    source = Reign().bundle(tmp_path)
    paths = [path for path in source.files if "/successor/" in path or "/1/" in path]
    assert len(paths) == 7
    for path in paths:
        for place in (0, len(source.files[path]) // 2, len(source.files[path]) - 2):
            report = audit_sources([source.flipped(path, place)])
            assert path in {finding.path for finding in report.findings}, (path, place)


def test_a_statement_counts_only_where_the_charter_is_folded_up_to_it(tmp_path: Path) -> None:
    """Without the first epoch's charter nothing of the second is in effect, nor what it states of other lanes."""
    reign = Reign()
    reign.shop.say(CHARTER, "lanes.stated", lanes=[LaneStatement(MARKET, 1, bytes(32))])
    source = reign.bundle(tmp_path)
    assert audit_sources([source]).by_code == {"statement_mismatch": 1}
    charter = f"{lane_folder(Origin(reign.shop.community, CHARTER, 0))}/tile/entries/"
    (path,) = [path for path in source.files if path.startswith(charter)]
    report = audit_sources([source.flipped(path, len(source.files[path]) - 1)])
    assert "entries_damaged" in report.by_code
    assert "statement_mismatch" not in report.by_code
    assert check(report, "statements").failed == 0


def test_what_stands_beyond_a_seal_is_void_and_named(tmp_path: Path) -> None:
    """Entries that the old key signed beyond the sealed size have no effect."""
    reign = Reign(beyond={TRADE: 2})
    report = audit_sources([reign.bundle(tmp_path)])
    assert report.by_code["beyond_seal"] == 2
    size = reign.shop.seals[0][TRADE][0]
    places = [finding.place.index for finding in report.findings if finding.code == "beyond_seal"]
    assert places == [size, size + 1]
    assert report.findings[0].rule == "9.2"


def test_a_later_epoch_without_its_note_is_not_read(tmp_path: Path) -> None:
    """No note, no key: the lanes of epoch 1 cannot be judged, and it is said for each."""
    report = audit_sources([Reign().bundle(tmp_path, note=None)])
    assert report.by_code == {"successor_missing": 2}
    assert check(report, "checkpoints").not_opened == 2


def test_two_notes_for_one_epoch_are_contested(tmp_path: Path) -> None:
    """The next key signed twice: nobody can say which epoch 1 is the right one."""
    reign = Reign()
    one = reign.bundle(tmp_path / "one")
    two = MemorySource(
        one.with_file(
            successor_path(reign.shop.community, 0), reign.successor(time_ms=1_760_000_200_000)
        ).files,
        name="two",
    )
    codes = audit_sources([one, two]).by_code
    assert codes["successor_contested"] == 1
    assert audit_sources([one, MemorySource(one.files, name="two")]).by_code == {}


def test_a_lane_that_is_not_the_sealed_one_is_named(tmp_path: Path) -> None:
    """The note seals another root than the lane has, or a size that no copy reaches."""
    reign = Reign()
    sealed = {lane: SealedLane(*seal) for lane, seal in reign.shop.seals[0].items()}
    other = {**sealed, TRADE: SealedLane(sealed[TRADE].size, seed("another root"))}
    report = audit_sources([reign.bundle(tmp_path / "other", reign.successor(lanes=other))])
    assert report.by_code == {"seal_mismatch": 1}
    assert report.findings[0].place.lane == TRADE
    longer = {**sealed, MARKET: SealedLane(sealed[MARKET].size + 1, seed("root"))}
    report = audit_sources([reign.bundle(tmp_path / "longer", reign.successor(lanes=longer))])
    assert report.by_code["lane_short"] == 1
    assert any(waits.place.epoch == 1 and waits.place.lane == MARKET for waits in report.pending.listed)


def test_lanes_of_no_known_name_are_read_but_not_folded(
    tmp_path: Path, villages: tuple[Village, Village]
) -> None:
    """A newer version may open lanes: their bytes are checked, their meaning is not guessed."""
    shop, home = villages
    source = bundle(tmp_path, shop, home, name="one")
    origin = Origin(shop.community, "market/dragons", 0)
    lane = write_lane(tmp_path / "more", origin, [b"anything"], shop.log)
    files = {**source.files, **MemorySource.of(tmp_path / "more").files}
    files["lanes/index"] = format_index({**parse_index(files["lanes/index"]), origin: lane.size})
    report = audit_sources([MemorySource(files)])
    assert report.verdict == "clean"
    assert check(report, "copies").passed == 9
    assert next(head for head in report.cut if head.lane == "market/dragons").folded == 0
