"""Who is behind a session, remembered until anything at all is written: then the store is asked again.

Whatever ends a session, or changes a person, is a write; when it has been acknowledged, nothing older is left here.
"""

from storage.engine import Store
from storage.people import Person, WebSession

SESSIONS_MAX = 1_024


class SessionMemory:
    """For the event loop's thread only."""

    def __init__(self, store: Store) -> None:
        """Take the store whose writes are counted."""
        self._store = store
        self._writes = store.writes
        self._known: dict[bytes, tuple[Person, WebSession]] = {}

    def find(self, token_hash: bytes, now_ms: int) -> tuple[Person, WebSession] | None:
        """Return person and session where they are known, nothing was written since, and it has not expired."""
        if self._writes != self._store.writes:
            return None
        known = self._known.get(token_hash)
        return known if known is not None and now_ms < known[1].expires_ms else None

    def keep(self, found: tuple[Person, WebSession], writes: int) -> None:
        """Remember what the store said; `writes` is how many there had been before it was asked."""
        if self._writes != writes or len(self._known) >= SESSIONS_MAX:
            self._known.clear()
        self._writes = writes
        self._known[found[1].token_hash] = found
