"""Opens the community's keys: whole, private to this user, and those that the genesis names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from node.api_token import read_token
from node.errors import NodeError
from node.files import check_private, write_private
from protocol.errors import IdentityError, ProtocolError
from protocol.identity.genesis import Genesis
from protocol.identity.key_box import LiveKeys
from protocol.identity.keys import SEED_BYTES, SigningKey, from_base32, to_base32
from protocol.identity.sealing import ReaderKey
from protocol.identity.successor import EpochKeys
from protocol.lanes import BODY_TYPES
from protocol.log.merkle import leaf_hash
from protocol.log.record import decode_record

KEYS_FOLDER = "keys"
GENESIS_FILE = "genesis.record"
KEY_BOX_FILE = "keybox.sealed"
FORMAT_FILE = "format"
FORMAT = "1\n"
ROLES = ("log", "witness", "transport", "sealing")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Vault:
    """The keys of one community, ready to sign and to open; `folder` is the node's.

    `log_keys` are by epoch; which of them may sign is for the successor notes in the store to say.
    """

    folder: Path
    community: bytes
    genesis: Genesis
    genesis_record: bytes
    log_keys: Mapping[int, SigningKey]
    witness: SigningKey
    transport: SigningKey
    transport_seed: bytes
    sealing: ReaderKey
    api_token: str

    def signer_key(self, keys: EpochKeys) -> SigningKey | None:
        """Return the log key of an epoch, None where it is not on this machine."""
        found = self.log_keys.get(keys.epoch)
        return found if found is not None and found.public == keys.log_key else None

    @property
    def community_text(self) -> str:
        """The community id as 52 characters."""
        return to_base32(self.community)

    def __repr__(self) -> str:
        """Nothing that is secret."""
        return f"Vault({self.community_text})"


def has_vault(folder: Path) -> bool:
    """Tell whether the folder holds a community; its keys appear in one step, so it is all or nothing."""
    return (folder / KEYS_FOLDER).is_dir()


def open_vault(folder: Path) -> Vault:
    """Return the keys in a node's folder, or raise `NodeError` with what is wrong with them."""
    keys_folder = folder / KEYS_FOLDER
    if not has_vault(folder):
        raise NodeError("vault_missing", str(folder))
    for path in (keys_folder, *sorted(keys_folder.iterdir())):
        check_private(path)
    check_format(keys_folder)
    log_keys = _read_log_keys(keys_folder)
    seeds = {role: _read_seed(keys_folder / key_file(role, 0)) for role in ROLES if role != "log"}
    genesis_record = _read(keys_folder / GENESIS_FILE)
    vault = Vault(
        folder=folder,
        community=leaf_hash(genesis_record),
        genesis=_read_genesis(genesis_record, keys_folder / GENESIS_FILE),
        genesis_record=genesis_record,
        log_keys=log_keys,
        witness=SigningKey(seeds["witness"]),
        transport=SigningKey(seeds["transport"]),
        transport_seed=seeds["transport"],
        sealing=ReaderKey(seeds["sealing"]),
        api_token=read_token(folder),
    )
    _check_belongs(vault)
    return vault


def key_file(role: str, epoch: int) -> str:
    """Return the name of a key's file; only log keys change with the epoch."""
    return f"log-{epoch}.key" if role == "log" else f"{role}.key"


def key_text(seed: bytes) -> bytes:
    """Return what stands in a key file: one line of base32."""
    return to_base32(seed).encode() + b"\n"


def check_format(keys_folder: Path) -> None:
    """Refuse keys that a later version wrote."""
    found = _read(keys_folder / FORMAT_FILE)
    if found != FORMAT.encode():
        raise NodeError("vault_newer", f"{keys_folder}: {found[:20]!r}")


def read_key_box(folder: Path) -> bytes:
    """Return the newest key box of a folder's community, as peers are given it."""
    return _read(folder / KEYS_FOLDER / KEY_BOX_FILE)


def add_log_key(folder: Path, epoch: int, seed: bytes) -> None:
    """Put the log key of a later epoch beside the others, synced; one of a rotation that was given up gives way."""
    write_private(folder / KEYS_FOLDER / key_file("log", epoch), key_text(seed))


def read_live_keys(folder: Path, epoch: int) -> LiveKeys:
    """Return the private halves with the log key of an epoch, to be put into a key box."""
    keys_folder = folder / KEYS_FOLDER
    return LiveKeys(epoch=epoch, **{role: _read_seed(keys_folder / key_file(role, epoch)) for role in ROLES})


def write_key_box(folder: Path, key_box: bytes) -> None:
    """Keep a new key box in place of the one before, synced."""
    write_private(folder / KEYS_FOLDER / KEY_BOX_FILE, key_box)


def _read_log_keys(keys_folder: Path) -> dict[int, SigningKey]:
    epochs = [
        int(number)
        for path in keys_folder.glob("log-*.key")
        if (number := path.stem.removeprefix("log-")).isascii() and number.isdigit()
    ]
    if not epochs:
        raise NodeError("vault_damaged", f"{keys_folder}: no log key")
    return {epoch: SigningKey(_read_seed(keys_folder / key_file("log", epoch))) for epoch in sorted(epochs)}


def _read_seed(path: Path) -> bytes:
    try:
        return from_base32(_read(path).decode("ascii").strip(), SEED_BYTES)
    except (UnicodeDecodeError, IdentityError) as error:
        raise NodeError("vault_damaged", str(path)) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NodeError("vault_damaged", f"{path} is missing") from error


def _read_genesis(raw: bytes, path: Path) -> Genesis:
    try:
        body = decode_record(raw, BODY_TYPES).body
    except ProtocolError as error:
        raise NodeError("vault_damaged", f"{path}: {error.code}") from error
    if not isinstance(body, Genesis):
        raise NodeError("vault_damaged", f"{path} is no genesis")
    return body


def _check_belongs(vault: Vault) -> None:
    """The keys are those of the genesis; a log key of a later epoch is judged by its successor note."""
    genesis = vault.genesis
    pairs = [
        ("witness", vault.witness.public, genesis.witness_key),
        ("transport", vault.transport.public, genesis.transport_key),
        ("sealing", vault.sealing.public, genesis.sealing_key),
    ]
    if 0 in vault.log_keys:
        pairs.append(("log", vault.log_keys[0].public, genesis.log_key))
    for role, here, named in pairs:
        if here != named:
            raise NodeError("vault_damaged", f"the {role} key is not the one in {GENESIS_FILE}")
