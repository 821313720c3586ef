"""What relays last said to this node: what they keep for it, and what waits there. In memory alone.

It is asked for anew with every session; the desk fetches from it.
"""

from collections.abc import Callable, Collection, Iterable

from protocol.exchange.frames import Delivery, RelayTerms
from protocol.limits import RELAY_OBJECTS_MAX


class Deliveries:
    """Per relay the deliveries that it lists, and its terms or the code of its refusal."""

    def __init__(self) -> None:
        """Start with nothing said."""
        self.terms: dict[bytes, RelayTerms | str] = {}
        self._waiting: dict[bytes, dict[Delivery, None]] = {}
        self._has_news: Callable[[], None] = lambda: None

    def listen(self, has_news: Callable[[], None]) -> None:
        """Call this whenever a relay lists something."""
        self._has_news = has_news

    def note_terms(self, relay: bytes, terms: RelayTerms | None, code: str) -> None:
        """Hear what a relay keeps, or why nothing."""
        self.terms[relay] = terms or code

    def note_waiting(self, relay: bytes, waiting: Collection[Delivery]) -> None:
        """Hear what waits at a relay, besides what was said before; what did not come then is tried again now."""
        listed = self._waiting.setdefault(relay, {})
        listed.update(dict.fromkeys(waiting))
        for delivery in list(listed)[: max(0, len(listed) - RELAY_OBJECTS_MAX)]:
            del listed[delivery]
        if listed:
            self._has_news()

    def waiting(self) -> dict[bytes, tuple[Delivery, ...]]:
        """Return what waits, by relay."""
        return {relay: tuple(listed) for relay, listed in self._waiting.items() if listed}

    def forget(self, relay: bytes, deliveries: Iterable[Delivery]) -> None:
        """Let go of what was fetched."""
        listed = self._waiting.get(relay, {})
        for delivery in deliveries:
            listed.pop(delivery, None)
