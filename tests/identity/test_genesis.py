"""A genesis proves that somebody holds each of its keys, and its leaf hash is the community."""

import msgspec
import pytest

from protocol.encoding import decode, encode
from protocol.errors import AmountError, EncodingError, IdentityError, ProtocolError, RecordVoid
from protocol.identity.genesis import Genesis, make_genesis, proof_message, verify_genesis
from protocol.identity.keys import SigningKey, log_key_hash, to_base32
from protocol.lanes import BODY_TYPES
from protocol.log.record import decode_record
from tests.identity import ed25519_by_the_book as by_the_book
from tests.identity.founders import (
    COMMUNITY,
    GENESIS,
    GENESIS_RECORD,
    LOG,
    NEXT_LOG,
    READER,
    RECOVERY,
    TRANSPORT,
    WITNESS,
    founding,
    key,
)
from tests.worked_examples import worked_example

OFF_CURVE = (2).to_bytes(32, "little")
SMALL_ORDER = bytes(32)


def changed(**fields):
    """The genesis with some fields changed and the proofs left as they were."""
    return msgspec.structs.replace(GENESIS, **fields)


def test_the_worked_genesis_of_the_specification_is_the_one_of_the_code():
    """Keys, proof message, proofs, record and community id are those that PROTOCOL.md prints."""
    text = worked_example("genesis").pop("community id text")
    printed = {name: bytes.fromhex(v) for name, v in worked_example("genesis").items() if v != text}
    assert printed == {
        "log public": LOG.public,
        "witness public": WITNESS.public,
        "transport public": TRANSPORT.public,
        "sealing public": READER.public,
        "next log public": NEXT_LOG.public,
        "next_log_key_hash": log_key_hash(NEXT_LOG.public),
        "recovery 1 public": RECOVERY[0].public,
        "recovery 2 public": RECOVERY[1].public,
        "log proof message": proof_message("log", GENESIS),
        "log proof": GENESIS.proofs.log,
        "recovery 2 proof": GENESIS.proofs.recovery[1],
        "record": GENESIS_RECORD,
        "community id": COMMUNITY,
    }
    assert to_base32(COMMUNITY) == text


def test_the_printed_genesis_is_proven_without_the_code_under_test():
    """Plain dictionaries and the second Ed25519 verify every proof of the printed record."""
    body = decode(bytes.fromhex(worked_example("genesis")["record"]), bytes_max=2_000)[5]
    proofs = body.pop("proofs")
    roles = [(role, body[f"{role}_key"], proofs[role]) for role in ("log", "witness", "transport")]
    roles += [("recovery", *pair) for pair in zip(body["recovery_keys"], proofs["recovery"], strict=True)]
    for role, public, proof in roles:
        message = f"wildgrass/v1/genesis-proof\n{role}\n".encode() + encode(body)
        assert by_the_book.is_valid(public, message, proof)


def test_a_genesis_is_read_from_its_record_and_holds():
    """The record decodes to the same body, which verifies."""
    record = decode_record(GENESIS_RECORD, BODY_TYPES)
    assert record.body == GENESIS
    assert record.record_id == COMMUNITY
    verify_genesis(record.body)


def test_every_changed_byte_is_another_community_or_none():
    """With any one byte of the record changed the record is refused, unproven, or has another id."""
    for position in range(len(GENESIS_RECORD)):
        mutated = bytearray(GENESIS_RECORD)
        mutated[position] ^= 1
        try:
            record = decode_record(bytes(mutated), BODY_TYPES)
            if isinstance(record.body, Genesis):
                verify_genesis(record.body)
        except ProtocolError:
            continue
        assert record.record_id != COMMUNITY


@pytest.mark.parametrize("role", ["log", "witness", "transport"])
def test_a_genesis_with_somebody_elses_key_is_refused(role):
    """A key whose holder did not sign makes the genesis void: nobody founds with the keys of others."""
    with pytest.raises(IdentityError) as refusal:
        verify_genesis(changed(**{f"{role}_key": key(99).public}))
    assert refusal.value.code == "proof_invalid"


def test_a_proof_of_one_role_is_none_of_another():
    """The role is part of what is signed."""
    proofs = msgspec.structs.replace(GENESIS.proofs, log=GENESIS.proofs.recovery[0])
    swapped = changed(log_key=RECOVERY[0].public, recovery_keys=(LOG.public, RECOVERY[1].public))
    with pytest.raises(IdentityError) as refusal:
        verify_genesis(msgspec.structs.replace(swapped, proofs=proofs))
    assert refusal.value.code == "proof_invalid"


