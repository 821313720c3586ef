"""What a community keeps for itself: sealed payloads, blobs, stock, peers, auditors, settings, notes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from storage.accounts import Auditor, admit_auditor, all_auditors, auditor_of, revoke_auditor
from storage.acknowledgements import acknowledging_peers, note_acknowledgement
from storage.blobs import Blob, blob, missing_blobs, put_blob, remove_blob
from storage.engine import DATABASE_FILE, Store, open_store
from storage.errors import LogForked, StorageError
from storage.evidence import add_evidence, evidence_about, evidence_after
from storage.peers import FOUND, Peer, all_peers, keep_place, peer_of, remove_peer, save_peer
from storage.sealed import (
    KeyWrap,
    erase_sealed,
    put_key_wrap,
    put_sealed,
    sealed,
    sealed_for,
)
from storage.settings import all_settings, put_setting, remove_setting, setting
from storage.stock import Stock, commit_stock, release_stock, set_on_hand, ship_stock, stock_of

COMMUNITY = bytes(32)


def test_a_sealed_payload_is_kept_with_its_readers_until_erased(store: Store) -> None:
    """Ciphertext and wraps come apart in any order; erasing takes both and nothing else."""
    with store.write() as connection:
        put_key_wrap(connection, b"one", KeyWrap(b"bo", b"old"))
        put_sealed(connection, b"one", b"ciphertext")
        put_sealed(connection, b"one", b"ciphertext")
        put_sealed(connection, b"two", b"other")
        put_key_wrap(connection, b"one", KeyWrap(b"bo", b"new"))
        put_key_wrap(connection, b"one", KeyWrap(b"al", b"w"))
        with pytest.raises(LogForked):
            put_sealed(connection, b"one", b"swapped")
    with store.read() as connection:
        assert sealed(connection, b"one") == b"ciphertext"
        assert sealed_for(connection, b"one", b"bo") == (b"ciphertext", b"new")
        assert sealed_for(connection, b"one", b"al") == (b"ciphertext", b"w")
        assert sealed_for(connection, b"one", b"cy") is None
        assert sealed_for(connection, b"two", b"bo") is None
    with store.write() as connection:
        assert erase_sealed(connection, b"one")
        assert not erase_sealed(connection, b"one")
        assert sealed(connection, b"one") is None
        put_sealed(connection, b"one", b"ciphertext")
        assert sealed_for(connection, b"one", b"bo") is None
        assert sealed(connection, b"two") == b"other"


def test_erased_bytes_are_gone_from_the_file(tmp_path: Path) -> None:
    """After the store is closed no page of the file holds what was erased."""
    secret = sha256(b"the buyer's address").digest() * 400
    with open_store(tmp_path) as store:
        with store.write() as connection:
            put_sealed(connection, b"one", secret)
            put_key_wrap(connection, b"one", KeyWrap(b"reader", secret[:80]))
        with store.write() as connection:
            erase_sealed(connection, b"one")
    assert secret[:32] not in (tmp_path / DATABASE_FILE).read_bytes()


def test_a_blob_is_found_by_its_hash(store: Store) -> None:
    """A blob is kept once, under the hash of its bytes."""
    with store.write() as connection:
        digest = put_blob(connection, "image/webp", b"picture")
        assert put_blob(connection, "image/png", b"picture") == digest == sha256(b"picture").digest()
        assert blob(connection, digest) == Blob("image/webp", b"picture")
        assert missing_blobs(connection, [b"x", digest, b"y"]) == [b"x", b"y"]
        assert missing_blobs(connection, []) == []
        remove_blob(connection, digest)
        remove_blob(connection, digest)
        assert blob(connection, digest) is None


def test_stock_never_goes_below_zero(store: Store) -> None:
    """Every move that would promise or ship what is not there is refused and changes nothing."""
    with store.write() as connection:
        with pytest.raises(StorageError) as error:
            commit_stock(connection, "apple", 1)
        assert error.value.code == "stock_unknown"
        set_on_hand(connection, "apple", 5)
        commit_stock(connection, "apple", 3)
        for move, steps, code in (
            (commit_stock, 3, "stock_short"),
            (release_stock, 4, "stock_release_beyond"),
            (ship_stock, 4, "stock_release_beyond"),
        ):
            with pytest.raises(StorageError) as error:
                move(connection, "apple", steps)
            assert error.value.code == code
            assert stock_of(connection, "apple") == Stock(5, 3)
        release_stock(connection, "apple", 1)
        ship_stock(connection, "apple", 2)
        assert stock_of(connection, "apple") == Stock(3, 0)
        commit_stock(connection, "apple", 3)
        set_on_hand(connection, "apple", 1)  # a recount finds fewer than promised
        assert stock_of(connection, "apple") == Stock(1, 3)
        assert Stock(1, 3).available == 0
        with pytest.raises(StorageError):
            commit_stock(connection, "apple", 1)
        assert stock_of(connection, "pear") is None


def test_nothing_is_sold_twice_at_any_concurrency(store: Store) -> None:
    """Ten buyers at once for seven pieces: seven get one, three are told there are none."""

    def buy(_: int) -> str:
        try:
            with store.write() as connection:
                commit_stock(connection, "lamp", 1)
        except StorageError as error:
            return error.code
        return "bought"

    with store.write() as connection:
        set_on_hand(connection, "lamp", 7)
    with ThreadPoolExecutor(10) as buyers:
        assert sorted(buyers.map(buy, range(10))) == ["bought"] * 7 + ["stock_short"] * 3
    with store.read() as connection:
        assert stock_of(connection, "lamp") == Stock(7, 7)


def test_peers_are_kept_with_what_we_know_of_their_heads(store: Store) -> None:
    """A peer is saved but for our place in its list, which moves alone and goes where anybody's trust changes."""
    first = Peer(COMMUNITY, "街角菜铺", ("direct 192.168.1.4:8471",), "followed")
    with store.write() as connection:
        save_peer(connection, first)
        save_peer(connection, Peer(b"\xff" * 32, "b", (), "seen", genesis=b"g"))
        keep_place(connection, COMMUNITY, instance=b"i" * 16, change_number=7, seen_ms=99)
        keep_place(connection, b"stranger", instance=b"i" * 16, change_number=7, seen_ms=99)
        moved = Peer(COMMUNITY, first.label, first.addresses, "followed", None, 99, b"i" * 16, 7)
        assert peer_of(connection, COMMUNITY) == moved
        assert [peer.label for peer in all_peers(connection)] == ["街角菜铺", "b"]
        save_peer(connection, replace(first, last_seen_ms=99))
        assert peer_of(connection, COMMUNITY) == moved
        save_peer(connection, Peer(b"\xfe" * 32, "met", (), FOUND))
        assert peer_of(connection, COMMUNITY) == moved
        save_peer(connection, Peer(b"\xfe" * 32, "met", (), "followed"))
        assert peer_of(connection, COMMUNITY) == Peer(
            COMMUNITY, first.label, first.addresses, "followed", None, 99
        )
        remove_peer(connection, COMMUNITY)
        assert peer_of(connection, COMMUNITY) is None


