"""The frames between a relay and those who leave and fetch deliveries there (PROTOCOL.md section 29).

A *delivery* is a sealed object for one recipient from one sender. A relay sees both, its size and its time.
"""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.exchange.frames.fields import Count, Hash
from protocol.exchange.frames.objects import SealedObject
from protocol.limits import (
    RELAY_BYTES_MAX,
    RELAY_DAYS_MAX,
    RELAY_OBJECTS_MAX,
    RELAY_PAGE_MAX,
    RELAY_SENDERS_MAX,
    SEALED_OBJECTS_MAX,
)

SECONDS_A_DAY = 86_400

_Objects = Annotated[tuple[SealedObject, ...], Meta(min_length=1, max_length=SEALED_OBJECTS_MAX)]
_Commitments = Annotated[tuple[Hash, ...], Meta(max_length=SEALED_OBJECTS_MAX)]


class RelayRegister(Struct, frozen=True, array_like=True, tag="relay_register"):
    """Asks a relay to keep deliveries from these communities for the asker; none of them: it need not any more."""

    number: Count
    senders: Annotated[tuple[Hash, ...], Meta(max_length=RELAY_SENDERS_MAX)]


class RelayTerms(Struct, frozen=True, array_like=True, tag="relay_terms"):
    """It does: so many objects, so many bytes of ciphertext, so many days."""

    number: Count
    objects_max: Annotated[int, Meta(ge=0, le=RELAY_OBJECTS_MAX)]
    bytes_max: Annotated[int, Meta(ge=0, le=RELAY_BYTES_MAX)]
    days: Annotated[int, Meta(ge=1, le=RELAY_DAYS_MAX)]


class RelayPut(Struct, frozen=True, array_like=True, tag="relay_put"):
    """Leaves sealed objects for a recipient, each with one wrapped key, the recipient's."""

    number: Count
    recipient: Hash
    objects: _Objects


class RelayKept(Struct, frozen=True, array_like=True, tag="relay_kept"):
    """The commitments that are kept now, synced to disk, and for how long."""

    number: Count
    kept: _Commitments
    seconds: Annotated[int, Meta(ge=1, le=RELAY_DAYS_MAX * SECONDS_A_DAY)]


class RelayList(Struct, frozen=True, array_like=True, tag="relay_list"):
    """Asks what has come since row `after`: deliveries for the asker, receipts for what it has put."""

    number: Count
    after: Count


class Delivery(Struct, frozen=True, array_like=True):
    """A delivery that waits for the asker."""

    sender: Hash
    commitment: Hash


class Receipt(Struct, frozen=True, array_like=True):
    """What shows that somebody who can open a sealed object has it."""

    commitment: Hash
    receipt: Hash


class RelayListed(Struct, frozen=True, array_like=True, tag="relay_listed"):
    """A page of them; `through` is the row behind it."""

    number: Count
    through: Count
    has_more: bool
    waiting: Annotated[tuple[Delivery, ...], Meta(max_length=RELAY_PAGE_MAX)]
    taken: Annotated[tuple[Receipt, ...], Meta(max_length=RELAY_PAGE_MAX)]


class RelayGet(Struct, frozen=True, array_like=True, tag="relay_get"):
    """Asks for deliveries of one sender; the answer is `sealed`."""

    number: Count
    sender: Hash
    commitments: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=SEALED_OBJECTS_MAX)]


class RelayTaken(Struct, frozen=True, array_like=True, tag="relay_taken"):
    """Says to a relay, or to the sender itself, that the asker has these objects of that sender, synced."""

    number: Count
    sender: Hash
    receipts: Annotated[tuple[Receipt, ...], Meta(min_length=1, max_length=RELAY_PAGE_MAX)]


class RelayDropped(Struct, frozen=True, array_like=True, tag="relay_dropped"):
    """None of them waits any more."""

    number: Count


class RelayNotice(Struct, frozen=True, array_like=True, tag="relay_notice"):
    """Pushed by a relay: its list has something new for you. Where it is lost, the next list says the same."""
