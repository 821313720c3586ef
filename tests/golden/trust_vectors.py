"""Vectors of section 26: address records, invites, pairing."""

from dataclasses import replace
from typing import Any

from protocol.encoding import decode, encode
from protocol.exchange.addresses import RECORD_DOMAIN, make_address_record, parse_address
from protocol.exchange.invite import Invite
from protocol.identity.keys import to_base32
from tests.golden.identity_vectors import COMMUNITY, FOUNDED_MS, TRANSPORT
from tests.golden.plain import Vectors, refused
from tests.golden.questions import ask

RECORD = make_address_record(
    COMMUNITY,
    [parse_address("192.0.2.7:8471"), parse_address("wss://shop.example")],
    time_ms=FOUNDED_MS,
    sign=TRANSPORT.sign,
    region="CN-33",
    sectors=["food", "family"],
)
INVITE = Invite(COMMUNITY, bytes(range(16)), FOUNDED_MS, (parse_address("192.0.2.7:8471"),))
DIALS_OUT = make_address_record(COMMUNITY, [], time_ms=FOUNDED_MS, sign=TRANSPORT.sign, lifetime_ms=1)


def trust_vectors() -> Vectors:
    """trust/."""
    cases = [{"hex": raw.hex(), "transport_key": TRANSPORT.public.hex()} for raw in (RECORD, DIALS_OUT)]
    vectors: Vectors = {
        "trust/address-record.json": {
            "must_hold": "These are address records, and the transport key has signed them.",
            "question": "read_address_record",
            "cases": [{**case, "answer": ask("read_address_record", case)} for case in cases],
        }
    }
    for name, why, changed in (
        ("way", "an address by a way that there is not", _signed(4, [["telephone", "x.example", 1]])),
        ("port", "port 0", _signed(4, [["direct", "x.example", 0]])),
        ("host", "a host in capitals", _signed(4, [["direct", "X.example", 1]])),
        ("crowd", "nine addresses", _signed(4, [["direct", "x.example", 1]] * 9)),
        ("region", "a region that is no code", _signed(5, "Zhejiang")),
        ("sectors", "sectors out of order", _signed(6, ["food", "family"])),
        ("expiry", "it holds for longer than is allowed", _signed(3, FOUNDED_MS * 2)),
        ("over", "it expires when it was signed", _signed(3, FOUNDED_MS)),
        ("format", "format 2", _signed(0, 2)),
    ):
        vectors[f"trust/refused/{name}.json"] = _refused(why, "address_record_malformed", changed)
    forged = [*_parts()[:2], FOUNDED_MS + 1, *_parts()[3:]]
    vectors["trust/refused/forged.json"] = _refused(
        "another time than was signed", "address_record_forged", encode(forged)
    )
    return vectors | _invites() | _pairing()


def _invites() -> Vectors:
    redeemer = to_base32(b"g" * 32)
    letter = f"Come in!\n{INVITE.link[:60].upper()}\n  {INVITE.link[60:]}\n"
    cases = [{"text": text, "redeemer": redeemer} for text in (INVITE.link, letter)]
    vectors: Vectors = {
        "trust/invite.json": {
            "must_hold": "These texts hold an invite, and its key signs this for the redeemer.",
            "question": "read_invite",
            "cases": [{**case, "answer": ask("read_invite", case)} for case in cases],
        }
    }
    slip = INVITE.link[:-1] + ("a" if INVITE.link[-1] != "a" else "b")
    for name, why, text in (
        ("invite-slip", "one character is another", slip),
        ("invite-short", "its end is missing", INVITE.link[:-8]),
        ("invite-none", "there is no link in it", "https://shop.example/"),
        ("invite-secret", "the secret has 15 bytes", replace(INVITE, secret=bytes(15)).link),
    ):
        vectors[f"trust/refused/{name}.json"] = refused(
            "read_invite", why, "invite_malformed", text=text, redeemer=redeemer
        )
    return vectors


def _pairing() -> Vectors:
    case = {"nonces": {to_base32(b"a" * 32): (b"1" * 32).hex(), to_base32(COMMUNITY): (b"2" * 32).hex()}}
    return {
        "trust/pairing.json": {
            "must_hold": "Both sides commit to this and see the words at these places.",
            "question": "pairing",
            **case,
            "answer": ask("pairing", case),
        }
    }


def _parts() -> list[Any]:
    return list(decode(RECORD, bytes_max=len(RECORD)))


def _signed(element: int, value: Any) -> bytes:
    """The record with one element replaced, under a signature that holds."""
    said = _parts()[:-1]
    said[element] = value
    return encode([*said, TRANSPORT.sign(RECORD_DOMAIN + encode(said))])


def _refused(why: str, code: str, raw: bytes) -> Any:
    return refused("read_address_record", why, code, hex=raw.hex(), transport_key=TRANSPORT.public.hex())
