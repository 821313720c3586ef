"""The language of the pages: a link changes it and leads back."""

from node.errors import NodeError
from node.locale import LANGUAGES
from node.pages.answering import GoTo
from node.pages.site import Asked, PageRoute
from node.pages.visit import LANGUAGE_COOKIE, LANGUAGE_SECONDS

BACK_CHARACTERS_MAX = 3_000


def way_back(given: str) -> str:
    """Return the address to go back to where it is one of ours, else the first page."""
    is_ours = given.startswith("/") and not given.startswith(("//", "/\\")) and given.isprintable()
    return given if is_ours and len(given) <= BACK_CHARACTERS_MAX else "/"


async def choose_language(asked: Asked) -> GoTo:
    """Keep the chosen language in a cookie."""
    language = asked.path["language"]
    if language not in LANGUAGES:
        raise NodeError("not_found", language[:20])
    return GoTo(way_back(asked.query("back", "/")), ((LANGUAGE_COOKIE, language, LANGUAGE_SECONDS),))


LANGUAGE_PAGES = (PageRoute(method="GET", path="/language/{language}", show=choose_language),)
