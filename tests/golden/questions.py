"""What a vector asks: one function a question, from the inputs in JSON to the answer in JSON.

    ask("half_even", {"numerator": "3", "denominator": "2"}) == 2

Raises the `ProtocolError` whose code a refused vector states. Section numbers are those of PROTOCOL.md.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from protocol.amounts.entries import account_entries
from protocol.amounts.money import format_minor, parse_amount
from protocol.amounts.quantity import line_total_minor
from protocol.amounts.rounding import divide_half_even, largest_remainder
from protocol.amounts.split import Allocation, Policy, TaxTotal, difference, policy_id, split
from protocol.audit.bundle import parse_statements_index
from protocol.encoding import decode, encode
from protocol.exchange.addresses import parse_address_record, verify_address_record
from protocol.exchange.invite import read_invite, redeeming_message
from protocol.exchange.pairing import commitment_of, numbers_of
from protocol.exchange.session import Binding, transcript
from protocol.identity.genesis import verify_genesis
from protocol.identity.keys import SigningKey, from_base32, is_signature_valid, to_base32
from protocol.identity.recovery import derive_recovery_seeds, recovery_message
from protocol.identity.sealing import ReaderKey, commitment, open_sealed, receipt, seal, unwrap_key
from protocol.identity.succession import hold_notes, standing_notes
from protocol.identity.successor import EpochKeys, RecoverySet, verify_successor
from protocol.lanes import BODY_TYPES
from protocol.lanes.market.listings import ListingPublished
from protocol.lanes.trade.lines import open_details, open_line, verify_line_price, verify_totals
from protocol.limits import RECORD_BYTES_MAX
from protocol.log.checkpoint import open_checkpoint
from protocol.log.cosignature import witnessed_time
from protocol.log.fork import parse_fork, verify_fork
from protocol.log.merkle import CompactRange, leaf_hash, leaf_hashes, verify_consistency, verify_inclusion
from protocol.log.note import VerifierKey, parse_note, verify_note
from protocol.log.proof import parse_proof, verify_proof
from protocol.log.record import decode_record
from protocol.log.tiles import (
    parse_tile_path,
    right_edge,
    root_from_right_edge,
    unpack_entries,
    unpack_tile,
)
from protocol.log.witness import read_cosigned
from tests.golden.handshake import handshake
from tests.golden.plain import from_json, to_json

Case = Mapping[str, Any]
HOLDS = "holds"
ELEMENTS = ("format", "kind", "time_ms", "charter_size", "author", "body", "signature")


def ask(question: str, case: Case) -> Any:
    """Return the answer to a case of `question`, or raise `ProtocolError`."""
    return QUESTIONS[question](case)


def _decode(case: Case) -> Any:
    """2: the value of canonical bytes."""
    return to_json(decode(bytes.fromhex(case["hex"]), bytes_max=RECORD_BYTES_MAX))


def _read_record(case: Case) -> Any:
    """8.2: the seven elements and the id."""
    raw = bytes.fromhex(case["hex"])
    record = decode_record(raw, BODY_TYPES)
    elements = [
        1,
        record.kind,
        record.time_ms,
        record.charter_size,
        record.author,
        record.body,
        record.signature,
    ]
    assert encode(elements) == raw
    return {"record_id": record.record_id.hex(), "record": to_json(msgspec.msgpack.decode(encode(elements)))}


def _root(case: Case) -> Any:
    """6.1: root and compact range of entries."""
    compact = CompactRange()
    compact.extend(leaf_hashes([bytes.fromhex(entry) for entry in case["entries"]]))
    return {"root": compact.root().hex(), "range": [part.hex() for part in compact.hashes]}


def _verify_inclusion(case: Case) -> Any:
    """7.1: whether the leaf stands at its index."""
    verify_inclusion(
        _hashes(case["proof"]),
        leaf=bytes.fromhex(case["leaf"]),
        index=case["index"],
        size=case["size"],
        root=bytes.fromhex(case["root"]),
    )
    return HOLDS


def _verify_consistency(case: Case) -> Any:
    """7.2: whether the larger tree begins with the smaller one."""
    verify_consistency(
        _hashes(case["proof"]),
        first=case["first"],
        second=case["second"],
        first_root=bytes.fromhex(case["first_root"]),
        second_root=bytes.fromhex(case["second_root"]),
    )
    return HOLDS


def _parse_tile_path(case: Case) -> Any:
    """6.3: the address that a path names."""
    address = parse_tile_path(case["path"])
    assert address.path == case["path"]
    return {"level": address.level, "index": address.index, "width": address.width}


def _right_edge(case: Case) -> Any:
    """6.4: level, index and width of the partial tiles of a size."""
    return [list(tile) for tile in right_edge(case["size"])]


def _root_from_right_edge(case: Case) -> Any:
    """6.4: the root that the right edge states."""
    return root_from_right_edge(case["size"], [_hashes(tile) for tile in case["tiles"]]).hex()


def _unpack_tile(case: Case) -> Any:
    """6.2: the hashes of a tile."""
    return [part.hex() for part in unpack_tile(bytes.fromhex(case["hex"]), case["width"])]


def _unpack_entries(case: Case) -> Any:
    """6.5: the entries of a bundle."""
    return [entry.hex() for entry in unpack_entries(bytes.fromhex(case["hex"]), case["width"])]


def _open_note(case: Case) -> Any:
    """5.4: the known keys that signed."""
    keys = [VerifierKey.from_vkey(vkey) for vkey in case["keys"]]
    return {"signed_by": [key.vkey for key in verify_note(parse_note(case["note"].encode()), keys)]}


def _read_vkey(case: Case) -> Any:
    """5.3: what a verifier key states."""
    key = VerifierKey.from_vkey(case["vkey"])
    return {"name": key.name, "type": key.type, "public": key.public.hex(), "key_id": key.key_id.hex()}


def _open_checkpoint(case: Case) -> Any:
    """5.5: size and root of the lane that was asked for."""
    opened = open_checkpoint(case["note"].encode(), case["origin"], bytes.fromhex(case["log_key"]))
    return {"size": opened.size, "root": opened.root.hex()}


def _witnessed_time(case: Case) -> Any:
    """5.6: the time under a list of witnesses and a threshold."""
    witnesses = [VerifierKey.from_vkey(vkey) for vkey in case["witnesses"]]
    return witnessed_time(parse_note(case["note"].encode()), witnesses, threshold=case["threshold"])


def _read_cosigned(case: Case) -> Any:
    """27.4: the line that a witness answers with."""
    witness = VerifierKey.from_vkey(case["witness"])
    body = case["body"].encode()
    return read_cosigned(case["status"], body, text=case["checkpoint"], witness=witness).line


def _open_receipt(case: Case) -> Any:
    """7.3: the entry that a receipt proves, and where it stands."""
    proof = parse_proof(case["file"].encode())
    entry = proof.extra or b""
    log_key = bytes.fromhex(case["log_key"])
    checkpoint = verify_proof(proof, entry=entry, origin=case["origin"], log_public=log_key)
    return {"index": proof.index, "entry": entry.hex(), "size": checkpoint.size}


def _verify_fork(case: Case) -> Any:
    """23.4: the lane that has two histories, and the sizes of the two heads."""
    proof = parse_fork(case["file"].encode())
    verify_fork(proof, bytes.fromhex(case["log_key"]))
    return {"origin": proof.origin.text, "sizes": [proof.older.size, proof.newer.size]}


def _read_statements_index(case: Case) -> Any:
    """21.2: the digests that the list of statements names."""
    return [digest.hex() for digest in parse_statements_index(case["file"].encode())]


def _read_id(case: Case) -> Any:
    """4.1: the bytes of an id in text."""
    raw = from_base32(case["text"], case["bytes"])
    assert to_base32(raw) == case["text"]
    return raw.hex()


def _is_signed(case: Case) -> Any:
    """4.2: whether a signature holds."""
    return is_signature_valid(*(bytes.fromhex(case[part]) for part in ("key", "message", "signature")))


def _read_genesis(case: Case) -> Any:
    """4.5: the community that a genesis founds."""
    raw = bytes.fromhex(case["hex"])
    record = decode_record(raw, BODY_TYPES)
    verify_genesis(record.body)
    body = to_json(msgspec.msgpack.decode(encode(record.body)))
    return {"community": to_base32(leaf_hash(raw)), "body": body}


def _closing(case: Case) -> EpochKeys:
    return EpochKeys(
        community=from_base32(case["community"], 32),
        epoch=case["epoch"],
        log_key=bytes.fromhex(case["log_key"]),
        next_log_key_hash=bytes.fromhex(case["next_log_key_hash"]),
        recovery=RecoverySet(
            threshold=case["recovery_threshold"], keys=tuple(_hashes(case["recovery_keys"]))
        ),
    )


def _standing_notes(case: Case) -> Any:
    """25.1: the new log keys of the notes that no other one puts aside; more than one contest the epoch."""
    notes = [note.encode() for note in case["notes"]]
    standing = standing_notes(hold_notes(_closing(case), notes))
    return sorted(closing.succession.opened.log_key.hex() for closing in standing)


def _recovery_message(case: Case) -> Any:
    """25.5: what a recovery key signs to be given a key box, and its signature."""
    keeper, asker = (from_base32(case[name], 32) for name in ("keeper", "asker"))
    message = recovery_message(keeper=keeper, asker=asker, nonce=bytes.fromhex(case["nonce"]))
    signature = SigningKey(bytes.fromhex(case["recovery_seed"])).sign(message)
    return {"message": message.hex(), "signature": signature.hex()}


def _verify_successor(case: Case) -> Any:
    """9.3: by whose authority a note closes an epoch, and what it states."""
    succession = verify_successor(case["note"].encode(), _closing(case))
    sizes = [lane.size for _, lane in sorted(succession.successor.lanes.items())]
    return {"kind": succession.kind, "log_key": succession.opened.log_key.hex(), "sizes": sizes}


def _derive_seeds(case: Case) -> Any:
    """4.6: what the recovery words derive."""
    seeds = derive_recovery_seeds(bytes.fromhex(case["entropy"]), next_epoch=case["next_epoch"])
    return {
        "recovery": seeds.recovery.hex(),
        "next_log": seeds.next_log.hex(),
        "key_box": seeds.key_box.hex(),
    }


def _seal(case: Case) -> Any:
    """15: commitment and ciphertext."""
    payload, salt, content_key = (bytes.fromhex(case[part]) for part in ("payload", "salt", "content_key"))
    return {
        "commitment": commitment(salt, payload).hex(),
        "ciphertext": seal(payload, salt, content_key).hex(),
    }


def _open_sealed(case: Case) -> Any:
    """15: the payload, for the reader whose private key is given."""
    promised = bytes.fromhex(case["commitment"])
    reader = ReaderKey(bytes.fromhex(case["reader_private"]))
    content_key = unwrap_key(bytes.fromhex(case["wrapped_key"]), promised, reader)
    return open_sealed(bytes.fromhex(case["ciphertext"]), content_key, promised).hex()


def _receipt(case: Case) -> Any:
    """29.3: what shows that the recipient has opened it."""
    promised = bytes.fromhex(case["commitment"])
    reader = ReaderKey(bytes.fromhex(case["reader_private"]))
    content_key = unwrap_key(bytes.fromhex(case["wrapped_key"]), promised, reader)
    return receipt(
        bytes.fromhex(case["ciphertext"]), content_key, promised, bytes.fromhex(case["recipient"])
    ).hex()


def _half_even(case: Case) -> Any:
    """12.3: a quotient, numbers in text because they may be large."""
    return str(divide_half_even(int(case["numerator"]), int(case["denominator"])))


def _largest_remainder(case: Case) -> Any:
    """12.3: shares that sum to the total."""
    return largest_remainder(case["total"], case["weights"])


def _line_total(case: Case) -> Any:
    """12.2: price times quantity."""
    return line_total_minor(price_minor=case["price_minor"], steps=case["steps"], scale=case["scale"])


def _read_amount(case: Case) -> Any:
    """12.1: minor units, and the text that they print."""
    amount_minor = parse_amount(case["text"], case["currency"])
    return {"amount_minor": amount_minor, "written": format_minor(amount_minor, case["currency"])}


def _policy_id(case: Case) -> Any:
    """12.5: the id of a policy."""
    return policy_id(_policy(case)).hex()


def _split(case: Case) -> Any:
    """12.6: role, side and amount, in order."""
    return _shares(_divide(case, case["totals"]))


def _refund(case: Case) -> Any:
    """12.7: role, side and difference, in order."""
    return _shares(difference(_divide(case, case["new_totals"]), _divide(case, case["totals"])))


def _posting(case: Case) -> Any:
    """14.2: account and amount, in order."""
    shares = [share for share in _divide(case, case["totals"]) if share.amount_minor]
    made = account_entries(shares, sides=frozenset(case["sides"]), collector=case["collector"])
    return [[line.account, line.amount_minor] for line in made]


def _open_line(case: Case) -> Any:
    """13.6: an order line."""
    return to_json(msgspec.msgpack.decode(encode(open_line(bytes.fromhex(case["payload"])))))


def _open_details(case: Case) -> Any:
    """13.6: the buyer's details."""
    return to_json(msgspec.msgpack.decode(encode(open_details(bytes.fromhex(case["payload"])))))


