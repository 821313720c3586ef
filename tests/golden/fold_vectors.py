"""Vectors of the fold: a cut, what became of its entries, the state's digest, and of stories the state itself."""

import re
from typing import Any

import msgspec

from protocol.dict_state import DictState
from protocol.encoding import encode
from protocol.identity.keys import from_base32, to_base32
from tests.golden.cuts import Cut, CutLane, CutSeal, fold_cut, state_digest, statuses
from tests.golden.order_vectors import PAIRS, STORIES, crossing
from tests.golden.plain import Vector, Vectors, from_json, to_json
from tests.golden.void_by_form import BY_FORM, NOT_VOID
from tests.golden.void_by_step import BY_STEP
from tests.golden.void_in_charter import IN_CHARTER

LEFT_OUT = frozenset({"community", "lane_clock", "void", "unknown"})


def fold_vectors() -> Vectors:
    """fold/void, fold/waiting, fold/orders and fold/crossing."""
    vectors: Vectors = {}
    for make in (*BY_FORM, *IN_CHARTER, *BY_STEP):
        code = re.sub(r"_[0-9]$", "", make.__name__)
        vector = {"must_hold": make.__doc__, "question": "fold", "code": code, **_cut_and_result(make())}
        vectors[f"fold/void/{make.__name__}.json"] = vector
    for make in NOT_VOID:
        vectors[f"fold/other/{make.__name__}.json"] = {
            "must_hold": make.__doc__,
            "question": "fold",
            **_cut_and_result(make()),
        }
    for make in STORIES:
        vectors[f"fold/orders/{make.__name__}.json"] = {
            "must_hold": make.__doc__,
            "question": "fold",
            **_cut_and_result(make(), shows_state=True),
        }
    for said, move in PAIRS:
        vectors[f"fold/crossing/{said}--{move}.json"] = {
            "must_hold": f"The buyer's {said} and the seller's {move} cross: one state, whichever is folded first.",
            "question": "fold",
            "buyer_says": said,
            "seller_says": move,
            **_cut_and_result(crossing(said, move), shows_state=True),
        }
    return vectors


def _cut_and_result(cut: Cut, *, shows_state: bool = False) -> Vector:
    state = fold_cut(cut)
    shown: Vector = {"state": _rows(state)} if shows_state else {}
    return {
        "lanes": [_lane_json(part) for part in cut.lanes],
        "seals": [_seal_json(seal) for seal in cut.seals],
        "not_in_effect": not_in_effect(cut, state),
        "state_digest": state_digest(state).hex(),
        **shown,
    }


def not_in_effect(cut: Cut, state: DictState) -> list[dict[str, Any]]:
    """What became of every entry that has no effect, as the vectors write it."""
    found = []
    for status in statuses(cut, state):
        place = {**status.position._asdict(), "community": to_base32(status.position.community)}
        code = {"code": status.code} if status.code else {}
        found.append({**place, "status": status.status, **code})
    return found


def read_cut(vector: Vector) -> Cut:
    """The cut that a vector holds."""
    return Cut(
        tuple(
            CutLane(
                from_base32(part["community"], 32),
                part["lane"],
                part["epoch"],
                tuple(map(bytes.fromhex, part["entries"])),
            )
            for part in vector["lanes"]
        ),
        tuple(
            CutSeal(
                from_base32(seal["community"], 32),
                seal["epoch"],
                {name: (lane["size"], bytes.fromhex(lane["root"])) for name, lane in seal["lanes"].items()},
            )
            for seal in vector["seals"]
        ),
    )


def _lane_json(part: CutLane) -> Vector:
    return {
        "community": to_base32(part.community),
        "lane": part.lane,
        "epoch": part.epoch,
        "entries": [raw.hex() for raw in part.entries],
    }


def _seal_json(seal: CutSeal) -> Vector:
    lanes = {name: {"size": size, "root": root.hex()} for name, (size, root) in sorted(seal.lanes.items())}
    return {"community": to_base32(seal.community), "epoch": seal.epoch, "lanes": lanes}


def _rows(state: DictState) -> list[Vector]:
    """The rows of the state that people look for; the digest covers all."""
    return [
        {"table": table, "key": to_json(_plain(key)), "value": to_json(_plain(value))}
        for table, key, value in state.dump()
        if table not in LEFT_OUT
    ]


def _plain(raw: bytes) -> Any:
    return msgspec.msgpack.decode(raw)


def state_rows(vector: Vector) -> list[tuple[str, bytes, bytes]]:
    """The rows that a vector shows, as bytes."""
    return [
        (row["table"], encode(from_json(row["key"])), encode(from_json(row["value"])))
        for row in vector["state"]
    ]
