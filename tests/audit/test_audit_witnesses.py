"""Seen by n of m: what an audit, a receipt and its check say of the witnesses that a charter names."""

from pathlib import Path

import pytest

from node.audit import KnownKeys, audit_sources, make_receipt, render_report, render_verification, verify_file
from protocol.audit.bundle import checkpoint_path
from protocol.audit.findings import Head, Report
from protocol.audit.witnessed import SeenBy
from protocol.identity.keys import SigningKey
from protocol.lanes.charter.witnesses import HttpWitness, Witness
from protocol.lanes.kind import CHARTER, TRADE
from protocol.log.cosignature import make_cosignature
from protocol.log.note import ED25519, VerifierKey, format_note, parse_note
from protocol.log.origin import Origin, witness_name
from tests.bundles import MemorySource, write_villages
from tests.market_day import market_day
from tests.village import Village

NAME, KEY = "witness.example/w1", SigningKey(b"w" * 32)


@pytest.fixture
def villages() -> tuple[Village, Village]:
    """The shop names home, and a witness that is no community; both are to have seen a head."""
    shop, home = market_day()
    shop.say(
        CHARTER,
        "witnesses.adopted",
        witnesses=[Witness(community=home.community, witness_key=home.witness.public)],
        http_witnesses=[HttpWitness(name=NAME, witness_key=KEY.public, url="https://witness.example")],
        threshold=2,
    )
    return shop, home


def cosigned(source: MemorySource, origin: Origin, *witnesses: tuple[str, SigningKey]) -> MemorySource:
    path = checkpoint_path(origin)
    note = parse_note(source.files[path])
    lines = [make_cosignature(note.text, name=name, key=key, time_seconds=1) for name, key in witnesses]
    return source.with_file(path, format_note(note.with_signatures(*lines)))


def head_of(report: Report, lane: str, village: Village) -> Head:
    size = len(village.entries[lane])
    return next(head for head in report.cut if (head.lane, head.size) == (lane, size))


def test_an_audit_says_who_has_seen_each_lane(tmp_path: Path, villages: tuple[Village, Village]) -> None:
    """By the charter's keys, of communities or not; a lane that nobody cosigned was seen by none."""
    shop, home = villages
    source = MemorySource.of(write_villages(tmp_path / "one", shop, home))
    origin, size = Origin(shop.community, TRADE, 0), len(shop.entries[TRADE])
    by_home, by_both = (witness_name(home.community), home.witness), (NAME, KEY)
    for witnesses, witnessed_size in (((by_home,), 0), ((by_home, by_both), size)):
        report = audit_sources([cosigned(source, origin, *witnesses)])
        assert report.by_code == {}
        head = head_of(report, TRADE, shop)
        assert (head.witnesses, head.threshold, head.witnessed_size) == (2, 2, witnessed_size)
        assert head.seen_sizes == {name: size for name, _ in witnesses}
        assert head_of(report, CHARTER, shop).seen_sizes == {}
        assert head_of(report, CHARTER, home).witnesses == 0
        assert f"all {size} records seen by {len(witnesses)} of 2 witnesses" in render_report(report)
    stranger = audit_sources([cosigned(source, origin, (NAME, SigningKey(b"s" * 32)))])
    assert head_of(stranger, TRADE, shop).seen_sizes == {}


def test_cosignatures_of_a_smaller_head_count_up_to_its_size(
    tmp_path: Path, villages: tuple[Village, Village]
) -> None:
    """The largest copy has no cosignature, another one does: seen up to there. One of another history counts not."""
    shop, home = villages
    origin = Origin(shop.community, TRADE, 0)
    full = MemorySource.of(write_villages(tmp_path / "full", shop, home), "full")
    behind = MemorySource.of(
        write_villages(tmp_path / "behind", shop, home, cut={("shop", TRADE): 5}), "behind"
    )
    behind = cosigned(behind, origin, (NAME, KEY))
    assert head_of(audit_sources([full, behind]), TRADE, shop).seen_sizes == {NAME: 5}
    entries = shop.entries[TRADE]
    shop.entries[TRADE] = [*entries[:4], entries[0]]
    forked = MemorySource.of(write_villages(tmp_path / "forked", shop, home), "forked")
    shop.entries[TRADE] = entries
    forked = cosigned(forked, origin, (NAME, KEY))
    report = audit_sources([full, forked])
    assert report.by_code["lane_forked"] == 1
    assert head_of(report, TRADE, shop).seen_sizes == {}


def test_a_receipt_says_who_has_seen_its_record(tmp_path: Path, villages: tuple[Village, Village]) -> None:
    """Whoever has the charter learns it from the file; with a log key alone nothing is said of witnesses."""
    shop, home = villages
    origin = Origin(shop.community, TRADE, 0)
    source = MemorySource.of(write_villages(tmp_path / "one", shop, home))
    path = tmp_path / "order.tlog-proof"
    for witnesses, by in (((), 0), (((NAME, KEY),), 1)):
        shown = cosigned(source, origin, *witnesses)
        path.write_bytes(make_receipt(shown, origin, 3))
        found = verify_file(path, KnownKeys([shown]))
        assert (found.verdict, found.seen) == ("holds", SeenBy(by=by, of=2, threshold=2))
        assert f"Seen by {by} of 2 witnesses; 2 suffice." in render_verification(found)
        assert found.seen is not None
        assert not found.seen.is_witnessed
    vkey = VerifierKey(origin.text, ED25519, shop.log.public).vkey
    assert verify_file(path, KnownKeys(vkeys=[vkey])).seen is None
    damaged = shown.with_file(checkpoint_path(Origin(shop.community, CHARTER, 0)), None)
    assert verify_file(path, KnownKeys([damaged])).seen is None
    path.write_bytes(shown.files[checkpoint_path(origin)])
    assert verify_file(path, KnownKeys([shown])).seen == SeenBy(by=1, of=2, threshold=2)
