"""What a false or missing record comes to: findings with their rule, and what only waits."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from node.audit import audit_sources
from node.audit.state import SpillingState
from protocol.amounts.entries import AccountEntry
from protocol.audit.findings import Book, Check, Finding, Report
from protocol.audit.sums import add_up
from protocol.dict_state import DictState
from protocol.encoding import encode
from protocol.identity.keys import to_base32
from protocol.lanes.charter.identity import LaneStatement
from protocol.lanes.kind import CHARTER, LEDGER, TRADE
from protocol.log.merkle import leaf_hash
from tests.bundles import MemorySource, write_villages
from tests.market_day import false_posting, market_day, sell
from tests.village import MARKET, Village, Villager, fold_all, object_id


@pytest.fixture
def villages() -> tuple[Village, Village]:
    return market_day()


def audit(tmp_path: Path, *villages: Village) -> Report:
    return audit_sources([MemorySource.of(write_villages(tmp_path, *villages))])


def only(report: Report) -> Finding:
    assert len(report.findings) == 1, report.by_code
    return report.findings[0]


def check(report: Report, name: str) -> Check:
    return next(each for each in report.checks if each.name == name)


def test_a_false_share_under_a_valid_checkpoint_is_named_by_the_split_rule(
    tmp_path: Path, villages: tuple[Village, Village]
) -> None:
    """Signed, well-formed, balanced, and one euro short: lane, index, record id, rule and both amounts."""
    shop, home = villages
    posted = false_posting(shop, home)
    report = audit(tmp_path, shop, home)
    finding = only(report)
    assert report.exit_code == 1
    assert (finding.code, finding.rule) == ("posting_mismatch", "12.6")
    assert finding.detail == "due is -150, the split gives -250"
    assert (finding.place.community, finding.place.lane, finding.place.epoch, finding.place.index) == (
        to_base32(shop.community),
        LEDGER,
        0,
        posted.index,
    )
    assert finding.place.record_id == to_base32(posted.record_id)
    assert (check(report, "postings").passed, check(report, "postings").failed) == (6, 1)
    assert report.awaited.count == 2


def test_an_unbalanced_posting_is_void_too(tmp_path: Path, villages: tuple[Village, Village]) -> None:
    """Entries that do not sum to zero have a code of their own."""
    shop, home = villages
    completed = sell(shop, home, "sixth")
    shop.post(completed, home, entries=[AccountEntry("collected", 10_700), AccountEntry("due", -250)])
    assert only(audit(tmp_path, shop, home)).code == "posting_unbalanced"


def test_a_missing_mirror_is_awaited_and_no_finding(
    tmp_path: Path, villages: tuple[Village, Village]
) -> None:
    """One side has posted, the other not yet: counted and listed, the dues that do mirror still cancel out."""
    shop, home = villages
    completed = sell(shop, home, "sixth")
    shop.post(completed, home)
    report = audit(tmp_path, shop, home)
    assert report.verdict == "clean"
    assert report.awaited.count == 1
    assert report.awaited.listed[0].party == to_base32(home.community)
    assert report.awaited.listed[0].place.index == completed.index
    assert check(report, "dues") == Check(name="dues", passed=1, failed=0, not_opened=0)
    owed = {each.community: each.owed[0].amount_minor for each in report.communities}
    assert owed[to_base32(shop.community)] != -owed[to_base32(home.community)]


def test_a_mirror_that_was_passed_over_is_a_finding(
    tmp_path: Path, villages: tuple[Village, Village]
) -> None:
    """The buyer's side has posted for a later move of the same lane: the one before is overdue."""
    shop, home = villages
    skipped = sell(shop, home, "sixth")
    shop.post(skipped, home)
    later = sell(shop, home, "seventh")
    shop.post(later, home)
    home.post(later, shop)
    report = audit(tmp_path, shop, home)
    assert (only(report).code, only(report).rule) == ("posting_overdue", "14.4")
    assert str(skipped.index) in only(report).detail
    assert report.awaited.count == 0


def test_a_false_statement_of_a_lane_is_named(tmp_path: Path, villages: tuple[Village, Village]) -> None:
    """The charter's word on the root of a lane is compared with the lane; of a longer one it is not opened."""
    shop, home = villages
    body = {"lane": TRADE, "size": 3, "root": bytes(32)}
    stated = shop.say(CHARTER, "lanes.stated", lanes=[LaneStatement(**body)])
    finding = only(audit(tmp_path / "false", shop, home))
    assert (finding.code, finding.place.lane, finding.place.index) == (
        "statement_mismatch",
        CHARTER,
        stated.index,
    )
    shop.entries[CHARTER].pop()
    shop.say(CHARTER, "lanes.stated", lanes=[LaneStatement(**{**body, "size": 999})])
    report = audit(tmp_path / "longer", shop, home)
    assert report.verdict == "clean"
    assert check(report, "statements").not_opened == 1


