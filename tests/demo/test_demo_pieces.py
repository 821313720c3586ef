"""The parts of the demo by themselves: environment, ports, display, the flipped byte, the liar."""

import io
import socket
from contextlib import closing
from pathlib import Path

import pytest

from node.audit import audit_sources, open_source
from node.config.keys import PORT_MAX
from node.operations.demo.display import Display
from node.operations.demo.liar import LIE_INDEX, write_lying_community
from node.operations.demo.processes import environment
from node.operations.demo.sabotage import DATABASE_FILE, flip_one_byte
from node.operations.demo.summary import summary_lines
from node.operations.demo.village import PORT_MIN, free_ports
from protocol.lanes.kind import LEDGER, TRADE
from storage.engine import open_store
from storage.lanes import LaneStore
from tests.village import START_MS, seed


class Terminal(io.StringIO):
    """What a terminal shows in the end: a carriage return begins the line anew."""

    @property
    def shown(self) -> list[str]:
        return [line.rpartition("\x1b[K")[2].rstrip() for line in self.getvalue().split("\n")]


def test_nothing_of_the_users_own_settings_reaches_a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folder, database and guard of the real node stay out; the language may come along."""
    for name in ("FOLDER", "DATABASE_URL", "GUARD_URL_FILE", "PEERS"):
        monkeypatch.setenv(f"WILDGRASS_{name}", "real")
    monkeypatch.setenv("WILDGRASS_LANGUAGE", "zh-Hans")
    given = {name: value for name, value in environment().items() if name.startswith("WILDGRASS_")}
    assert given == {"WILDGRASS_LANGUAGE": "zh-Hans"}


def test_ports_are_free_ones_beside_the_real_nodes() -> None:
    """Below 32768, each once, and none on which somebody listens."""
    with closing(socket.create_server(("127.0.0.1", free_ports(1)[0]))) as busy:
        ports = free_ports(40)
        assert busy.getsockname()[1] not in ports
    assert len(set(ports)) == 40
    assert all(PORT_MIN <= port <= PORT_MAX for port in ports)


def test_a_terminal_shows_one_line_a_chapter_and_a_log_too() -> None:
    """What grew on the terminal is gone in the end; elsewhere nothing is drawn twice."""
    for is_terminal in (True, False):
        stream = Terminal()
        display = Display(stream, is_terminal=is_terminal)
        with display.chapter("sow", "They sow") as chapter:
            chapter.count(1, 2)
            chapter.note("in rows")
        assert [line[11:] if line else line for line in stream.shown] == ["They sow", "  in rows", ""]
        assert "1/2" not in "".join(stream.shown)
        assert list(display.seconds) == ["sow"]


def test_a_chapter_that_fails_leaves_no_half_line() -> None:
    """The refusal that follows begins at the margin."""
    stream = Terminal()
    with pytest.raises(KeyError), Display(stream, is_terminal=True).chapter("sow", "They sow"):
        raise KeyError
    assert stream.shown == [""]


def test_one_bit_of_one_stored_entry_changes_and_nothing_else(tmp_path: Path) -> None:
    """The entry keeps its length; its neighbours and the other lanes stay as they were."""
    entries = [seed(str(number)) for number in range(5)]
    with open_store(tmp_path) as store, store.write() as connection:
        lanes = LaneStore(connection)
        for lane in (TRADE, LEDGER):
            lanes.append(lanes.open_lane(seed("owner"), lane, 0), 0, entries)
    flipped = flip_one_byte(tmp_path / DATABASE_FILE, seed("owner"), lane=TRADE, index=3)
    with open_store(tmp_path) as store, store.read() as connection:
        lanes = LaneStore(connection)
        trade, ledger = (
            lanes.entries(lanes.lane_key(seed("owner"), lane, 0) or 0, 0, 5) for lane in (TRADE, LEDGER)
        )
    assert ledger == entries
    assert trade[:3] + trade[4:] == entries[:3] + entries[4:]
    differing = [place for place in range(32) if trade[3][place] != entries[3][place]]
    assert differing == [flipped.offset]
    assert (trade[3][flipped.offset] ^ entries[3][flipped.offset]).bit_count() == 1


def test_the_liar_is_right_in_everything_but_its_share(tmp_path: Path) -> None:
    """Keys, charter, order and checkpoints hold; the one finding is the posting, by the split rule."""
    liar = write_lying_community(tmp_path / "liar", now_ms=START_MS)
    with open_source(str(tmp_path / "liar")) as source:
        report = audit_sources([source])
    assert [(found.code, found.rule, found.place.community) for found in report.findings] == [
        ("posting_mismatch", "12.6", liar)
    ]
    assert (report.findings[0].place.lane, report.findings[0].place.index) == (LEDGER, LIE_INDEX)
    assert "".join(summary_lines(report, language="zh-Hans")).count("狐狸拐角") == 1
