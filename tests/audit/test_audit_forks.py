"""Forks in an audit: proven from contradicting heads, carried by bundles, marked, and nobody accused falsely."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from node.audit import KnownKeys, audit_sources, render_report, verify_file, write_bundle, write_proofs
from node.audit.directory import DirectorySource
from protocol.audit.bundle import (
    checkpoint_path,
    format_statements_index,
    parse_statements_index,
    statement_path,
    statements_index_path,
    successor_path,
)
from protocol.audit.findings import Check, Report
from protocol.errors import AuditError
from protocol.lanes.kind import CHARTER, TRADE
from protocol.limits import FORK_BYTES_MAX, STATEMENTS_SHOWN_MAX
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.fork import make_fork
from protocol.log.origin import Origin
from tests.bundles import MemorySource, write, write_index, write_lane, write_villages
from tests.market_day import market_day
from tests.successors import note_of
from tests.village import Village, seed

LANE = "market/dragons"  # bytes of any sort: what counts here is the tree over them


@pytest.fixture
def villages() -> tuple[Village, Village]:
    return market_day()


def check(report: Report, name: str) -> Check:
    return next(each for each in report.checks if each.name == name)


def told(shop: Village, root: Path, entries: Sequence[bytes], *, name: str) -> MemorySource:
    """A source with the shop's charter and one lane of these entries."""
    charter = write_lane(
        root / name, Origin(shop.community, CHARTER, 0), shop.entries_in(0)[CHARTER], shop.log
    )
    lane = write_lane(root / name, Origin(shop.community, LANE, 0), entries, shop.log)
    write_index(root / name, [charter, lane])
    return MemorySource.of(root / name, name)


def with_statements(source: MemorySource, community: bytes, *texts: bytes) -> MemorySource:
    """The same source that carries these statements about a community."""
    digests = {sha256(text).digest(): text for text in texts}
    source = source.with_file(statements_index_path(community), format_statements_index(digests))
    for digest, text in digests.items():
        source = source.with_file(statement_path(community, digest), text)
    return source


def holds(report: Report, folder: Path, *charters: MemorySource) -> bool:
    """Whether each proof of a report is a file that holds offline, by the charter alone."""
    files = write_proofs(report.forks, folder)
    assert len(set(files)) == len(report.forks)
    verdicts = [verify_file(path, KnownKeys(charters)) for path in files]
    assert all(path.stat().st_size <= FORK_BYTES_MAX for path in files)
    return all((found.kind, found.verdict) == ("fork", "holds") for found in verdicts)


@pytest.mark.parametrize(
    ("first", "second", "parts_at"),
    [(7, 7, 3), (3, 7, 1), (256, 257, 255), (300, 700, 2), (600, 66_000, 10), (66_000, 66_000, 65_999)],
)
def test_two_histories_from_two_nodes_are_a_proof_that_anyone_checks(
    tmp_path: Path, villages: tuple[Village, Village], first: int, second: int, parts_at: int
) -> None:
    """Whichever is read first, at any sizes, the file holds by the charter alone, and a changed byte spoils it."""
    shop, _ = villages
    entries = [b"%d" % number for number in range(second)]
    other = [*entries[:parts_at], *(b"other %d" % number for number in range(first - parts_at))]
    one, two = (told(shop, tmp_path, some, name=name) for name, some in (("one", entries), ("two", other)))
    report = audit_sources([two, one])
    (fork,) = report.forks
    assert (fork.lane, fork.older_size, fork.newer_size) == (LANE, first, second)
    assert [totals.marks for totals in report.communities] == [("FORKED",)]
    assert check(report, "forks") == Check(name="forks", passed=1, failed=1, not_opened=0)
    assert holds(report, tmp_path / "proofs", one)
    (path,) = (tmp_path / "proofs").iterdir()
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"\n%d\n" % first, b"\n%d\n" % (first + 1), 1))
    assert verify_file(path, KnownKeys([one])).verdict == "fails"
    if first < 1_000:
        assert holds(audit_sources([one, two]), tmp_path / "again", two)