@pytest.mark.parametrize("recovery", [(), GENESIS.proofs.recovery[:1], GENESIS.proofs.recovery[::-1]])
def test_recovery_proofs_stand_in_the_order_of_their_keys(recovery):
    """Missing or swapped recovery proofs void the genesis."""
    proofs = msgspec.structs.replace(GENESIS.proofs, recovery=recovery)
    with pytest.raises(IdentityError) as refusal:
        verify_genesis(changed(proofs=proofs))
    assert refusal.value.code == "proof_invalid"


@pytest.mark.parametrize("threshold", [-1, 0, 3])
def test_a_threshold_that_cannot_be_met_is_refused(threshold):
    """At least one key and at most all of them."""
    with pytest.raises(IdentityError) as refusal:
        verify_genesis(changed(recovery_threshold=threshold))
    assert refusal.value.code == "recovery_set_refused"


@pytest.mark.parametrize("field", ["log_key", "witness_key", "transport_key"])
@pytest.mark.parametrize("public", [SMALL_ORDER, OFF_CURVE, b"\xff" * 32])
def test_an_unusable_key_is_refused(field, public):
    """A key of small order, off the curve or not canonical founds nothing."""
    with pytest.raises(IdentityError) as refusal:
        verify_genesis(changed(**{field: public}))
    assert refusal.value.code == "key_refused"


def test_unusable_recovery_and_sealing_keys_are_refused():
    """The keys that are used last are looked at first."""
    for fields in ({"sealing_key": bytes(32)}, {"recovery_keys": (RECOVERY[0].public, OFF_CURVE)}):
        with pytest.raises(IdentityError) as refusal:
            verify_genesis(changed(**fields))
        assert refusal.value.code == "key_refused"


@pytest.mark.parametrize(
    "changes",
    [
        {"witness": LOG},
        {"transport": WITNESS},
        {"recovery": (LOG, RECOVERY[0])},
        {"recovery": (RECOVERY[0], RECOVERY[0])},
        {"sealing_key": LOG.public},
        {"next_log_key_hash": log_key_hash(LOG.public)},
        {"next_log_key_hash": log_key_hash(RECOVERY[1].public)},
    ],
)
def test_one_key_has_one_purpose(changes):
    """No key stands in two places, and the next log key is none of the present ones."""
    with pytest.raises(IdentityError) as refusal:
        make_genesis(**founding(**changes))
    assert refusal.value.code == "key_repeated"


def test_a_founder_alone_is_one_of_one():
    """One recovery key with threshold 1 is legal; sixteen of sixteen too."""
    assert make_genesis(**founding(recovery=RECOVERY[:1], recovery_threshold=1))
    many = [SigningKey(bytes([number]) * 32) for number in range(20, 36)]
    assert make_genesis(**founding(recovery=many, recovery_threshold=16))


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"currency": "XXX"}, AmountError, "currency_unknown"),
        ({"name": {}}, RecordVoid, "body_refused"),
        ({"name": {"en": ""}}, RecordVoid, "body_refused"),
        ({"name": {"en\n": "x"}}, RecordVoid, "body_refused"),
        ({"terms": {}}, RecordVoid, "body_refused"),
        ({"attributes": {}}, RecordVoid, "body_refused"),
        ({"attributes": {"a": 1.5}}, EncodingError, "encoding_type_refused"),
        ({"sealing_key": b"short"}, RecordVoid, "body_refused"),
        ({"recovery": [key(number) for number in range(20, 37)]}, RecordVoid, "body_refused"),
        ({"terms": {"en": "x" * 8_000, "de": "ü" * 8_000, "fr": "é" * 8_000, "ru": "я" * 8_000}}, None, None),
        (
            {"terms": {f"a{chr(97 + number)}": "я" * 8_000 for number in range(4)}},
            EncodingError,
            "encoding_too_large",
        ),
    ],
)
def test_a_genesis_that_others_would_refuse_is_not_made(changes, error, code):
    """Making one reads it back as everybody else will read it."""
    if error is None:
        make_genesis(**founding(**changes))
        return
    with pytest.raises(error) as refusal:
        make_genesis(**founding(**changes))
    assert refusal.value.code == code
