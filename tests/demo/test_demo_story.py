"""The one story end to end: real processes found, trade, share, refund and are audited, as a shop owner would."""

import json
import os
import signal
from collections import Counter
from pathlib import Path

from node.audit import open_source
from protocol.audit.bundle import INDEX_PATH, lane_folder, parse_index
from protocol.lanes import BODY_TYPES
from protocol.lanes.kind import LEDGER, TRADE
from protocol.limits import BUNDLE_BYTES_MAX, INDEX_BYTES_MAX
from protocol.log.merkle import leaf_hash
from protocol.log.record import decode_record
from protocol.log.tiles import entry_bundle_path, unpack_entries
from tests.demo.demo_process import demo, is_alive, read_until, running_pids

SUMMARY = ["communities", "listings", "orders", "records", "replicated", "audit", "seconds"]
STARTED = "Their nodes start"
MOVES = {  # of all three communities; 27 orders are completed, one of them within one community
    "order.placed": 31,
    "order.accepted": 29,
    "order.rejected": 2,
    "cancellation.requested": 2,
    "cancellation.refused": 1,
    "order.cancelled": 1,
    "order.fulfilled": 27,
    "order.received": 27,
    "order.completed": 27,
    "order.refunded": 2,
    "posting.made": 2 * 26 + 1 + 2 * 2,
}


def kinds_in(bundle: Path) -> Counter[str]:
    """Count the records of trade and ledger by kind, after checking how the two cancellations crossed."""
    with open_source(str(bundle)) as source:
        index = parse_index(source.read(INDEX_PATH, INDEX_BYTES_MAX) or b"")
        raws = [
            raw
            for origin, size in index.items()
            if origin.lane in (TRADE, LEDGER)
            for raw in unpack_entries(
                source.read(f"{lane_folder(origin)}/{entry_bundle_path(0, size)}", BUNDLE_BYTES_MAX) or b"",
                size,
            )
        ]
    records = [decode_record(raw, BODY_TYPES) for raw in raws]
    requests = {
        leaf_hash(raw) for raw in raws if decode_record(raw, BODY_TYPES).kind == "cancellation.requested"
    }
    taken_by = Counter(
        record.kind
        for record in records
        for reference in getattr(record.body, "takes", ())
        if reference.record_id in requests
    )
    assert taken_by == {"order.cancelled": 1, "cancellation.refused": 1}  # and by no acceptance
    return Counter(record.kind for record in records if record.kind != "lane.opened")


def test_three_communities_trade_and_a_fourth_process_finds_all_of_it_right(tmp_path: Path) -> None:
    """Every record is on every node, the audit is clean, and the user's own node and disk are as before."""
    with demo(tmp_path, "--json", "--keep-bundles", str(tmp_path / "bundles")) as process:
        output, said = process.communicate()
    assert process.returncode == 0, said
    told = json.loads(output.splitlines()[-1])
    assert list(told) == SUMMARY
    assert (told["communities"], told["audit"]) == (3, "clean")
    assert told["listings"] >= 60
    assert 28 <= told["orders"] <= 32
    assert told["records"] == told["replicated"] > 300
    assert sorted(path.name for path in (tmp_path / "bundles").iterdir()) == [
        "north-ferry.tar.gz",
        "stonebridge-lane.tar.gz",
        "willow-creek.tar.gz",
    ]
    assert kinds_in(tmp_path / "bundles" / "willow-creek.tar.gz") == MOVES
    assert not (tmp_path / "real").exists()
    assert not list((tmp_path / "temp").iterdir())


def test_the_audit_names_a_flipped_byte_by_its_tile_and_a_lie_by_the_split_rule(tmp_path: Path) -> None:
    """Exit code 1; both are in the words for people, each with place, file and rule, and nothing else is."""
    with demo(tmp_path, "--sabotage") as process:
        output, said = process.communicate()
    assert process.returncode == 1, said
    findings = [line.strip() for line in output.splitlines() if ", PROTOCOL.md " in line]
    assert findings == [
        "tile_damaged, PROTOCOL.md 6.2",
        "entries_damaged, PROTOCOL.md 6.5",
        "posting_mismatch, PROTOCOL.md 12.6",
    ]
    assert "/0/trade/tile/0/000.p/" in output
    assert "Fox Corner, ledger" in output
    assert "North Ferry Co-operative owes" in output or "owes North Ferry Co-operative" in output


def test_ctrl_c_leaves_no_process_and_no_folder_behind(tmp_path: Path) -> None:
    """The signal comes while three nodes run and the story goes on."""
    with demo(tmp_path) as process:
        assert STARTED in read_until(process, STARTED)
        pids = running_pids(next((tmp_path / "temp").iterdir()))
        assert len(pids) == 3
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
    assert not [pid for pid in pids if is_alive(pid)]
    assert not list((tmp_path / "temp").iterdir())


def test_a_node_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    """One is killed: the demo ends with the cause and its log, and takes the others with it."""
    folder = tmp_path / "village"
    with demo(tmp_path, "--folder", str(folder)) as process:
        assert STARTED in read_until(process, STARTED)
        pids = running_pids(folder)
        os.kill(pids[0], signal.SIGKILL)
        _, said = process.communicate()
    assert process.returncode == 4
    assert "A node of the demo ended by itself" in said
    assert "north-ferry, exit code -9" in said
    assert '"running":true' in said  # the last lines of its log
    assert not [pid for pid in pids if is_alive(pid)]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    """The demo writes into new or empty folders only; what stands there is not touched."""
    (tmp_path / "letters").write_text("dear")
    with demo(tmp_path, "--folder", str(tmp_path), "--json") as process:
        output, _ = process.communicate()
    assert process.returncode == 4
    assert json.loads(output.splitlines()[-1])["error"]["code"] == "demo_folder_used"
    assert (tmp_path / "letters").read_text() == "dear"
