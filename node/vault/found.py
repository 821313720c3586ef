"""Founds a community: draws its keys, proves them in a genesis, and puts them on the disk in one step."""

import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from node.api_token import TOKEN_FILE, make_token
from node.errors import NodeError
from node.files import FOLDER_MODE, make_folder, sync_folder, write_new, write_private
from node.vault.kit import ENTROPY_BYTES, Kit, words_of_entropy
from node.vault.vault import (
    FORMAT,
    FORMAT_FILE,
    GENESIS_FILE,
    KEY_BOX_FILE,
    KEYS_FOLDER,
    ROLES,
    has_vault,
    key_file,
    key_text,
)
from node.writer.clock import RELEASED_MS
from protocol.identity.genesis import make_genesis
from protocol.identity.key_box import NONCE_BYTES, LiveKeys, seal_key_box
from protocol.identity.keys import SEED_BYTES, SigningKey, log_key_hash
from protocol.identity.recovery import RecoverySeeds, derive_recovery_seeds
from protocol.log.merkle import leaf_hash
from protocol.log.record import encode_record

_UNFINISHED = ".keys-"


def found_community(
    folder: Path,
    *,
    name: Mapping[str, str],
    currency: str,
    words_language: str,
    now_ms: int,
    keep_kit: Callable[[Kit], None],
) -> Kit:
    """Make the keys and the genesis in `folder` and return the kit, which is shown once and not kept.

    `keep_kit` is called before the community exists, so that its words are safe first; when it raises,
    nothing was made. Raises `NodeError` (`vault_exists`, `clock_before_release`, the folder's own), and as
    `make_genesis` does for a name or currency that cannot be used. The caller holds the folder.
    """
    if now_ms < RELEASED_MS:
        raise NodeError("clock_before_release")
    make_folder(folder)
    if has_vault(folder):
        raise NodeError("vault_exists", str(folder))
    entropy = secrets.token_bytes(ENTROPY_BYTES)
    seeds = derive_recovery_seeds(entropy, next_epoch=1)
    keys = LiveKeys(epoch=0, **{role: secrets.token_bytes(SEED_BYTES) for role in ROLES})
    genesis_record = _genesis_record(keys, seeds, name=name, currency=currency, now_ms=now_ms)
    community = leaf_hash(genesis_record)
    kit = Kit(
        community=community,
        name=dict(name),
        words=words_of_entropy(entropy, words_language),
    )
    key_box = make_key_box(keys, seeds, community)
    keep_kit(kit)
    put_keys(folder, keys, genesis_record, key_box)
    return kit


def make_key_box(keys: LiveKeys, seeds: RecoverySeeds, community: bytes) -> bytes:
    """Return the box in which peers keep the keys (section 4.7)."""
    return seal_key_box(keys, key=seeds.key_box, community=community, nonce=secrets.token_bytes(NONCE_BYTES))


def put_keys(folder: Path, keys: LiveKeys, genesis_record: bytes, key_box: bytes) -> None:
    """Make the folder of keys, whole or not at all; the caller holds `folder`, which has none yet."""
    files = {
        FORMAT_FILE: FORMAT.encode(),
        GENESIS_FILE: genesis_record,
        KEY_BOX_FILE: key_box,
        **{key_file(role, keys.epoch): key_text(getattr(keys, role)) for role in ROLES},
    }
    _put_in_place(folder, files)


def _genesis_record(
    keys: LiveKeys, seeds: RecoverySeeds, *, name: Mapping[str, str], currency: str, now_ms: int
) -> bytes:
    sealing = X25519PrivateKey.from_private_bytes(keys.sealing).public_key().public_bytes_raw()
    genesis = make_genesis(
        name=dict(name),
        currency=currency,
        log=SigningKey(keys.log),
        witness=SigningKey(keys.witness),
        transport=SigningKey(keys.transport),
        sealing_key=sealing,
        next_log_key_hash=log_key_hash(SigningKey(seeds.next_log).public),
        recovery=[SigningKey(seeds.recovery)],
        recovery_threshold=1,
    )
    return encode_record("community.founded", genesis, time_ms=now_ms)


def _put_in_place(folder: Path, files: Mapping[str, bytes]) -> None:
    """The folder of keys appears under its name only when every file in it is on the disk."""
    for leftover in folder.glob(_UNFINISHED + "*"):
        shutil.rmtree(leftover)
    unfinished = folder / (_UNFINISHED + secrets.token_hex(8))
    unfinished.mkdir(mode=FOLDER_MODE)
    try:
        for name, content in files.items():
            write_new(unfinished / name, content)
        sync_folder(unfinished)
        write_private(folder / TOKEN_FILE, make_token().encode() + b"\n")
        unfinished.rename(folder / KEYS_FOLDER)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    sync_folder(folder)
