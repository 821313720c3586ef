"""One process a folder, a file that says where it listens, ports that move on, and a quick stop."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from node.config import Listen
from node.errors import NodeError
from node.operations.lifecycle import (
    RUNNING_FILE,
    RunningNode,
    claim_folder,
    forget_running,
    lan_addresses,
    listen,
    local_address,
    note_running,
    reachable_address,
    running_node,
)
from node.operations.stopping import stop_on_signal

RUNNING = RunningNode(
    pid=1,
    http="127.0.0.1:8470",
    federation="127.0.0.1:8471",
    url="http://10.0.0.5:8470",
    address="10.0.0.5:8471",
    community="c",
    name={"en": "C"},
    started_ms=5,
    settings={"mdns": {"value": True, "origin": "default"}},
)


def other_process(code: str, *arguments: object) -> subprocess.Popen[str]:
    script = textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


HOLD = """
    import sys
    from pathlib import Path
    from node.operations.lifecycle import RunningNode, claim_folder, note_running
    with claim_folder(Path(sys.argv[1])):
        note_running(Path(sys.argv[1]), RunningNode(
            pid=77, http="127.0.0.1:1", federation="x", url="u", address="a", community="c", name={},
            started_ms=1, settings={}))
        print("held", flush=True)
        sys.stdin.readline()
"""


def test_a_folder_is_held_by_one_process_and_let_go_however_that_ends(tmp_path):
    """A killed node leaves node.json behind, and is not taken for a running one."""
    with other_process(HOLD, tmp_path) as holder:
        assert holder.stdout.readline() == "held\n"
        running = running_node(tmp_path)
        assert running is not None
        assert running.pid == 77
        with pytest.raises(NodeError) as refused, claim_folder(tmp_path):
            pass
        assert refused.value.code == "node_running"
        assert "77" in refused.value.detail
        holder.kill()
        holder.wait()
    assert (tmp_path / RUNNING_FILE).exists()
    assert running_node(tmp_path) is None
    with claim_folder(tmp_path):
        pass


def test_what_runs_is_found_by_its_file_and_forgotten_when_it_stops(tmp_path):
    """A damaged file and a missing folder are no running node."""
    assert running_node(tmp_path / "none") is None
    with other_process(HOLD, tmp_path) as holder:
        assert holder.stdout.readline() == "held\n"
        note_running(tmp_path, RUNNING)
        assert running_node(tmp_path) == RUNNING
        (tmp_path / RUNNING_FILE).write_bytes(b"{")
        assert running_node(tmp_path) is None
        forget_running(tmp_path)
        forget_running(tmp_path)
        holder.communicate("\n")


def test_a_reader_of_the_file_does_not_keep_a_node_from_starting(tmp_path):
    """Looking takes a lock for a moment; claiming waits that long."""
    with claim_folder(tmp_path):
        pass
    for _ in range(20):
        assert running_node(tmp_path) is None
        with claim_folder(tmp_path):
            pass


def test_a_busy_port_moves_on_by_two_and_says_so():
    """HTTP stays on even ports and federation on odd ones beside it."""
    with listen(Listen("127.0.0.1", 18470)).socket as first:
        second = listen(Listen("127.0.0.1", 18470))
        with second.socket:
            assert first.getsockname()[1] == 18470
            assert second.bound.port == 18472
            assert second.has_moved


def test_port_zero_lets_the_system_choose():
    """For tests and demos; that is no move."""
    opened = listen(Listen("127.0.0.1", 0))
    with opened.socket:
        assert opened.bound.port > 0
        assert not opened.has_moved


def test_when_every_port_is_busy_the_range_is_told():
    """No port beyond 32767 is taken: those belong to outgoing connections."""
    with socket.socket() as last:
        last.bind(("127.0.0.1", 32767))
        last.listen()
        with pytest.raises(NodeError) as refused:
            listen(Listen("127.0.0.1", 32767))
    assert (refused.value.code, refused.value.detail) == ("port_busy", "32767…32767")


def test_an_address_of_another_machine_is_refused():
    """The sentence says what to give instead."""
    with pytest.raises(NodeError) as refused:
        listen(Listen("192.0.2.1", 8470))
    assert refused.value.code == "address_refused"


def test_addresses_for_this_machine_and_for_the_network():
    """What is printed leads somewhere: the LAN address where there is one, never 0.0.0.0."""
    assert local_address(Listen("0.0.0.0", 8470)) == "127.0.0.1:8470"
    assert local_address(Listen("::", 8470)) == "[::1]:8470"
    assert local_address(Listen("10.0.0.5", 8470)) == "10.0.0.5:8470"
    everywhere = reachable_address(Listen("0.0.0.0", 8470))
    assert everywhere.rpartition(":")[0] in {*lan_addresses(), "127.0.0.1"}
    assert reachable_address(Listen("127.0.0.1", 8470)) == "127.0.0.1:8470"
    assert RUNNING.http_place == ("127.0.0.1", 8470)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_asks_to_stop_and_leaves_no_handler_behind(number):
    """The first one is an event; the second would end the process as usual."""
    before = signal.getsignal(number)
    with stop_on_signal() as stopping:
        os.kill(os.getpid(), number)
        await stopping.wait()
    assert signal.getsignal(number) in (before, signal.default_int_handler, signal.SIG_DFL)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody can write to")
def test_a_folder_that_cannot_be_made_is_a_sentence():
    """A file in the way, or a file system that takes nothing."""
    with pytest.raises(NodeError) as refused, claim_folder(Path(__file__)):
        pass
    assert refused.value.code == "folder_unusable"
    with pytest.raises((NodeError, OSError)), claim_folder(Path("/proc/wildgrass")):
        pass
