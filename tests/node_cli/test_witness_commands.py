"""Witnesses over HTTP are named on the command line, and status says who is behind."""

from pathlib import Path

from node.vault import found_community
from node.writer.clock import system_clock
from protocol.identity.keys import SigningKey
from protocol.log.note import COSIGNATURE_V1, VerifierKey
from storage.engine import open_store
from storage.peers import Peer, save_peer

HOUR_MS = 3_600_000
VKEY = VerifierKey("witness.example/w1", COSIGNATURE_V1, SigningKey(b"w" * 32).public).vkey


def test_a_witness_over_http_is_adopted_and_listed(run, served):
    """By the key that its operator publishes; a wrong address is refused with a sentence."""
    refused = run("witness", "adopt", "--http", VKEY, "file:///etc/passwd", "--folder", served, "--json")
    assert refused.code == 1, refused
    adopted = run("witness", "adopt", "--http", VKEY, "https://witness.example", "--folder", served)
    assert adopted.code == 0, adopted.err
    listed = run("witness", "list", "--folder", served, "--json").answer
    assert [(each["vkey"], each["url"]) for each in listed["http_witnesses"]] == [
        (VKEY, "https://witness.example")
    ]
    assert listed["threshold"] == 1
    assert "1 of 1 suffice" in run("witness", "list", "--folder", served).out


def test_status_says_who_is_behind(run, serve, tmp_path: Path):
    """A community that is followed and was never heard of: how many records, since when, and that it is away."""
    folder = tmp_path / "old"
    found_community(
        folder,
        name={"en": "Green Market"},
        currency="EUR",
        words_language="en",
        now_ms=system_clock() - HOUR_MS,
        keep_kit=lambda kit: None,
    )
    serve(folder).stop()
    with open_store(folder) as store, store.write() as connection:
        save_peer(connection, Peer(b"\x05" * 32, "", (), "followed"))
    running = serve(folder)
    try:
        ran = run("status", "--folder", folder, "--json")
        (behind,) = ran.answer["node"]["behind"]
        assert behind["unseen"] >= 1
        assert behind["is_connected"] is False
        shown = run("status", "--folder", folder).out
        assert "Records not shown" in shown
        assert "never" in shown
    finally:
        running.stop()
