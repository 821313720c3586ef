"""How far a run is, on a terminal's standard error: one line that is written over.

with Progress("crashes, seed 7") as progress:
    progress.show(0.4, "12 power cuts")
"""

import sys
import time
from types import TracebackType
from typing import Self

_EVERY_SECONDS = 0.2


class Progress:
    """One line; silent where nobody looks at a terminal."""

    def __init__(self, what: str) -> None:
        """Take what is being done."""
        self._what = what
        self._is_seen = sys.stderr.isatty()
        self._next = 0.0

    def __enter__(self) -> Self:
        """Begin."""
        self.show(0.0, "")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the line away."""
        if self._is_seen:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def show(self, part: float, words: str) -> None:
        """Say which part is done, 0 to 1, a few times a second at most."""
        now = time.monotonic()
        if self._is_seen and now >= self._next:
            self._next = now + _EVERY_SECONDS
            sys.stderr.write(f"\r\033[K{self._what}: {part:4.0%} {words}")
            sys.stderr.flush()
