"""The vault keeps keys at rest, and a stolen disk gives none of them away."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.api_token import TOKEN_FILE
from node.errors import NodeError
from node.vault import Kit, entropy_of_words, found_community, has_vault, kit_text, open_vault
from node.vault.kit import words_of_entropy
from node.vault.vault import FORMAT_FILE, GENESIS_FILE, KEY_BOX_FILE, KEYS_FOLDER
from protocol.errors import AmountError, IdentityError, RecordVoid
from protocol.identity.genesis import verify_genesis
from protocol.identity.key_box import open_key_box
from protocol.identity.keys import SigningKey, log_key_hash, to_base32
from protocol.identity.recovery import derive_recovery_seeds
from protocol.limits import KEY_BOX_BYTES_MAX

NOW_MS = 1_790_000_000_000


def found(folder: Path, **changed) -> Kit:
    given_fields = {
        "name": {"en": "Green Market", "zh-Hans": "青市"},
        "currency": "EUR",
        "words_language": "en",
        "now_ms": NOW_MS,
        "keep_kit": lambda kit: None,
    }
    return found_community(folder, **{**given_fields, **changed})


def test_a_founded_community_opens_with_the_keys_of_its_genesis(tmp_path):
    """What was founded is what opens, and the genesis proves every key."""
    kit = found(tmp_path / "node")
    vault = open_vault(tmp_path / "node")
    verify_genesis(vault.genesis)
    assert vault.community == kit.community
    assert vault.log_keys[0].public == vault.genesis.log_key
    assert SigningKey(vault.transport_seed).public == vault.transport.public
    assert vault.genesis.name == kit.name
    assert len(vault.api_token) == 52


def test_the_kit_gives_what_the_genesis_committed_to_and_none_of_it_stays(tmp_path):
    """Recovery key and next log key come from the words alone; no file of the node holds them."""
    kit = found(tmp_path)
    genesis = open_vault(tmp_path).genesis
    seeds = derive_recovery_seeds(entropy_of_words(kit.words), next_epoch=1)
    assert genesis.recovery_keys == (SigningKey(seeds.recovery).public,)
    assert genesis.next_log_key_hash == log_key_hash(SigningKey(seeds.next_log).public)
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in (seeds.recovery, seeds.next_log, seeds.key_box, entropy_of_words(kit.words)):
        assert secret not in everything
        assert to_base32(secret).encode() not in everything
    assert kit.words.encode() not in everything


def test_the_key_box_opens_with_the_words_and_with_nothing_else(tmp_path):
    """A peer that keeps the box learns nothing; another community's box or an altered one does not open."""
    kit, other = found(tmp_path / "a"), found(tmp_path / "b")
    box = (tmp_path / "a" / KEYS_FOLDER / KEY_BOX_FILE).read_bytes()
    key = derive_recovery_seeds(entropy_of_words(kit.words), next_epoch=1).key_box
    keys = open_key_box(box, key=key, community=kit.community)
    assert SigningKey(keys.log).public == open_vault(tmp_path / "a").log_keys[0].public
    assert keys.log not in box
    other_key = derive_recovery_seeds(entropy_of_words(other.words), next_epoch=1).key_box
    for bad_box, bad_key, community in [
        (box, other_key, kit.community),
        (box, key, other.community),
        (box[:-1], key, kit.community),
        (b"", key, kit.community),
        (bytes(KEY_BOX_BYTES_MAX + 1), key, kit.community),
        (bytes([box[0] ^ 1]) + box[1:], key, kit.community),
    ]:
        with pytest.raises(IdentityError) as refused:
            open_key_box(bad_box, key=bad_key, community=community)
        assert refused.value.code == "key_box_not_opened"


def test_every_secret_is_for_its_owner_alone(tmp_path):
    """Files 0600, folders 0700, whatever the umask says."""
    before = os.umask(0)
    try:
        found(tmp_path / "node")
    finally:
        os.umask(before)
    for path in (tmp_path / "node").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert (tmp_path / "node").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", [KEYS_FOLDER, f"{KEYS_FOLDER}/log-0.key"])
def test_wide_permissions_are_refused_with_the_command_that_mends_them(tmp_path, name):
    """A key that others can read is no key; the sentence says what to type."""
    found(tmp_path)
    path = tmp_path / name
    path.chmod(path.stat().st_mode | 0o040)
    with pytest.raises(NodeError) as refused:
        open_vault(tmp_path)
    assert refused.value.code == "vault_permissions"
    assert refused.value.detail == f"chmod {'700' if path.is_dir() else '600'} {path}"


