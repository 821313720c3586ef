"""Options that several commands share, and how what a person types becomes fields of a request."""

import json
import re
from collections.abc import Callable, Sequence
from gettext import gettext as _
from typing import Any

import click

from node.locale import CHINESE, ENGLISH

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_PERCENT = re.compile(r"(0|[1-9][0-9]{0,2})(?:\.([0-9]{1,2}))?%?")


def words(name: str, help_text: str) -> Decorator:
    """Add --NAME-zh and --NAME-en; `words_of` makes a language map of them."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        function = click.option(f"--{name}-en", help=help_text + _(" In English."))(function)
        return click.option(f"--{name}-zh", help=help_text + _(" In Chinese."))(function)

    return add


def words_of(options: dict[str, Any], name: str) -> dict[str, str] | None:
    """Take both texts out of a command's options; None where neither was given."""
    found = {CHINESE: options.pop(f"{name}_zh"), ENGLISH: options.pop(f"{name}_en")}
    return {language: text for language, text in found.items() if text} or None


def sector_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --sector."""
    return click.option("--sector", required=True, help=_("The market: food, frozen, fashion, …"))(function)


def community_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --community."""
    return click.option("--community", help=_("A community's id; without one, our own."))(function)


def percent(text: str) -> int:
    """Return the basis points of a percentage such as 13, 7.5 or 0.25%."""
    found = _PERCENT.fullmatch(text)
    if found is None:
        raise click.BadParameter(_("{text} is no percentage; write 7.5 for instance").format(text=text))
    return int(found[1] + (found[2] or "").ljust(2, "0"))


def amount(text: str, currency: str) -> int:
    """Return the minor units of an amount as people write it; raises `AmountError`."""
    from protocol.amounts.money import parse_amount

    return parse_amount(text, currency)


def pairs(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Split NAME=VALUE texts."""
    found = [text.partition("=") for text in texts]
    for name, equals, value in found:
        if not name or not equals:
            raise click.BadParameter(_("{text} is not NAME=VALUE").format(text=name + equals + value))
    return [(name, value) for name, _equals, value in found]


def attributes_of(texts: Sequence[str]) -> dict[str, Any] | None:
    """Return attributes from NAME=VALUE texts; a whole number, true and false are what they look like."""
    return {name: _value(value) for name, value in pairs(texts)} or None


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that were given: not None, and no empty list."""
    return {name: value for name, value in fields.items() if value not in (None, (), [])}


def object_of(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in a file's bytes, or raise click's error."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(_("the file is no JSON: {error}").format(error=error)) from error
    if not isinstance(value, dict):
        raise click.BadParameter(_("the file holds no JSON object"))
    return value


def _value(text: str) -> int | bool | str:
    if re.fullmatch(r"-?(0|[1-9][0-9]{0,14})", text):
        return int(text)
    return {"true": True, "false": False}.get(text, text)
