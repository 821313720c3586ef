"""A clean audit: its numbers are those of a naive second counting, from whatever the bundle is read."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from node.audit import audit_sources, open_source, render_report, report_json, write_bundle
from protocol.audit.findings import Report
from protocol.identity.keys import to_base32
from protocol.lanes import BODY_TYPES
from protocol.lanes.kind import LEDGER
from protocol.log.record import decode_record
from tests.bundles import MemorySource, write_villages
from tests.market_day import market_day
from tests.village import Village


@pytest.fixture(scope="module")
def villages() -> tuple[Village, Village]:
    return market_day()


@pytest.fixture(scope="module")
def bundle(villages: tuple[Village, Village], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_villages(tmp_path_factory.mktemp("bundle"), *villages)


def audit(*locations: Path | str) -> Report:
    sources = [open_source(str(location)) for location in locations]
    try:
        return audit_sources(sources)
    finally:
        for source in sources:
            source.__exit__()


def nameless(report: Report) -> dict[str, object]:
    """The report without the names of its sources."""
    plain = msgspec.to_builtins(report)
    del plain["sources"]
    for part in (*plain["cut"], *plain["copies"]):
        del part["source"]
    return plain


class QuietHandler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(root: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_market_day_is_clean_and_counted(bundle: Path, villages: tuple[Village, Village]) -> None:
    """Exit code 0; every record takes effect; orders, listings and money are what happened."""
    report = audit(bundle)
    shop, home = villages
    assert (report.verdict, report.exit_code, report.by_code) == ("clean", 0, {})
    assert report.records == sum(len(entries) for v in villages for entries in v.entries.values())
    checks = {check.name: check for check in report.checks}
    assert checks["records"].passed == report.records
    assert all(check.failed == 0 for check in report.checks)
    assert checks["statements"].passed == 6
    assert checks["openings"].not_opened == 10
    totals = {each.community: each for each in report.communities}
    sold = totals[to_base32(shop.community)]
    bought = totals[to_base32(home.community)]
    orders = {"cancelled": 1, "completed": 2, "placed": 1, "rejected": 1}
    assert sold.orders_sold == bought.orders_bought == orders
    assert (sold.shops, sold.listings, sold.listings_withdrawn) == (1, 3, 1)
    assert [(each.currency, each.amount_minor) for each in sold.completed] == [("EUR", 10_700 + 3_001)]
    assert sold.policies[0].adopted_by == "founder"
    assert (report.pending.count, report.awaited.count) == (0, 0)


def test_shares_and_dues_are_the_sums_of_all_postings(
    bundle: Path, villages: tuple[Village, Village]
) -> None:
    """A naive second adding up, straight from the entries of the ledgers."""
    report = audit(bundle)
    for village in villages:
        sums: Counter[str] = Counter()
        for raw in village.entries[LEDGER][1:]:
            body = decode_record(raw, BODY_TYPES).body
            sums.update({line.account: line.amount_minor for line in body.entries})
        totals = next(each for each in report.communities if each.community == to_base32(village.community))
        shares = {f"share/{share.role}": -share.amount_minor for share in totals.shares}
        assert shares == {name: amount for name, amount in sums.items() if name.startswith("share/")}
        assert [owed.amount_minor for owed in totals.owed] == [sums["due"]]
    owed = [each.owed[0].amount_minor for each in report.communities]
    assert sum(owed) == 0


def test_directory_archives_and_http_give_one_report(bundle: Path, tmp_path: Path) -> None:
    """The same lanes, the same report, from whatever they are read."""
    expected = nameless(audit(bundle))
    for name in ("day.tar", "day.tar.gz", "day"):
        with open_source(str(bundle)) as source:
            summary = write_bundle(source, tmp_path / name)
        assert (summary.lanes, summary.records) == (8, 53)
        assert nameless(audit(tmp_path / name)) == expected
    with served(bundle) as address:
        assert nameless(audit(address)) == expected
    assert not list(tmp_path.glob(".*"))


def test_a_written_bundle_has_the_same_bytes_every_time(bundle: Path, tmp_path: Path) -> None:
    """Equal lanes make equal archives, so two auditors can compare them by hash."""
    for name in ("one.tar.gz", "two.tar.gz"):
        with open_source(str(bundle)) as source:
            write_bundle(source, tmp_path / name)
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()


def test_a_bundle_of_one_community_has_its_lanes_alone(
    bundle: Path, villages: tuple[Village, Village], tmp_path: Path
) -> None:
    """The seller's records then wait for the buyer's lanes: counted, listed, and no fault."""
    shop, home = villages
    with open_source(str(bundle)) as source:
        write_bundle(source, tmp_path / "shop", [shop.community])
    report = audit(tmp_path / "shop")
    assert report.verdict == "clean"
    assert len(report.communities) == 1
    assert report.pending.count == 13  # ten moves and three postings
    assert report.pending.listed[0].waits_for is not None
    assert {waits.waits_for.community for waits in report.pending.listed if waits.waits_for} == {
        to_base32(home.community),
        to_base32(shop.community),
    }
    checks = {check.name: check for check in report.checks}
    assert checks["records"].passed + checks["records"].not_opened == report.records


def test_every_copy_of_every_node_is_read(bundle: Path) -> None:
    """Three nodes, three copies of each lane, all compared with each other."""
    report = audit(bundle, bundle, bundle)
    checks = {check.name: check for check in report.checks}
    assert checks["copies"].passed == 24
    assert checks["copies_agree"].passed == 16
    assert report.records == 53


def test_the_report_is_json_and_text_in_two_languages(bundle: Path) -> None:
    """JSON reads back as the report; text names both communities, and shows no stray control character."""
    report = audit(bundle)
    assert msgspec.json.decode(report_json(report), type=Report) == report
    for language in ("en", "zh-Hans"):
        text = render_report(report, language)
        assert "shop" in text
        assert "137.01 EUR" in text
        assert all(character.isprintable() or character == "\n" for character in text)


def test_an_empty_place_is_unreadable(tmp_path: Path) -> None:
    """Nothing to audit is not a clean audit: exit code 2."""
    report = audit(tmp_path)
    assert (report.verdict, report.exit_code) == ("unreadable", 2)
    assert report.by_code == {"file_missing": 1}


def test_progress_is_told_for_every_stage(bundle: Path) -> None:
    """A display can show how far the audit is; the last word of each stage is all of it."""
    told: dict[str, tuple[int, int]] = {}

    def hear(stage: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        told[stage] = (done, total)

    audit_sources([MemorySource.of(bundle)], hear)
    assert told == {"reading": (53, 53), "folding": (53, 53), "summing": (1, 1)}
