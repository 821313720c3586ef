"""What every node would work out for itself with one result is worked out once a process.

A signature of the same bytes holds or not for everybody, and the same bytes are the same record. The real
functions still answer, the first time; this only spares the other forty nodes. For the length of a run, and
undone after it.

    with shared_answers(): world.run()
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from protocol.errors import ProtocolError
from protocol.exchange import heads
from protocol.identity import genesis, keys
from protocol.log import fork, note, record
from protocol.log.record import BodyType, Record

_ANSWERS_KEPT = 1 << 16


@contextmanager
def shared_answers() -> Iterator[None]:
    """Let pure functions that cost much remember their answers."""
    with replaced(
        {
            keys.is_signature_valid: lru_cache(_ANSWERS_KEPT)(keys.is_signature_valid),
            note.parse_note: lru_cache(_ANSWERS_KEPT)(note.parse_note),
            heads.state_head: lru_cache(_ANSWERS_KEPT)(heads.state_head),
            heads.read_offer: lru_cache(_ANSWERS_KEPT)(heads.read_offer),
            fork.parse_fork: lru_cache(_ANSWERS_KEPT)(fork.parse_fork),
            fork.verify_fork: lru_cache(_ANSWERS_KEPT)(fork.verify_fork),
            record.decode_record: _remembering_records(),
            genesis.verify_genesis: _remembering_genesis(),
        }
    ):
        yield


@contextmanager
def replaced(functions: Mapping[Callable[..., Any], Callable[..., Any]]) -> Iterator[None]:
    """Let other functions stand in the place of some, wherever a module of the project has imported them."""
    places = [
        (module, name, value)
        for module in list(sys.modules.values())
        if module.__name__.split(".")[0] in ("protocol", "simulation")
        for name, value in list(vars(module).items())
        if callable(value) and _is_among(value, functions)
    ]
    try:
        for module, name, value in places:
            setattr(module, name, functions[value])
        yield
    finally:
        for module, name, value in places:
            setattr(module, name, value)


def _is_among(value: Any, functions: Mapping[Callable[..., Any], Callable[..., Any]]) -> bool:
    return any(value is function for function in functions)


def _remembering_records() -> Callable[..., Record]:
    decode = record.decode_record
    known: dict[bytes, Record | ProtocolError] = {}

    def decode_record(
        raw: bytes, body_types: Mapping[str, BodyType], *, record_id: bytes | None = None
    ) -> Record:
        found = known.get(raw)
        if found is None:
            try:
                found = decode(raw, body_types, record_id=record_id)
            except ProtocolError as error:
                found = error
            if len(known) >= _ANSWERS_KEPT:
                known.clear()
            known[raw] = found
        if isinstance(found, ProtocolError):
            raise found
        return found

    return decode_record


def _remembering_genesis() -> Callable[[genesis.Genesis], None]:
    verify = genesis.verify_genesis
    held: set[int] = set()
    keep: list[genesis.Genesis] = []  # so that no id is given out twice

    def verify_genesis(body: genesis.Genesis) -> None:
        if id(body) not in held:
            verify(body)
            held.add(id(body))
            keep.append(body)

    return verify_genesis
