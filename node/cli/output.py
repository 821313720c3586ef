"""What a command prints: one JSON object, or lines and tables for a person."""

import json
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import click

from node.locale import language_of_environment

_WIDE = frozenset("WF")
_GAP = "  "


def print_json(value: Mapping[str, Any]) -> None:
    """Print one object on one line, whatever the terminal's encoding."""
    click.echo(json.dumps(value, ensure_ascii=not _speaks_utf8(), separators=(",", ":")))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table; Chinese characters count two columns."""
    columns = list(zip(headings, *rows, strict=True))
    widths = [max(map(width, column)) for column in columns]
    return [
        _GAP.join(cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)).rstrip()
        for row in (headings, *rows)
    ]


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in _WIDE else 1
        for sign in text
    )


def in_words(texts: Mapping[str, str]) -> str:
    """Return the text of a language map that this reader knows best, on one line."""
    language = language_of_environment(os.environ)
    chosen = texts.get(language) or next(iter(texts.values()), "")
    return " ".join(sign for sign in chosen.split() if sign.isprintable())


def money(amount_minor: int, currency: str) -> str:
    """Return an amount as people write it."""
    from protocol.amounts.money import format_minor

    return f"{format_minor(amount_minor, currency)} {currency}"


def moment(time_ms: int) -> str:
    """Return a time of a record in this machine's zone."""
    from datetime import datetime

    return datetime.fromtimestamp(time_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


def _speaks_utf8() -> bool:
    encoding = sys.stdout.encoding or ""
    return encoding.lower().replace("-", "") == "utf8"
