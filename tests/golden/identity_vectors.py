"""Vectors of sections 4, 9.3, 15 and 25: ids, signatures, genesis, successor notes, recovery words, sealing."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import msgspec

from protocol.encoding import encode
from protocol.identity.genesis import Genesis, make_genesis
from protocol.identity.keys import SigningKey, log_key_hash, to_base32
from protocol.identity.recovery import derive_recovery_seeds, recovery_message
from protocol.identity.sealing import ReaderKey, commitment, receipt, seal
from protocol.identity.successor import RecoverySet, SealedLane, Successor, make_successor
from protocol.log.merkle import leaf_hash
from protocol.log.record import encode_record
from tests.golden.plain import Vector, Vectors, refused, to_json

FOUNDED_MS = 1_760_000_000_000
WRAPPED_HEX = (  # HPKE draws a key of its own: this one was wrapped once, with the ephemeral key of section 15
    "bfda3768f927db529fe9f0f6ee4ba469e432c93bb6fbb8ed5d04e87ed0a45d7ba92a8fc89076d9e9c1d5a2cf1161e33fa5e8"
    "57a176dbae6dc018e2d2a1e3cbddbe98eaa3b3716ee727789628833926cd"
)
PAYLOAD = bytes.fromhex(
    "81a56c696e65739182aa6c697374696e675f6964c410000102030405060708090a0b0c0d0e0fa5737465707302"
)


def key(number: int) -> SigningKey:
    return SigningKey(bytes([number]) * 32)


LOG, WITNESS, TRANSPORT, NEXT_LOG, RECOVERY = key(1), key(2), key(3), key(5), (key(6), key(7))
READER = ReaderKey(bytes([4]) * 32)
GENESIS = make_genesis(
    name={"en": "Green Market", "zh-Hans": "青菜市"},
    currency="CNY",
    log=LOG,
    witness=WITNESS,
    transport=TRANSPORT,
    sealing_key=READER.public,
    next_log_key_hash=log_key_hash(NEXT_LOG.public),
    recovery=RECOVERY,
    recovery_threshold=2,
)
GENESIS_RECORD = encode_record("community.founded", GENESIS, time_ms=FOUNDED_MS)
COMMUNITY = leaf_hash(GENESIS_RECORD)
CLOSING = {
    "community": to_base32(COMMUNITY),
    "epoch": 0,
    "log_key": LOG.public.hex(),
    "next_log_key_hash": GENESIS.next_log_key_hash.hex(),
    "recovery_keys": [each.public.hex() for each in RECOVERY],
    "recovery_threshold": 2,
}


def identity_vectors() -> Vectors:
    """identity/ and sealing/."""
    return dict([*_ids(), *_signatures(), *_genesis(), *_successors(), *_words(), *_recovery(), *_sealing()])


def _ids() -> Iterator[tuple[str, Vector]]:
    raws = (bytes(32), b"\xff" * 32, COMMUNITY, bytes(range(16)))
    cases = [{"text": to_base32(raw), "bytes": len(raw), "answer": raw.hex()} for raw in raws]
    yield "identity/id.json", {"must_hold": "Bytes and text of an id.", "question": "read_id", "cases": cases}
    text = to_base32(COMMUNITY)
    ways = {
        "short": text[:-1],
        "long": text + "a",
        "capital": text.upper(),
        "digit": "0" + text[1:],
        "padded": text + "====",
        "bits": text[:-1] + "b",
    }
    for name, wrong in ways.items():
        yield (
            f"identity/refused/id-{name}.json",
            refused("read_id", name, "id_malformed", text=wrong, bytes=32),
        )


def _signatures() -> Iterator[tuple[str, Vector]]:
    message = b"wildgrass"
    good = LOG.sign(message)
    order = 2**252 + 27742317777372353535851937790883648493
    larger = good[:32] + (int.from_bytes(good[32:], "little") + order).to_bytes(32, "little")
    small = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
    cases: list[dict[str, Any]] = [
        _signed("it holds", LOG.public, message, good, holds=True),
        _signed("another message", LOG.public, message + b"!", good),
        _signed("another key", WITNESS.public, message, good),
        _signed("S is not below the order", LOG.public, message, larger),
        _signed("a key of small order", small, message, small + bytes(32)),
        _signed("the neutral element", bytes([1, *bytes(31)]), message, bytes([1, *bytes(63)])),
        _signed("a signature cut short", LOG.public, message, good[:-1]),
    ]
    sentence = "The signature holds or does not, by the one rule of section 4.2."
    yield "identity/signature.json", {"must_hold": sentence, "question": "is_signed", "cases": cases}


def _signed(
    name: str, public: bytes, message: bytes, signature: bytes, *, holds: bool = False
) -> dict[str, Any]:
    parts = {"key": public.hex(), "message": message.hex(), "signature": signature.hex()}
    return {"name": name, **parts, "answer": holds}


def _genesis() -> Iterator[tuple[str, Vector]]:
    body = msgspec.msgpack.decode(encode(GENESIS))
    cases = [
        {"hex": GENESIS_RECORD.hex(), "answer": {"community": to_base32(COMMUNITY), "body": to_json(body)}}
    ]
    sentence = "A genesis whose keys all sign it, and the community that it founds."
    yield "identity/genesis.json", {"must_hold": sentence, "question": "read_genesis", "cases": cases}
    ways: dict[str, tuple[str, str, dict[str, Any]]] = {
        "currency": ("a currency that is not in the table", "currency_unknown", {"currency": "XXX"}),
        "threshold": ("a threshold of 3 with 2 keys", "recovery_set_refused", {"recovery_threshold": 3}),
        "recovery-small": (
            "a recovery key of small order",
            "key_refused",
            {"recovery_keys": (RECOVERY[0].public, bytes(32))},
        ),
        "recovery-twice": (
            "a recovery key twice",
            "key_repeated",
            {"recovery_keys": (RECOVERY[0].public,) * 2},
        ),
        "log-key": ("a log key that is no point", "key_refused", {"log_key": bytes([2, *bytes(31)])}),
        "sealing-key": ("a sealing key of small order", "key_refused", {"sealing_key": bytes(32)}),
        "two-purposes": ("one key for two purposes", "key_repeated", {"witness_key": LOG.public}),
        "next-now": (
            "the next log key in use now",
            "key_repeated",
            {"next_log_key_hash": log_key_hash(LOG.public)},
        ),
        "proof": ("a body that its keys did not sign", "proof_invalid", {"name": {"en": "Other Market"}}),
    }
    for name, (why, code, changed) in ways.items():
        raw = encode_record("community.founded", _changed(GENESIS, changed), time_ms=FOUNDED_MS)
        yield f"identity/refused/genesis-{name}.json", refused("read_genesis", why, code, hex=raw.hex())


def _changed(genesis: Genesis, changed: dict[str, Any]) -> Genesis:
    return msgspec.structs.replace(genesis, **changed)


def _successors() -> Iterator[tuple[str, Vector]]:
    def root(word: bytes) -> bytes:
        return sha256(b"\0" + word).digest()

    planned = Successor(
        community=COMMUNITY,
        epoch=0,
        time_ms=FOUNDED_MS + 1_000,
        log_key=NEXT_LOG.public,
        next_log_key_hash=log_key_hash(key(8).public),
        lanes={"charter": SealedLane(12, root(b"charter")), "market/food": SealedLane(300, root(b"food"))},
    )
    sheets = RecoverySet(threshold=2, keys=(RECOVERY[1].public, key(10).public))
    rescued = replace(planned, time_ms=FOUNDED_MS + 2_000, log_key=key(9).public, recovery=sheets)
    next_key = make_successor(planned, log=NEXT_LOG).decode()
    quorum = make_successor(rescued, log=key(9), recovery=[*RECOVERY, key(10)]).decode()
    cases = [
        {"note": note, **CLOSING, "answer": {"kind": kind, "log_key": log.public.hex(), "sizes": [12, 300]}}
        for note, kind, log in ((next_key, "next_key", NEXT_LOG), (quorum, "quorum", key(9)))
    ]
    sentence = "The note closes epoch 0 by this authority, with this next log key and these sizes."
    yield "identity/successor.json", {"must_hold": sentence, "question": "verify_successor", "cases": cases}
    other = make_successor(
        replace(rescued, log_key=key(11).public), log=key(11), recovery=[*RECOVERY, key(10)]
    )
    yield "identity/standing-notes.json", _standing(next_key, quorum, other.decode())
    ways = {
        "cut": ("cut off", "note_malformed", next_key[:-1]),
        "unsorted": ("two lines in the wrong order", "successor_malformed", _swapped(next_key)),
        "altered": ("a size that was not signed", "note_signature_invalid", next_key.replace(" 12 ", " 11 ")),
        "one-sheet": (
            "one recovery key of the two that are needed",
            "successor_not_authorised",
            make_successor(replace(rescued, recovery=None), log=key(9), recovery=RECOVERY[:1]).decode(),
        ),
        "sheets-by-next-key": (
            "new recovery keys by the word of the next log key alone",
            "successor_not_authorised",
            make_successor(replace(planned, recovery=sheets), log=NEXT_LOG).decode(),
        ),
        "new-sheet-silent": (
            "a new recovery key that did not sign",
            "successor_not_authorised",
            make_successor(rescued, log=key(9), recovery=RECOVERY).decode(),
        ),
        "other-epoch": (
            "a note that closes another epoch",
            "successor_mismatch",
            make_successor(replace(planned, epoch=1), log=NEXT_LOG).decode(),
        ),
        "old-key": (
            "the log key of the epoch that ends",
            "key_repeated",
            make_successor(replace(planned, log_key=LOG.public), log=LOG).decode(),
        ),
    }
    for name, (why, code, note) in ways.items():
        vector = refused("verify_successor", why, code, note=note, **CLOSING)
        yield f"identity/refused/successor-{name}.json", vector


def _standing(next_key: str, quorum: str, other: str) -> Vector:
    def case(answer: Sequence[SigningKey], *notes: str) -> dict[str, Any]:
        return {"notes": list(notes), **CLOSING, "answer": sorted(each.public.hex() for each in answer)}

    scribbled = next_key + next_key.splitlines(keepends=True)[-1].replace("/next/1", "/other/1")
    cases = [
        case([NEXT_LOG], next_key),
        case([NEXT_LOG], next_key, scribbled),
        case([key(9)], next_key, quorum),
        case([key(9)], quorum, next_key),
        case([key(9), key(11)], next_key, quorum, other),
    ]
    sentence = "These are the new log keys of the notes that stand; two of them contest the epoch."
    return {"must_hold": sentence, "question": "standing_notes", "cases": cases}


def _recovery() -> Iterator[tuple[str, Vector]]:
    places = {"keeper": to_base32(COMMUNITY), "asker": to_base32(bytes(range(32))), "nonce": "5a" * 32}
    seed = bytes([6]) * 32
    message = recovery_message(keeper=COMMUNITY, asker=bytes(range(32)), nonce=b"\x5a" * 32)
    answer = {"message": message.hex(), "signature": SigningKey(seed).sign(message).hex()}
    case = {**places, "recovery_seed": seed.hex(), "answer": answer}
    sentence = "What the recovery key signs to be given the key box, and its signature."
    yield (
        "identity/recovery-proof.json",
        {"must_hold": sentence, "question": "recovery_message", "cases": [case]},
    )


def _swapped(note: str) -> str:
    lines = note.split("\n")
    return "\n".join([*lines[:2], lines[3], lines[2], *lines[4:]])


def _words() -> Iterator[tuple[str, Vector]]:
    cases = []
    for entropy, epoch in ((bytes(range(16)), 1), (bytes(range(16)), 2), (bytes(32), 1)):
        seeds = derive_recovery_seeds(entropy, next_epoch=epoch)
        answer = {
            "recovery": seeds.recovery.hex(),
            "next_log": seeds.next_log.hex(),
            "key_box": seeds.key_box.hex(),
        }
        cases.append({"entropy": entropy.hex(), "next_epoch": epoch, "answer": answer})
    sentence = "The three secrets that the words derive."
    yield "identity/recovery.json", {"must_hold": sentence, "question": "derive_seeds", "cases": cases}
    wrong = refused("derive_seeds", "15 bytes", "entropy_out_of_range", entropy="00" * 15, next_epoch=1)
    yield "identity/refused/entropy.json", wrong


def _sealing() -> Iterator[tuple[str, Vector]]:
    salt, content_key = b"\xa1" * 32, b"\xb2" * 32
    promised, ciphertext = commitment(salt, PAYLOAD), seal(PAYLOAD, salt, content_key)
    sealed = {
        "commitment": promised.hex(),
        "ciphertext": ciphertext.hex(),
        "wrapped_key": WRAPPED_HEX,
        "reader_private": (bytes([4]) * 32).hex(),
    }
    cases = [{**sealed, "answer": PAYLOAD.hex()}]
    sentence = "The reader opens the wrapped key, with it the ciphertext, and finds what was promised."
    yield "sealing/opened.json", {"must_hold": sentence, "question": "open_sealed", "cases": cases}
    yield "sealing/receipt.json", _receipt(sealed, content_key)
    parts = {"payload": PAYLOAD.hex(), "salt": salt.hex(), "content_key": content_key.hex()}
    answer = {"commitment": promised.hex(), "ciphertext": ciphertext.hex()}
    sentence = "Commitment and ciphertext of a payload."
    yield (
        "sealing/sealed.json",
        {"must_hold": sentence, "question": "seal", "cases": [{**parts, "answer": answer}]},
    )
    other = commitment(bytes(32), PAYLOAD)
    ways: dict[str, tuple[str, str, dict[str, str]]] = {
        "other-reader": ("wrapped for another", "wrapped_key_not_opened", {"reader_private": "05" * 32}),
        "wrapped-short": (
            "a wrapped key of 79 bytes",
            "wrapped_key_not_opened",
            {"wrapped_key": WRAPPED_HEX[:-2]},
        ),
        "other-commitment": ("for another commitment", "wrapped_key_not_opened", {"commitment": other.hex()}),
        "short": ("47 bytes", "sealed_not_opened", {"ciphertext": "00" * 47}),
        "altered": (
            "the last byte altered",
            "sealed_not_opened",
            {"ciphertext": ciphertext.hex()[:-2] + "00"},
        ),
    }
    for name, (why, code, changed) in ways.items():
        yield f"sealing/refused/{name}.json", refused("open_sealed", why, code, **{**sealed, **changed})


def _receipt(sealed: dict[str, str], content_key: bytes) -> Vector:
    ciphertext, promised = (bytes.fromhex(sealed[name]) for name in ("ciphertext", "commitment"))
    cases = []
    for recipient in (bytes(range(32)), b"\xff" * 32):
        shown = receipt(ciphertext, content_key, promised, recipient)
        cases.append({**sealed, "recipient": recipient.hex(), "answer": shown.hex()})
    sentence = "Another recipient has another receipt, and only the salt within the ciphertext tells either."
    return {"must_hold": sentence, "question": "receipt", "cases": cases}
