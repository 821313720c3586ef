"""The genesis, first record of every charter: name, keys and proofs of holding them (PROTOCOL.md section 4).

Its leaf hash is the community id, which outlives every key. X25519 signs nothing, so the sealing key comes
without a proof; the log key vouches for it, as for everything else in the body.

    genesis = make_genesis(name={"en": "Green Market"}, currency="EUR", log=log, ..., recovery_threshold=1)
    verify_genesis(genesis)
"""

from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, ValidationError, convert
from msgspec.structs import replace

from protocol.amounts.money import check_currency
from protocol.encoding import decode, encode
from protocol.errors import IdentityError, RecordVoid
from protocol.fields import Attributes, Text, Title, check_attributes
from protocol.identity.keys import (
    HASH_BYTES,
    KEY_BYTES,
    SIGNATURE_BYTES,
    SigningKey,
    check_sealing_key,
    check_signing_key,
    is_signature_valid,
    log_key_hash,
)
from protocol.limits import RECORD_BYTES_MAX, RECOVERY_KEYS_MAX
from protocol.log.record import Body

Key = Annotated[bytes, Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
Signature = Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]


class Proofs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One signature by each key of the genesis, over the body without these proofs."""

    log: Signature
    witness: Signature
    transport: Signature
    recovery: Annotated[tuple[Signature, ...], Meta(min_length=1, max_length=RECOVERY_KEYS_MAX)]


class Genesis(Body, frozen=True, kw_only=True):
    """`community.founded`: who this community is, and how its keys may ever be replaced."""

    name: Title
    currency: str
    log_key: Key
    witness_key: Key
    transport_key: Key
    sealing_key: Key
    next_log_key_hash: Annotated[bytes, Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
    recovery_keys: Annotated[tuple[Key, ...], Meta(min_length=1, max_length=RECOVERY_KEYS_MAX)]
    recovery_threshold: Annotated[int, Meta(ge=1, le=RECOVERY_KEYS_MAX)]
    proofs: Proofs
    terms: Text | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET


_UNPROVEN = Proofs(log=b"", witness=b"", transport=b"", recovery=())
_ATTRIBUTES_DEPTH = 2  # record, body


def make_genesis(
    *,
    name: dict[str, str],
    currency: str,
    log: SigningKey,
    witness: SigningKey,
    transport: SigningKey,
    sealing_key: bytes,
    next_log_key_hash: bytes,
    recovery: Sequence[SigningKey],
    recovery_threshold: int,
    terms: Text | UnsetType = UNSET,
    attributes: Attributes | UnsetType = UNSET,
) -> Genesis:
    """Return a proven genesis; raises as `verify_genesis` does, and `RecordVoid` for a malformed field."""
    unproven = Genesis(
        name=name,
        currency=currency,
        log_key=log.public,
        witness_key=witness.public,
        transport_key=transport.public,
        sealing_key=sealing_key,
        next_log_key_hash=next_log_key_hash,
        recovery_keys=tuple(key.public for key in recovery),
        recovery_threshold=recovery_threshold,
        proofs=_UNPROVEN,
        terms=terms,
        attributes=attributes,
    )
    genesis = replace(
        unproven,
        proofs=Proofs(
            log=log.sign(proof_message("log", unproven)),
            witness=witness.sign(proof_message("witness", unproven)),
            transport=transport.sign(proof_message("transport", unproven)),
            recovery=tuple(key.sign(proof_message("recovery", unproven)) for key in recovery),
        ),
    )
    verify_genesis(_read_back(genesis))
    return genesis


def proof_message(role: str, genesis: Genesis) -> bytes:
    """Return what the key of `role` (log, witness, transport or recovery) signs; the proofs are left out."""
    body = decode(encode(genesis), bytes_max=RECORD_BYTES_MAX)
    del body["proofs"]
    return b"wildgrass/v1/genesis-proof\n" + role.encode() + b"\n" + encode(body)


def verify_genesis(genesis: Genesis) -> None:
    """Raise unless the currency, the recovery set, every key and every proof hold, in this order.

    Raises `AmountError` for the currency and `IdentityError` for the rest.
    """
    check_currency(genesis.currency)
    check_recovery_set(genesis.recovery_keys, genesis.recovery_threshold)
    _check_keys(genesis)
    _verify_proofs(genesis)


def check_recovery_set(keys: Sequence[bytes], threshold: int) -> None:
    """Refuse a recovery set that is empty, too large, holds a bad or repeated key, or can never be met."""
    if not 1 <= len(keys) <= RECOVERY_KEYS_MAX or not 1 <= threshold <= len(keys):
        raise IdentityError("recovery_set_refused", f"{threshold} of {len(keys)} keys")
    for key in keys:
        check_signing_key(key)
    if len(set(keys)) < len(keys):
        raise IdentityError("key_repeated", "among the recovery keys")


def _read_back(genesis: Genesis) -> Genesis:
    """Return the genesis as everybody else will read it, with the bounds of its fields checked."""
    if genesis.attributes is not UNSET:
        check_attributes(genesis.attributes, depth=_ATTRIBUTES_DEPTH)
    try:
        return convert(decode(encode(genesis), bytes_max=RECORD_BYTES_MAX), Genesis)
    except ValidationError as error:
        raise RecordVoid("body_refused", str(error)) from error


def _check_keys(genesis: Genesis) -> None:
    """One key, one purpose: a signature made for one purpose must never pass for another."""
    for key in (genesis.log_key, genesis.witness_key, genesis.transport_key):
        check_signing_key(key)
    check_sealing_key(genesis.sealing_key)
    keys = [
        genesis.log_key,
        genesis.witness_key,
        genesis.transport_key,
        genesis.sealing_key,
        *genesis.recovery_keys,
    ]
    if len(set(keys)) < len(keys):
        raise IdentityError("key_repeated")
    if genesis.next_log_key_hash in map(log_key_hash, keys):
        raise IdentityError("key_repeated", "the next log key is one of the present keys")


def _verify_proofs(genesis: Genesis) -> None:
    if len(genesis.proofs.recovery) != len(genesis.recovery_keys):
        raise IdentityError("proof_invalid", "one proof for each recovery key")
    for role, key, proof in _proofs(genesis):
        if not is_signature_valid(key, proof_message(role, genesis), proof):
            raise IdentityError("proof_invalid", f"of the {role} key")


def _proofs(genesis: Genesis) -> Iterator[tuple[str, bytes, bytes]]:
    yield "log", genesis.log_key, genesis.proofs.log
    yield "witness", genesis.witness_key, genesis.proofs.witness
    yield "transport", genesis.transport_key, genesis.proofs.transport
    for key, proof in zip(genesis.recovery_keys, genesis.proofs.recovery, strict=True):
        yield "recovery", key, proof