def test_a_second_founding_changes_nothing(tmp_path):
    """Run twice, the second says so, and every byte stands."""
    found(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(NodeError) as refused:
        found(tmp_path)
    assert refused.value.code == "vault_exists"
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_nothing_is_made_before_the_kit_is_safe(tmp_path):
    """A printer that fails, a full disk for the kit file: no community whose words nobody has."""

    def refuse(kit: Kit) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        found(tmp_path, keep_kit=refuse)
    assert not has_vault(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_founding_that_was_killed_leaves_no_community_and_the_next_one_clears_up(tmp_path):
    """The folder of keys appears in one step; half-written keys of a killed start are removed."""
    (tmp_path / ".keys-0123").mkdir()
    (tmp_path / ".keys-0123" / "log-0.key").write_bytes(b"half")
    assert not has_vault(tmp_path)
    found(tmp_path)
    assert not (tmp_path / ".keys-0123").exists()
    open_vault(tmp_path)


def test_a_clock_of_1970_a_bad_name_and_an_unknown_currency_found_nothing(tmp_path):
    """The genesis can never be changed, so what goes into it is checked first."""
    for changed, error in [
        ({"now_ms": 1_000}, NodeError),
        ({"name": {}}, RecordVoid),
        ({"name": {"en": ""}}, RecordVoid),
        ({"name": {"en": "x" * 201}}, RecordVoid),
        ({"name": {"EN_us": "x"}}, RecordVoid),
        ({"currency": "XXX"}, AmountError),
    ]:
        with pytest.raises(error):
            found(tmp_path / "node", **changed)
        assert not has_vault(tmp_path / "node")


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("log-0.key", b"", "vault_damaged"),
        ("log-0.key", b"A" * 52, "vault_damaged"),
        ("log-0.key", b"a" * 52 + b"\n", "vault_damaged"),
        ("witness.key", b"\xff" * 52, "vault_damaged"),
        ("sealing.key", None, "vault_damaged"),
        (GENESIS_FILE, b"\x97", "vault_damaged"),
        (GENESIS_FILE, None, "vault_damaged"),
        (FORMAT_FILE, b"2\n", "vault_newer"),
    ],
)
def test_damaged_or_newer_keys_are_refused_by_name(tmp_path, name, content, code):
    """A node never starts with keys that are not those of its genesis."""
    found(tmp_path)
    path = tmp_path / KEYS_FOLDER / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(NodeError) as refused:
        open_vault(tmp_path)
    assert refused.value.code == code
    assert str(tmp_path) in refused.value.detail or "key" in refused.value.detail


def test_keys_of_two_communities_do_not_mix(tmp_path):
    """A key copied from elsewhere is found out before it signs anything."""
    found(tmp_path / "a")
    found(tmp_path / "b")
    for role in ("witness", "transport", "sealing", "log-0"):
        path = tmp_path / "a" / KEYS_FOLDER / f"{role}.key"
        own = path.read_bytes()
        path.write_bytes((tmp_path / "b" / KEYS_FOLDER / f"{role}.key").read_bytes())
        with pytest.raises(NodeError) as refused:
            open_vault(tmp_path / "a")
        assert refused.value.code == "vault_damaged"
        path.write_bytes(own)
    open_vault(tmp_path / "a")


def test_a_removed_token_is_made_anew_and_a_damaged_one_refused(tmp_path):
    """Deleting the file is how a steward revokes the token."""
    found(tmp_path)
    first = open_vault(tmp_path).api_token
    assert open_vault(tmp_path).api_token == first
    (tmp_path / TOKEN_FILE).unlink()
    assert open_vault(tmp_path).api_token != first
    (tmp_path / TOKEN_FILE).write_bytes(b"short")
    with pytest.raises(NodeError) as refused:
        open_vault(tmp_path)
    assert refused.value.code == "vault_damaged"


def test_nothing_secret_is_printed_by_accident(tmp_path):
    """Kit, vault and keys print as public ids: they may end in a log."""
    kit = found(tmp_path)
    vault = open_vault(tmp_path)
    printed = repr(kit) + repr(vault) + repr(vault.log_keys) + str(vault)
    assert kit.words.split()[0] not in printed.split()
    for secret in (vault.api_token, to_base32(vault.transport_seed)):
        assert secret not in printed


@settings(max_examples=60)
@given(st.sampled_from([16, 20, 24, 28, 32]).flatmap(lambda n: st.binary(min_size=n, max_size=n)))
def test_words_of_both_lists_lead_back_to_the_same_bytes(entropy):
    """However the paper was typed in: case, spaces, or Chinese without any."""
    english, chinese = words_of_entropy(entropy, "en"), words_of_entropy(entropy, "zh-Hans")
    assert entropy_of_words(english) == entropy
    assert entropy_of_words("  " + english.upper().replace(" ", "\n ")) == entropy
    assert entropy_of_words(chinese) == entropy
    assert entropy_of_words(chinese.replace(" ", "")) == entropy
    assert entropy_of_words(chinese.replace(" ", "\u3000")) == entropy


@pytest.mark.parametrize(
    "words",
    [
        "",
        "abandon",
        "abandon " * 12,
        "zzzz " * 12,
        "野" * 12,
        "的" * 12,
        "abandon 的 " * 6,
        "x" * 5000,
        "\x00" * 12,
    ],
)
def test_words_that_are_none_are_refused(words):
    """The checksum and the list catch slips before anything is derived from them."""
    with pytest.raises(NodeError) as refused:
        entropy_of_words(words)
    assert refused.value.code == "words_refused"


def test_the_page_to_print_holds_every_word_in_order_and_the_community(tmp_path):
    """The page is all that a founder has in ten years."""
    kit = found(tmp_path, words_language="zh-Hans")
    page = kit_text(kit, "en")
    numbered = [part for part in page.replace(".", " ").split() if part in kit.words.split()]
    assert numbered == kit.words.split()
    assert to_base32(kit.community) in page
    assert "青市" in page