def test_a_head_alone_is_enough(tmp_path: Path, villages: tuple[Village, Village]) -> None:
    """A node that shows a head and gives nothing of what stands under it has still signed it."""
    shop, _ = villages
    entries = [b"%d" % number for number in range(300)]
    one = told(shop, tmp_path, entries, name="one")
    origin = Origin(shop.community, LANE, 0)
    for size in (1, 255, 300):
        forged = make_checkpoint_note(Checkpoint(origin.text, size, seed("another root")), shop.log)
        files = {path: raw for path, raw in one.files.items() if "/dragons/tile/" not in path}
        two = MemorySource({**files, checkpoint_path(origin): forged}, name="two", is_live=True)
        report = audit_sources([one, two])
        assert [fork.older_size for fork in report.forks] == [size]
        assert holds(report, tmp_path / str(size), one)


def test_two_heads_of_one_size_are_a_proof_without_any_copy(
    tmp_path: Path, villages: tuple[Village, Village]
) -> None:
    """Nobody gives the entries: the two signed roots say it all. Heads of two sizes would say nothing."""
    shop, _ = villages
    origin = Origin(shop.community, LANE, 0)
    one = told(shop, tmp_path, [b"%d" % number for number in range(300)], name="one")
    bare = {path: raw for path, raw in one.files.items() if "/dragons/tile/" not in path}

    def showing(size: int, root: bytes, name: str) -> MemorySource:
        note = make_checkpoint_note(Checkpoint(origin.text, size, root), shop.log)
        return MemorySource({**bare, checkpoint_path(origin): note}, name=name, is_live=True)

    sources = [showing(9, seed("a"), "a"), showing(12, seed("b"), "b")]
    assert audit_sources(sources).forks == ()
    report = audit_sources([*sources, showing(9, seed("c"), "c")])
    assert [(fork.older_size, fork.newer_size) for fork in report.forks] == [(9, 9)]
    assert holds(report, tmp_path / "proofs", one)


def test_copies_of_one_history_accuse_nobody(tmp_path: Path, villages: tuple[Village, Village]) -> None:
    """Behind, damaged, or shown twice: as long as the roots agree there is no fork and no mark."""
    shop, _ = villages
    entries = [b"%d" % number for number in range(700)]
    sources = [told(shop, tmp_path, entries[:size], name=str(size)) for size in (1, 256, 699, 700)]
    path = next(path for path in sources[3].files if "dragons/tile/entries" in path)
    report = audit_sources([*sources, sources[3].flipped(path, 5)])
    assert report.forks == ()
    assert [totals.marks for totals in report.communities] == [()]
    assert check(report, "forks").failed == 0


def test_a_carried_proof_marks_its_community(tmp_path: Path, villages: tuple[Village, Village]) -> None:
    """A bundle that shows one clean history shows all the same what is proven; one of a lane that is not in it too."""
    shop, home = villages
    clean = MemorySource.of(write_villages(tmp_path / "clean", shop, home))
    for lane in (TRADE, "market/pets"):
        proof = fork_of(shop, lane)
        source = with_statements(clean, shop.community, proof, b"wildgrass/v9/news\nunknown\n")
        report = audit_sources([source])
        assert report.by_code == {"lane_forked": 1}
        assert report.findings[0].path == statement_path(shop.community, sha256(proof).digest())
        assert [fork.proof.encode() for fork in report.forks] == [proof]
        assert {totals.marks for totals in report.communities} == {("FORKED",), ()}
        assert "FORKED" in render_report(report)
        assert "已分叉" in render_report(report, "zh-Hans")


def test_a_statement_that_proves_nothing_accuses_its_source(
    tmp_path: Path, villages: tuple[Village, Village]
) -> None:
    """A forged proof, one of somebody else, a damaged file, a missing one, a misspelt list: findings, and no mark."""
    shop, home = villages
    clean = MemorySource.of(write_villages(tmp_path / "clean", shop, home))
    community, proof = shop.community, fork_of(shop, TRADE)
    index = statements_index_path(community)
    honest = with_statements(clean, community, proof)
    path = statement_path(community, sha256(proof).digest())
    thief = Village("shop")
    thief.log = home.log
    wrong = {
        "note_not_signed": with_statements(clean, community, fork_of(thief, TRADE)),
        "index_mismatch": with_statements(clean, home.community, proof),
        "fork_malformed": with_statements(clean, community, b"wildgrass/v1/fork\n"),
        "note_malformed": with_statements(clean, community, b"wildgrass/v1/successor\n"),
        "statement_other_digest": honest.with_file(path, proof + b"\n"),
        "file_missing": honest.with_file(path, None),
        "index_malformed": honest.with_file(index, honest.files[index].upper()),
        "file_too_large": honest.with_file(path, bytes(32_769)),
    }
    for code, source in wrong.items():
        report = audit_sources([source])
        assert report.by_code == {code: 1}, code
        assert report.forks == ()
        assert {totals.marks for totals in report.communities} == {()}


