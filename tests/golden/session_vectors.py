"""Vectors of section 17.3: transcripts, and both sides of a handshake, kept and broken off."""

from typing import Any

import msgspec

from protocol.exchange.session import OwnSide, Role, Session, bind_direct, bind_proxied
from tests.exchange.session_pairs import TIME_MS, Wire
from tests.golden.handshake import identity_of
from tests.golden.plain import Vectors, refused, to_json
from tests.golden.questions import ask
from tests.village import Village, seed

SHOP, HOME = Village("shop", lanes=()), Village("home", lanes=())
SIDES: dict[Role, Village] = {"dialer": HOME, "listener": SHOP}
NONCES: dict[Role, bytes] = {"dialer": b"d" * 32, "listener": b"l" * 32}
BINDINGS = {"direct": bind_direct(SHOP.transport.public), "proxied": bind_proxied("shop.example")}


def session_vectors() -> Vectors:
    """session/."""
    wires = {way: _run(way) for way in BINDINGS}
    cases = [_side(role, way, wires[way]) for way in BINDINGS for role in SIDES]
    vectors: Vectors = {
        "session/handshake.json": {
            "must_hold": "Fed what the other side sent, this side sends exactly this and admits that community.",
            "question": "handshake",
            "cases": [{**case, "answer": ask("handshake", case)} for case in cases],
        },
        "session/transcript.json": {
            "must_hold": "These are the bytes that each side signs.",
            "question": "transcript",
            "cases": [case for way, wire in wires.items() for case in _transcripts(way, wire)],
        },
    }
    dialer = _side("dialer", "direct", wires["direct"])
    hello, proof = dialer["received"]
    ways: dict[str, tuple[str, str, dict[str, Any]]] = {
        "proof": (
            "the proof is of another connection",
            "session_proof_invalid",
            {"received": [hello, _proxied(wires)]},
        ),
        "role": (
            "both claim the same role",
            "session_role_refused",
            {"received": [_own_hello(dialer), proof]},
        ),
        "version": (
            "version 2 alone",
            "session_version_unsupported",
            {"received": [_hello(hello, 1, 2), proof]},
        ),
        "expected": (
            "another community than the one dialled",
            "session_community_mismatch",
            {"expected": to_json(seed("another"))},
        ),
        "transport-key": (
            "a transport key that is not the genesis's",
            "session_key_mismatch",
            {"received": [_hello(hello, 5, HOME.transport.public), proof]},
        ),
        "certificate": (
            "a certificate with another key",
            "session_certificate_mismatch",
            {"binding": to_json(["direct", HOME.transport.public])},
        ),
        "order": ("the proof before the hello", "frame_unexpected", {"received": [proof, hello]}),
    }
    for name, (why, code, changed) in ways.items():
        vectors[f"session/refused/{name}.json"] = refused("handshake", why, code, **{**dialer, **changed})
    return vectors


def _run(way: str) -> Wire:
    def session(role: Role) -> Session:
        village = SIDES[role]
        genesis = village.entries["charter"][0]
        own = OwnSide(genesis, identity_of(genesis), village.transport.sign)
        return Session(role, own, BINDINGS[way], nonce=NONCES[role], time_ms=TIME_MS, identify=identity_of)

    return Wire(session("dialer"), session("listener")).run()


def _side(role: Role, way: str, wire: Wire) -> dict[str, Any]:
    village = SIDES[role]
    binding = BINDINGS[way]
    other = SHOP if role == "dialer" else HOME
    return {
        "role": role,
        "genesis": village.entries["charter"][0].hex(),
        "transport_seed": seed(village.name + " transport").hex(),
        "binding": to_json([binding.way, binding.value]),
        "nonce": NONCES[role].hex(),
        "time_ms": TIME_MS,
        "expected": to_json(other.community) if role == "dialer" else None,
        "received": [raw.hex() for sender, raw in wire.messages if sender != role],
    }


def _transcripts(way: str, wire: Wire) -> list[dict[str, Any]]:
    dialer_hello, listener_hello = (raw.hex() for _, raw in wire.messages[:2])
    binding = BINDINGS[way]
    asked = [
        {
            "signer": role,
            "dialer_hello": dialer_hello,
            "listener_hello": listener_hello,
            "binding": to_json([binding.way, binding.value]),
        }
        for role in SIDES
    ]
    return [{**case, "answer": ask("transcript", case)} for case in asked]


def _proxied(wires: dict[str, Wire]) -> str:
    return next(raw.hex() for sender, raw in wires["proxied"].messages[2:] if sender == "listener")


def _own_hello(case: dict[str, Any]) -> str:
    sent: list[str] = ask("handshake", {**case, "received": []})["sent"]
    return sent[0]


def _hello(raw: str, element: int, value: Any) -> str:
    """The hello with one element of its array replaced; versions 1 and 2 both, so that none is shared."""
    parts = msgspec.msgpack.decode(bytes.fromhex(raw))
    parts[element] = value
    if element == 1:
        parts[2] = value
    return msgspec.msgpack.encode(parts).hex()
