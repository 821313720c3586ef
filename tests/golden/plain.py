"""How vectors write values in JSON: bytes as {"$hex": "..."}, everything else as it is."""

import json
from collections.abc import Mapping
from typing import Any

Vector = Mapping[str, Any]
Vectors = dict[str, Vector]


def to_json(value: Any) -> Any:
    """Plain values of section 2 as JSON."""
    if isinstance(value, bytes):
        return {"$hex": value.hex()}
    if isinstance(value, dict):
        return {key: to_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner) for inner in value]
    return value


def from_json(value: Any) -> Any:
    """The plain value that `to_json` wrote."""
    if isinstance(value, dict):
        if set(value) == {"$hex"}:
            return bytes.fromhex(value["$hex"])
        return {key: from_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [from_json(inner) for inner in value]
    return value


def refused(question: str, why: str, code: str, **asked: Any) -> Vector:
    """One way of being wrong."""
    return {"must_hold": f"It is refused with the code: {why}.", "question": question, "code": code, **asked}


def file_text(vector: Vector) -> str:
    """One vector as it stands in its file."""
    return json.dumps(vector, indent=1, ensure_ascii=False) + "\n"