def test_a_proof_of_a_closed_epoch_is_a_retired_key_misused(
    tmp_path: Path, villages: tuple[Village, Village]
) -> None:
    """The note settled which branch goes on; carried notes alone are enough to know it."""
    shop, home = villages
    clean = MemorySource.of(write_villages(tmp_path / "clean", shop, home))
    note, proof = note_of(shop), fork_of(shop, TRADE)
    report = audit_sources([with_statements(clean, shop.community, note, proof)])
    assert ("RETIRED-KEY-MISUSED",) in {totals.marks for totals in report.communities}
    assert [fork.epoch for fork in report.forks] == [0]
    later = with_statements(clean, shop.community, fork_of(shop, TRADE, epoch=1))
    report = audit_sources([later])
    assert (report.by_code, check(report, "forks").not_opened) == ({}, 1)


def test_contradicting_notes_that_one_bundle_carries_are_contested(
    tmp_path: Path, villages: tuple[Village, Village]
) -> None:
    """The path of a successor note holds one; the statements hold them all."""
    shop, home = villages
    one, other = note_of(shop, time_ms=1), note_of(shop, time_ms=2)
    clean = MemorySource.of(write_villages(tmp_path / "clean", shop, home))
    source = with_statements(clean, shop.community, one, other)
    report = audit_sources([source.with_file(successor_path(shop.community, 0), one)])
    assert report.by_code == {"successor_contested": 1}
    assert ("CONTESTED",) in {totals.marks for totals in report.communities}


def test_a_copy_of_a_bundle_carries_what_is_proven(tmp_path: Path, villages: tuple[Village, Village]) -> None:
    """Written again, as a directory or an archive, it has the same statements; a damaged one is not passed on."""
    shop, home = villages
    root = write_villages(tmp_path / "first", shop, home)
    proof = fork_of(shop, TRADE)
    digest = sha256(proof).digest()
    write(root, statements_index_path(shop.community), format_statements_index([digest]))
    write(root, statement_path(shop.community, digest), proof)
    write_bundle(DirectorySource(root), tmp_path / "second")
    assert audit_sources([DirectorySource(tmp_path / "second")]).by_code == {"lane_forked": 1}
    assert (
        verify_file(
            tmp_path / "second" / statement_path(shop.community, digest),
            KnownKeys([DirectorySource(tmp_path / "second")]),
        ).verdict
        == "holds"
    )
    write(root, statement_path(shop.community, digest), proof + b"\n")
    with pytest.raises(AuditError) as refusal:
        write_bundle(DirectorySource(root), tmp_path / "third.tar")
    assert refusal.value.code == "statement_other_digest"
    assert not (tmp_path / "third.tar").exists()


@pytest.mark.parametrize(
    "raw", [b"\n", b"00\n", b"0" * 64, b"A" * 64 + b"\n", b"\xff" * 64 + b"\n", (b"0" * 64 + b"\n") * 2]
)
def test_a_list_of_statements_has_one_spelling(raw: bytes) -> None:
    """Sorted lower-case digests, each once, each with its newline."""
    assert parse_statements_index(b"") == []
    assert parse_statements_index(b"0" * 64 + b"\n") == [bytes(32)]
    digests = [number.to_bytes(32, "big") for number in range(STATEMENTS_SHOWN_MAX + 1)]
    assert parse_statements_index(format_statements_index(digests[1:])) == digests[1:]
    with pytest.raises(AuditError):
        parse_statements_index(format_statements_index(digests))
    with pytest.raises(AuditError) as refusal:
        parse_statements_index(raw)
    assert refusal.value.code == "index_malformed"


def fork_of(village: Village, lane: str, *, epoch: int = 0) -> bytes:
    """Two heads of one size by the village's log key of epoch 0."""
    origin = Origin(village.community, lane, epoch)
    notes = [
        make_checkpoint_note(Checkpoint(origin.text, 5, seed(word)), village.log) for word in ("one", "two")
    ]
    return make_fork(*notes, village.log.public)