def _verify_lines(case: Case) -> Any:
    """13.6: whether lines come to the totals of their order."""
    placed = decode_record(bytes.fromhex(case["placed"]), BODY_TYPES).body
    verify_totals(placed, [open_line(bytes.fromhex(payload)) for payload in case["lines"]])
    return HOLDS


def _verify_price(case: Case) -> Any:
    """13.6: whether a line is at the price of its listing."""
    listing = msgspec.msgpack.decode(bytes.fromhex(case["listing"]), type=ListingPublished)
    verify_line_price(open_line(bytes.fromhex(case["line"])), listing)
    return HOLDS


def _transcript(case: Case) -> Any:
    """17.3: the bytes that one side signs."""
    way, value = from_json(case["binding"])
    dialer_hello, listener_hello = bytes.fromhex(case["dialer_hello"]), bytes.fromhex(case["listener_hello"])
    return transcript(case["signer"], dialer_hello, listener_hello, Binding(way, value)).hex()


def _hashes(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


def _policy(case: Case) -> Policy:
    return msgspec.convert(from_json(case["policy"]), Policy)


def _totals(totals: list[dict[str, Any]]) -> list[TaxTotal]:
    return msgspec.convert(totals, list[TaxTotal])


def _divide(case: Case, totals: list[dict[str, Any]]) -> tuple[Allocation, ...]:
    return split(
        _policy(case),
        _totals(totals),
        case["currency"],
        same_community=case["same_community"],
        collector=case["collector"],
    )


def _shares(allocations: tuple[Allocation, ...]) -> list[list[Any]]:
    return [[share.role, share.beneficiary, share.amount_minor] for share in allocations]


def _read_address_record(case: Case) -> Any:
    """26.1: what a community says of where it is."""
    raw = bytes.fromhex(case["hex"])
    record = parse_address_record(raw)
    verify_address_record(raw, record, bytes.fromhex(case["transport_key"]))
    return {
        "community": to_base32(record.community),
        "time_ms": record.time_ms,
        "expires_ms": record.expires_ms,
        "addresses": [address.text for address in record.addresses],
        "region": record.region,
        "sectors": list(record.sectors),
    }


def _read_invite(case: Case) -> Any:
    """26.4: what a link says, its key, and its signature for a redeemer."""
    invite = read_invite(case["text"])
    message = redeeming_message(invite.inviter, from_base32(case["redeemer"], 32))
    return {
        "inviter": to_base32(invite.inviter),
        "secret": invite.secret.hex(),
        "expires_ms": invite.expires_ms,
        "addresses": [address.text for address in invite.addresses],
        "key": invite.key.public.hex(),
        "signature": invite.key.sign(message).hex(),
    }


def _pairing(case: Case) -> Any:
    """26.5: commitments and the places of the words."""
    nonces = {from_base32(name, 32): bytes.fromhex(nonce) for name, nonce in case["nonces"].items()}
    return {
        "commitments": {to_base32(name): commitment_of(name, nonce).hex() for name, nonce in nonces.items()},
        "numbers": list(numbers_of(nonces)),
    }


QUESTIONS: Mapping[str, Callable[[Case], Any]] = {
    "decode": _decode,
    "read_address_record": _read_address_record,
    "read_invite": _read_invite,
    "pairing": _pairing,
    "read_record": _read_record,
    "root": _root,
    "verify_inclusion": _verify_inclusion,
    "verify_consistency": _verify_consistency,
    "parse_tile_path": _parse_tile_path,
    "right_edge": _right_edge,
    "root_from_right_edge": _root_from_right_edge,
    "unpack_tile": _unpack_tile,
    "unpack_entries": _unpack_entries,
    "open_note": _open_note,
    "read_vkey": _read_vkey,
    "open_checkpoint": _open_checkpoint,
    "witnessed_time": _witnessed_time,
    "read_cosigned": _read_cosigned,
    "open_receipt": _open_receipt,
    "verify_fork": _verify_fork,
    "read_statements_index": _read_statements_index,
    "read_id": _read_id,
    "is_signed": _is_signed,
    "read_genesis": _read_genesis,
    "verify_successor": _verify_successor,
    "standing_notes": _standing_notes,
    "recovery_message": _recovery_message,
    "derive_seeds": _derive_seeds,
    "seal": _seal,
    "open_sealed": _open_sealed,
    "receipt": _receipt,
    "half_even": _half_even,
    "largest_remainder": _largest_remainder,
    "line_total": _line_total,
    "read_amount": _read_amount,
    "policy_id": _policy_id,
    "split": _split,
    "refund": _refund,
    "posting": _posting,
    "open_line": _open_line,
    "open_details": _open_details,
    "verify_lines": _verify_lines,
    "verify_price": _verify_price,
    "transcript": _transcript,
    "handshake": handshake,
}
