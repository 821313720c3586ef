"""Cards: parts of pages that depend on what they show and on nothing else, made once and kept for a while.

A card is kept under a hash of all that its template is given, so another price, another state and the form of
another visitor are another card; of the visitor a template here knows nothing but what it is given.

    {{ listing|found_card(listing.community != own) }}
"""

from collections.abc import Callable
from functools import partial
from hashlib import blake2b

import msgspec
from jinja2 import Environment
from markupsafe import Markup

CARDS_MAX = 1_024  # of one kind in one language, about 700 bytes each

_KEY_BYTES = 16
_KINDS = {
    "found_card": ("found_card.html", ("listing", "is_neighbour")),
    "offered_card": ("offered_card.html", ("listing", "heading")),
    "due_card": ("due_card.html", ("order", "needs", "time_left", "wish", "form_key")),
}
_encode = msgspec.msgpack.Encoder().encode


class Cards:
    """The cards of one kind in one language."""

    def __init__(
        self, make: Callable[..., str], names: tuple[str, ...], *, cards_max: int = CARDS_MAX
    ) -> None:
        """Take what renders the template, and the names under which it knows what it is given."""
        self._make = make
        self._names = names
        self._cards_max = cards_max
        self._kept: dict[bytes, Markup] = {}

    def __call__(self, *shown: object) -> Markup:
        """Return the card as HTML."""
        key = blake2b(_encode(shown), digest_size=_KEY_BYTES).digest()
        card = self._kept.get(key)
        if card is None:
            card = Markup(self._make(dict(zip(self._names, shown, strict=True))))  # noqa: S704  a template's
            if len(self._kept) >= self._cards_max:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = card
        return card


def card_filters(environment: Environment) -> dict[str, Cards]:
    """Return the filters that make cards from the templates of `environment`."""
    return {
        name: Cards(partial(_render, environment, template), names)
        for name, (template, names) in _KINDS.items()
    }


def _render(environment: Environment, template: str, values: dict[str, object]) -> str:
    return environment.get_template(template).render(values)