def test_garbage_under_a_valid_root_is_void_with_its_place(
    tmp_path: Path, villages: tuple[Village, Village]
) -> None:
    """Each entry of garbage is one finding, and everything else stands as without it."""
    shop, home = villages
    before = audit(tmp_path / "before", shop, home)
    garbage = [b"", b"\xc1", b"\x97" * 100, bytes(60_001), b"\x93\x01\xa1a\x00"]
    places = [shop.append(TRADE, raw) for raw in garbage]
    report = audit(tmp_path / "after", shop, home)
    found = {(finding.place.index, finding.place.record_id) for finding in report.findings}
    assert found == {
        (place.index, to_base32(leaf_hash(raw))) for place, raw in zip(places, garbage, strict=True)
    }
    assert {finding.rule for finding in report.findings} <= {"2.3", "8.2"}
    for now, then in zip(report.communities, before.communities, strict=True):
        assert (now.orders_sold, now.shares, now.owed) == (then.orders_sold, then.shares, then.owed)


def test_findings_beyond_the_bound_are_counted(tmp_path: Path, villages: tuple[Village, Village]) -> None:
    """A hundred of each code are listed, all are counted."""
    shop, home = villages
    for number in range(250):
        shop.append(TRADE, b"\xc1%d" % number)
    report = audit(tmp_path, shop, home)
    assert report.by_code == {"encoding_malformed": 250}
    assert len(report.findings) == 100


def test_unknown_kinds_are_counted_and_no_finding(tmp_path: Path, villages: tuple[Village, Village]) -> None:
    """A record of a newer version is shown, never counted as anything."""
    shop, home = villages
    shop.append(TRADE, encode([1, "dragon.tamed", shop.now_ms, len(shop.entries[CHARTER]), None, {}, None]))
    report = audit(tmp_path, shop, home)
    assert report.verdict == "clean"
    assert report.unknown_kinds == {"dragon.tamed": 1}
    assert check(report, "records").not_opened == 1


def test_member_signatures_are_counted_apart(tmp_path: Path, villages: tuple[Village, Village]) -> None:
    """A member's own word with a good signature, and one whose signature is of something else."""
    shop, home = villages
    ann = Villager("ann")
    shop.admit(ann)
    body = {"shop_id": object_id("ann's"), "name": {"en": "Ann"}}
    shop.say_as(ann, MARKET, "shop.published", **body)
    shop.now_ms += 1
    shop.append(MARKET, ann.record(shop, MARKET, "shop.published", signed={"lane": TRADE}, **body))
    report = audit(tmp_path, shop, home)
    assert only(report).code == "author_signature"
    assert check(report, "member_signatures") == Check(
        name="member_signatures", passed=1, failed=1, not_opened=0
    )


def test_a_lane_ahead_of_its_charter_waits(tmp_path: Path, villages: tuple[Village, Village]) -> None:
    """A copy of the charter that ends too early: the rest of the lanes waits for it, and nothing is void."""
    shop, home = villages
    bundle = write_villages(tmp_path, shop, home, cut={("shop", CHARTER): 1})
    report = audit_sources([MemorySource.of(bundle)])
    assert report.verdict == "clean"
    waiting = [
        waits for waits in report.pending.listed if waits.waits_for and waits.waits_for.lane == CHARTER
    ]
    assert {(waits.place.lane, waits.place.index) for waits in waiting} == {
        (MARKET, 0),
        (TRADE, 0),
        (LEDGER, 0),
    }
    assert report.pending.count > 20


def found_by_sums(villages: tuple[Village, Village], alter: Callable[[DictState], None]) -> dict[str, int]:
    """What adding up finds in a state that a broken fold might have made."""
    folded = fold_all(*villages)[0]
    alter(folded)
    book = Book()
    with SpillingState() as state:
        for (table, key), value in folded.rows.items():
            state.put(table, key, value)
        add_up(state, book)
    return book.by_code


def test_sums_are_checked_without_the_rules_of_the_fold(villages: tuple[Village, Village]) -> None:
    """Shares, balances and dues are each found out, by sums alone."""
    shop = villages[0]
    assert found_by_sums(villages, lambda _: None) == {}

    def raise_a_due(state: DictState) -> None:
        key = next(key for table, key in state.rows if table == "posting" and key[0] == shop.community)
        posting = state.get("posting", key)
        lines = tuple(
            AccountEntry(line.account, line.amount_minor + (line.account == "due"))
            for line in posting.entries
        )
        state.put("posting", key, msgspec.structs.replace(posting, entries=lines))

    def lose_shares(state: DictState) -> None:
        moves = (key for (table, key), move in state.rows.items() if table == "move" and move.allocations)
        state.remove("move", next(moves))

    def lose_a_balance(state: DictState) -> None:
        state.remove("account", (shop.community, "EUR", "share/tax", b""))

    assert found_by_sums(villages, raise_a_due) == {
        "posting_unbalanced": 1,
        "balance_mismatch": 1,
        "due_unmirrored": 1,
    }
    assert found_by_sums(villages, lose_shares) == {"posting_unshared": 1}
    assert found_by_sums(villages, lose_a_balance) == {"balance_mismatch": 1}
