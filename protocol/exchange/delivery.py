"""What becomes of one sealed object on its way to its reader (PROTOCOL.md section 29.4).

The sender keeps one `Part` for each object of an order that waits. It is queued until a relay keeps it, held
until its reader shows a receipt or the relay's time is over, and put again a few times before it is given up.

    part = moved(part, Kept(relay, until_ms))
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from protocol.limits import RELAY_PUTS_MAX

PartState = Literal["queued", "held", "delivered", "expired"]
Delivered = Literal["delivered", "waiting", "expired"]


@dataclass(frozen=True, slots=True)
class Part:
    """One sealed object for `recipient`.

    `relay` was the last to be asked, `until_ms` is when it lets go of what it keeps, `puts` is how often one
    has kept it, and before `retry_ms` none is asked.
    """

    commitment: bytes
    recipient: bytes
    order_id: bytes
    state: PartState = "queued"
    relay: bytes | None = None
    until_ms: int = 0
    puts: int = 0
    retry_ms: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """A relay keeps it until then."""

    relay: bytes
    until_ms: int


@dataclass(frozen=True, slots=True)
class NotKept:
    """A relay refused it, or did not answer; before `retry_ms` none is asked."""

    relay: bytes
    retry_ms: int


@dataclass(frozen=True, slots=True)
class ReceiptShown:
    """The reader has shown that it has opened it."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """It is `now_ms`."""

    now_ms: int


PartEvent = Kept | NotKept | ReceiptShown | TimePassed


def moved(part: Part, event: PartEvent) -> Part:
    """Return the part after an event; one that means nothing in its state, or comes twice, changes nothing."""
    move = _MOVES.get((part.state, type(event)))
    return move(part, event) if move else part


def next_relay(part: Part, named: Sequence[bytes], open_peers: Collection[bytes]) -> bytes | None:
    """Return which of the recipient's relays to ask now: the one behind the last, of those within reach."""
    start = named.index(part.relay) + 1 if part.relay in named else 0
    return next((relay for relay in (*named[start:], *named[:start]) if relay in open_peers), None)


def delivery_of(parts: Collection[Part]) -> Delivered | None:
    """Return one word for all parts of an order, None where there is none to be delivered."""
    if not parts:
        return None
    if all(part.state == "delivered" for part in parts):
        return "delivered"
    return "expired" if any(part.state == "expired" for part in parts) else "waiting"


def _kept(part: Part, event: Kept) -> Part:
    puts = part.puts + (part.state == "queued")
    return replace(part, state="held", relay=event.relay, until_ms=event.until_ms, puts=puts)


def _not_kept(part: Part, event: NotKept) -> Part:
    return replace(part, relay=event.relay, retry_ms=event.retry_ms)


def _delivered(part: Part, _event: ReceiptShown) -> Part:
    return replace(part, state="delivered")


def _let_go(part: Part, event: TimePassed) -> Part:
    """A relay's time is over: it is put again, at the next one, but not for ever."""
    if event.now_ms < part.until_ms:
        return part
    return replace(part, state="queued" if part.puts < RELAY_PUTS_MAX else "expired")


_MOVES: Mapping[tuple[PartState, type[PartEvent]], Callable[..., Part]] = {
    ("queued", Kept): _kept,
    ("queued", NotKept): _not_kept,
    ("queued", ReceiptShown): _delivered,
    ("held", ReceiptShown): _delivered,
    ("held", TimePassed): _let_go,
    ("expired", ReceiptShown): _delivered,
}
