"""The frames that open, keep and end a session (PROTOCOL.md sections 17.3 to 17.5)."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.exchange.frames.fields import Code, Count, Key, Nonce, Signature
from protocol.limits import (
    CODE_CHARACTERS_MAX,
    FRAME_BYTES_MAX,
    GRANT_BYTES_SECOND_MIN,
    INTEGER_MAX,
    RECORD_BYTES_MAX,
    REQUESTS_MAX,
)


class Grant(Struct, frozen=True, array_like=True):
    """What a side takes in unasked from the other: bytes a second, bytes at once, requests a second."""

    bytes_second: Annotated[int, Meta(ge=GRANT_BYTES_SECOND_MIN, le=INTEGER_MAX)]
    bytes_burst: Annotated[int, Meta(ge=FRAME_BYTES_MAX, le=INTEGER_MAX)]
    requests_second: Annotated[int, Meta(ge=REQUESTS_MAX, le=INTEGER_MAX)]


class Hello(Struct, frozen=True, array_like=True, tag="hello"):
    """First word of both sides: who speaks, in which versions, and a nonce that makes this session unique."""

    version_lowest: Annotated[int, Meta(ge=1, le=65_535)]
    version_highest: Annotated[int, Meta(ge=1, le=65_535)]
    role: Annotated[str, Meta(pattern=r"\A(dialer|listener)\Z")]
    genesis: Annotated[bytes, Meta(min_length=1, max_length=RECORD_BYTES_MAX)]
    transport_key: Key
    nonce: Nonce
    requests_max: Annotated[int, Meta(ge=1, le=REQUESTS_MAX)]
    time_ms: Count
    grant: Grant | None = None


class Proof(Struct, frozen=True, array_like=True, tag="proof"):
    """The transport key's signature of the transcript."""

    signature: Signature


class Refused(Struct, frozen=True, array_like=True, tag="refused"):
    """A request is not answered; `code` says why. With `number` 0 it is about a frame that is no request."""

    number: Count
    code: Code
    about: Annotated[str, Meta(max_length=CODE_CHARACTERS_MAX)]


class Ping(Struct, frozen=True, array_like=True, tag="ping"):
    """Asks for a pong with the same number."""

    number: Count


class Pong(Struct, frozen=True, array_like=True, tag="pong"):
    """Answers the ping of that number."""

    number: Count


class Bye(Struct, frozen=True, array_like=True, tag="bye"):
    """The last frame of a session and why it ends."""

    code: Code
