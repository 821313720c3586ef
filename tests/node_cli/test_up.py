"""`wildgrass up` as a process: from an empty folder to a node that answers, and back down."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from node.files import KIT_FILE
from node.operations.lifecycle import RUNNING_FILE, running_node
from node.vault import entropy_of_words, open_vault

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 20  # generous on a busy machine: what is measured is that it ends by itself, not when
QUIET = ("--mdns", "off", "--log-level", "error")
ANY_PORTS = ("--listen-http", "127.0.0.1:0", "--listen-federation", "127.0.0.1:0")


def start(folder: Path, *arguments: object, ports: tuple[str, ...] = ANY_PORTS) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "node.cli", "up", "--folder", str(folder), *QUIET, *ports]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@contextmanager
def running(folder: Path, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], dict]]:
    """A started node and what it said of itself; stopped at the end, however the block ends."""
    with start(folder, "--json", *arguments) as process:
        try:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield process, json.loads(line)
        finally:
            if process.poll() is None:
                process.kill()


def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    process.send_signal(number)
    return process.wait(STOP_SECONDS)


def get(address: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(address, timeout=STOP_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_an_empty_folder_becomes_a_node_that_answers_and_stops_when_told(run, tmp_path):
    """Keys, genesis, kit, store, sockets: one command makes all of it; a signal ends it and leaves it whole."""
    folder = tmp_path / "node"
    with running(folder, "--name-en", "Green Market") as (process, said):
        assert said["running"] is True
        assert get(said["http"], "/healthz")[0] == 200
        assert json.loads(get(said["http"], "/readyz")[1]) == {"ready": True, "checks": {"writing": None}}
        document = json.loads(get(said["http"], "/api/v1/openapi.json")[1])
        assert "/lanes/index" in document["paths"]
        assert get(said["http"], "/metrics")[0] == 401
        status = run("status", "--folder", folder, "--json").answer
        assert status["node"]["name"] == {"en": "Green Market"}
        assert status["settings"]["mdns"] == {"value": False, "origin": "flag"}
        again = run("up", "--folder", folder, "--json")
        assert (again.code, again.answer["already"], again.answer["pid"]) == (0, True, process.pid)
        assert stop(process) == 0
        assert process.stderr.read() == ""
    assert not (folder / RUNNING_FILE).exists()
    assert open_vault(folder).community_text == said["community"]


def test_the_emergency_kit_of_an_unattended_start_waits_in_the_folder_and_is_spoken_of(run, tmp_path):
    """Words must not end in a journal; the status says that the file has to go."""
    folder = tmp_path / "node"
    with running(folder) as (process, said):
        kit = folder / KIT_FILE
        assert kit.stat().st_mode & 0o777 == 0o600
        numbered = kit.read_text("utf-8").split("Recovery words:")[1].split("They bring")[0]
        words = [word for word in numbered.split() if not word.rstrip(".").isdigit()]
        assert len(entropy_of_words(" ".join(words))) == 16
        assert not set(words) & set(json.dumps(said).split())
        assert str(kit) in run("status", "--folder", folder).out
        kit.unlink()
        assert run("status", "--folder", folder, "--json").answer["kit_file"] is None
        assert stop(process, signal.SIGINT) == 0


def test_a_killed_node_starts_again_as_the_same_community(tmp_path):
    """kill -9 leaves a file and a lock behind that keep nobody out, and no second genesis comes."""
    folder = tmp_path / "node"
    communities = []
    for _ in range(2):
        with running(folder) as (process, said):
            communities.append(said["community"])
            process.kill()
            process.wait()
        assert (folder / RUNNING_FILE).exists()
        assert running_node(folder) is None
    assert communities[0] == communities[1]


def test_a_busy_port_moves_on_and_says_so(tmp_path):
    """A shop owner reads which port it is now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 21_470))
        taken.listen()
        ports = ("--listen-http", "127.0.0.1:21470", "--listen-federation", "127.0.0.1:0")
        with start(tmp_path / "node", "--no-qr", ports=ports) as process:
            try:
                shown = []
                while not shown or "Stop it with Ctrl-C" not in shown[-1]:
                    shown.append(process.stdout.readline())
                    assert shown[-1], process.stderr.read()
                assert "Port 21470 is in use; 21472 was taken instead.\n" in shown
                assert any("http://127.0.0.1:21472" in line for line in shown)
                assert stop(process) == 0
            finally:
                if process.poll() is None:
                    process.kill()


def test_two_nodes_on_one_folder_are_never(tmp_path):
    """Started at the same moment, one runs and the other shows it, or says that one is starting."""
    folder = tmp_path / "node"
    with start(folder, "--json") as one, start(folder, "--json") as other:
        try:
            lines = [one.stdout.readline(), other.stdout.readline()]
            answers = [json.loads(line) for line in lines if line]
            started = [answer for answer in answers if answer.get("already") is False]
            assert len(started) == 1, lines
            others = [answer for answer in answers if answer not in started]
            assert all(
                answer.get("already") or answer["error"]["code"] == "node_running" for answer in others
            )
        finally:
            for process in (one, other):
                if process.poll() is None:
                    process.terminate()
                process.wait(STOP_SECONDS)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--database-url", "mysql://localhost/shop"], "storage_url_wrong"),
        (["--database-url", "postgresql://127.0.0.1:1/shop"], "storage_unreachable"),
        (["--listen-http", "192.0.2.1:8470"], "address_refused"),
        (["--peers", "nonsense"], "setting_refused"),
    ],
)
def test_what_keeps_a_node_from_starting_is_a_sentence(tmp_path, arguments, code):
    """Exit code 4, cause and next step, and no password, no traceback, nothing that looks running."""
    folder = tmp_path / "node"
    with start(folder, "--json", *arguments) as process:
        out, err = process.communicate(timeout=STOP_SECONDS)
    assert process.returncode == 4, out + err
    assert json.loads(out.splitlines()[-1])["error"]["code"] == code
    assert "Traceback" not in err
    assert running_node(folder) is None
    assert not (folder / RUNNING_FILE).exists()


def test_a_folder_from_a_newer_version_is_left_as_it_is(tmp_path):
    """The sentence names the remedy, and not a byte changes."""
    folder = tmp_path / "node"
    with running(folder) as (process, _):
        assert stop(process) == 0
    with closing(sqlite3.connect(folder / "wildgrass.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    before = (folder / "wildgrass.db").read_bytes()
    with start(folder, "--json") as second:
        out, err = second.communicate(timeout=STOP_SECONDS)
    assert second.returncode == 4, out + err
    assert json.loads(out.splitlines()[-1])["error"]["code"] == "storage_newer_version"
    assert (folder / "wildgrass.db").read_bytes() == before


def test_the_printed_address_leads_to_the_node_from_this_machine(tmp_path):
    """Whatever network the machine is in, a public one too, its steward gets in by the address that is shown."""
    folder = tmp_path / "node"
    ports = ("--listen-http", "0.0.0.0:0", "--listen-federation", "127.0.0.1:0")
    with start(folder, "--json", ports=ports) as process:
        try:
            said = json.loads(process.stdout.readline())
            assert get(said["url"].removeprefix("http://").rstrip("/"), "/healthz")[0] == 200
            assert stop(process) == 0
        finally:
            if process.poll() is None:
                process.kill()