def test_an_auditor_reads_what_was_granted_until_it_ends(store: Store) -> None:
    """Scope, expiry and revocation are all part of whether a token opens a lane."""
    granted = Auditor(b"hash", "陈会计", ("trade", "ledger"), expires_ms=1000)
    with store.write() as connection:
        admit_auditor(connection, granted)
        admit_auditor(connection, Auditor(b"hash 2", "陈会计", ("trade",), 2000))
        assert auditor_of(connection, b"hash") == granted
        assert auditor_of(connection, b"guess") is None
        assert granted.may_read("trade", 999)
        assert not granted.may_read("trade", 1000)
        assert not granted.may_read("charter", 1)
        assert revoke_auditor(connection, "陈会计", 500) == 2
        assert revoke_auditor(connection, "陈会计", 600) == 0
        revoked = auditor_of(connection, b"hash")
        assert revoked is not None
        assert not revoked.may_read("trade", 600)
        assert [auditor.revoked_ms for auditor in all_auditors(connection)] == [500, 500]


def test_who_acknowledged_a_head_is_kept_once_and_not_asked_while_blocked(store: Store) -> None:
    """A blocked community could never answer, and would keep this node from signing for ever."""
    first, second = b"\x01" * 32, b"\x02" * 32
    with store.write() as connection:
        for peer in (first, second, first):
            note_acknowledgement(connection, peer, 5)
        assert acknowledging_peers(connection) == {first, second}
        save_peer(connection, Peer(second, "", (), "blocked"))
        assert acknowledging_peers(connection) == {first}
        note_acknowledgement(connection, second, 6)
        save_peer(connection, Peer(second, "", (), "found"))
        assert acknowledging_peers(connection) == {first, second}


def test_settings_and_notes_are_kept(store: Store) -> None:
    """Settings by name, and evidence once by its bytes."""
    with store.write() as connection:
        put_setting(connection, "language", "en")
        put_setting(connection, "language", "zh-Hans")
        put_setting(connection, "follow", "ask")
        assert all_settings(connection) == {"follow": "ask", "language": "zh-Hans"}
        remove_setting(connection, "follow")
        assert (setting(connection, "follow"), setting(connection, "language")) == (None, "zh-Hans")

        assert add_evidence(connection, COMMUNITY, 1, "successor", b"note")
        assert not add_evidence(connection, COMMUNITY, 1, "successor", b"note")
        assert add_evidence(connection, COMMUNITY, 0, "fork", b"two heads")
        assert add_evidence(connection, b"\x01" * 32, 0, "fork", b"two heads")
        assert [found.note for found in evidence_about(connection, COMMUNITY)] == [b"two heads", b"note"]
        assert [found.epoch for found in evidence_about(connection, COMMUNITY, "successor")] == [1]
        first, *rest = evidence_after(connection, 0)
        assert evidence_after(connection, first.number) == rest
