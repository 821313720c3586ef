"""The lists of all peers, open or gone, and our places in them (PROTOCOL.md section 18.1).

A place outlives its session in memory, and a restart on disk. Whoever makes up many communities costs us no
more than `PLACES_MAX` places of peers that are gone.

    effects = places.tell(peer, Wanted())
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass

from protocol.exchange.listing import Closed, Effect, Event, HeadsListing, Place
from protocol.limits import PLACES_MAX


@dataclass(frozen=True, slots=True)
class KeepPlace:
    """Keep how far a peer's list is taken in: everything that was listed up to there is stored or unwanted."""

    peer: bytes
    place: Place


class Places:
    """One `HeadsListing` a peer, and which of their places are on disk."""

    def __init__(self) -> None:
        """Start without a place in anybody's list."""
        self._listings: dict[bytes, HeadsListing] = {}
        self._kept: dict[bytes, Place] = {}

    def load(self, places: Mapping[bytes, Place]) -> None:
        """Take the places that were kept before this start."""
        self._kept = dict(places)
        self._listings = {peer: HeadsListing(peer, place) for peer, place in places.items()}

    def tell(self, peer: bytes, event: Event) -> list[Effect]:
        """Tell a peer's listing what happened; one that is met for the first time begins here."""
        return self._listings.setdefault(peer, HeadsListing(peer)).handle(event)

    def doubt(self, *peers: bytes) -> None:
        """Hear that something that these peers listed (nobody named: all) was not fetched."""
        for peer in peers or self._listings:
            if peer in self._listings:
                self._listings[peer].doubt()

    def keep(self, peer: bytes) -> list[KeepPlace]:
        """Return what is to be stored of a peer's place, all of whose offers are stored or unwanted by now."""
        place = self._listings[peer].settled_place
        if place is None or place == self._kept.get(peer):
            return []
        self._kept[peer] = place
        return [KeepPlace(peer, place)]

    def close(self, peer: bytes, *, open_peers: Container[bytes]) -> None:
        """Hear that a session is over; places beyond the bound are forgotten, those on disk last."""
        self._listings[peer].handle(Closed())
        gone = [other for other in self._listings if other not in open_peers]
        gone.sort(key=self._kept.__contains__)
        for other in gone[: max(len(gone) - PLACES_MAX, 0)]:
            del self._listings[other]
            self._kept.pop(other, None)
