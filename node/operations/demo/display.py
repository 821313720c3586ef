"""What a person sees while the demo runs: a line a chapter, growing on a terminal, plain lines elsewhere.

with display.chapter("publish", _("They publish their shops and listings.")) as chapter:
    chapter.count(12, 80)
    chapter.note("...")
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import TextIO

from node.cli.output import width

REDRAW_SECONDS = 0.08

_BAR_COLUMNS = 20
_CLEAR_LINE = "\r\x1b[K"


class Chapter:
    """One step while it goes on."""

    def __init__(self, display: "Display", text: str) -> None:
        """Take where it is shown and its sentence."""
        self._display = display
        self._done = 0
        self.text = text
        self.notes: list[str] = []

    def count(self, done: int, total: int) -> None:
        """Say how far it is."""
        self._done = done
        filled = _BAR_COLUMNS * done // max(total, 1)
        self._display.draw(f"{'█' * filled}{'░' * (_BAR_COLUMNS - filled)} {done}/{total}  {self.text}")

    def one_more(self, total: int) -> None:
        """Say that one more of them is done."""
        self.count(self._done + 1, total)

    def note(self, text: str) -> None:
        """Keep a remark that stands under the chapter when it is over."""
        self.notes.append(text)


class Display:
    """Writes to one stream; `seconds` are those of each chapter by its key."""

    def __init__(self, stream: TextIO, *, is_terminal: bool) -> None:
        """Take a stream, and whether its last line may be drawn again."""
        self._stream = stream
        self._is_terminal = is_terminal
        self._drawn_at = 0.0
        self.seconds: dict[str, float] = {}

    @contextmanager
    def chapter(self, key: str, text: str) -> Iterator[Chapter]:
        """Show a step from its beginning to its end; one that fails leaves no half line."""
        chapter, began = Chapter(self, text), time.monotonic()
        self._drawn_at = 0.0
        self.draw(f"… {text}")
        try:
            yield chapter
        except BaseException:
            self._write(_CLEAR_LINE if self._is_terminal else "")
            raise
        seconds = time.monotonic() - began
        self.seconds[key] = round(self.seconds.get(key, 0.0) + seconds, 2)
        self._write((_CLEAR_LINE if self._is_terminal else "") + f"✓ {seconds:5.1f} s  {text}\n")
        for note in chapter.notes:
            self.line("             " + note)

    def line(self, text: str = "") -> None:
        """Write one line that stays."""
        self._write(text + "\n")

    def draw(self, text: str) -> None:
        """Draw the last line anew where that is possible, and not more often than an eye follows."""
        now = time.monotonic()
        if self._is_terminal and now - self._drawn_at >= REDRAW_SECONDS:
            self._drawn_at = now
            self._write(_CLEAR_LINE + _fitting(text, get_terminal_size().columns - 1))

    def _write(self, text: str) -> None:
        if text:
            encoding = self._stream.encoding or "utf-8"
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
            self._stream.flush()


def _fitting(text: str, columns: int) -> str:
    """The start of a text that stays on one line; a line that wraps could not be drawn over."""
    while width(text) > columns:
        text = text[:-1]
    return text
