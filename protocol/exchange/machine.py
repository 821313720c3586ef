"""What the machines of one node have in common, and how they speak to peers and to each other.

A machine has one concern: which lanes to fetch, whose statements to pass on. It is told events and returns
effects; those here are not for the driver but for the `Exchange` that holds all machines (exchange.py).
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from protocol.exchange.frames import Answer, Request


@dataclass(frozen=True, slots=True)
class AskPeer:
    """Ask an open peer for this machine; the `PeerAnswered` bears the same `about`."""

    peer: bytes
    request: Request
    about: Hashable


@dataclass(frozen=True, slots=True)
class PeerAnswered:
    """The end of an `AskPeer`: an answer, which may be `Refused`, or None and the code of why not."""

    peer: bytes
    about: Hashable
    answer: Answer | None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell an event to whichever machines of this node hear it."""

    event: Any


class Machine(Protocol):
    """One concern of a node among its peers.

    `HEARS` are the events it is told, `PeerAnswered` and `Woken` aside: those come where it asked for them.
    `FRAMES` are the frames that are its own affair: neither requests nor answers, but what peers push.
    """

    HEARS: ClassVar[frozenset[type]]
    FRAMES: ClassVar[frozenset[type]]

    def handle(self, event: Any, now_ms: int) -> list[Any]:
        """Take one event and return what to do, in order."""
