"""Who visits: the person behind a session, the language, and the key that proves a form is from our own page.

Cookies: `wildgrass_session` (a person's, until it ends), `wildgrass_visit` (random, so that a visitor's forms can be
told from forged ones), `wildgrass_language`. None of them is readable by a script.
"""

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from node.actions.people import PersonAnswer
from node.actions.sessions import SessionToken, person_of_session
from node.core import Node
from node.errors import NodeError
from node.locale import LANGUAGES, pick_language
from protocol.identity.keys import to_base32

SESSION_COOKIE = "wildgrass_session"
VISIT_COOKIE = "wildgrass_visit"
LANGUAGE_COOKIE = "wildgrass_language"
SESSION_SECONDS = 30 * 86_400
LANGUAGE_SECONDS = 365 * 86_400
KEY_CHARACTERS = 26

Role = Literal["visitor", "member", "shopkeeper", "steward"]
_RANKS: dict[Role, int] = {"visitor": 0, "member": 1, "shopkeeper": 2, "steward": 3}
_TOKEN_CHARACTERS = 52
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request's visitor. `visit_token` is new where the browser has none yet."""

    language: str
    person: PersonAnswer | None
    session_token: str | None
    visit_token: str
    is_new: bool
    form_key: str

    @property
    def role(self) -> Role:
        """What the visitor may do."""
        return "visitor" if self.person is None else self.person.role

    def may(self, role: Role) -> bool:
        """Whether the visitor has this role or a higher one."""
        return _RANKS[self.role] >= _RANKS[role]


class Seals:
    """Keyed marks that only this node makes: for forms, and for links to one order.

    The key is derived from a key of the community that never leaves the node, so links outlive a restart.
    """

    def __init__(self, seed: bytes) -> None:
        """Take the 32 secret bytes to derive from."""
        self._key = hmac.digest(seed, b"wildgrass/v1/pages\n", "sha256")

    def mark(self, purpose: str, text: str) -> str:
        """Return 26 characters that prove `text` for this purpose."""
        return to_base32(hmac.digest(self._key, f"{purpose}\n{text}".encode(), sha256))[:KEY_CHARACTERS]

    def is_mark(self, given: str, purpose: str, text: str) -> bool:
        """Whether `given` is that mark, in constant time."""
        return hmac.compare_digest(given.encode(), self.mark(purpose, text).encode())


async def read_visit(node: Node, request: web.Request, seals: Seals, default_language: str) -> Visit:
    """Return who asks. A session that has ended is a visitor's request."""
    session_token = _token(request, SESSION_COOKIE)
    person = await person_of_session(node, SessionToken(token=session_token)) if session_token else None
    visit_token = _token(request, VISIT_COOKIE)
    bound_to = session_token if person else visit_token
    is_new = not bound_to
    visit_token = visit_token or to_base32(secrets.token_bytes(_TOKEN_BYTES))
    return Visit(
        language=language_of_request(request, default_language),
        person=person,
        session_token=session_token if person else None,
        visit_token=visit_token,
        is_new=is_new,
        form_key=seals.mark("form", bound_to or visit_token),
    )


def language_of_request(request: web.Request, default_language: str) -> str:
    """Return the language that was chosen in this browser, else the one that it asks for."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    return pick_language(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""), default_language)


def check_form(request: web.Request, visit: Visit, given: str) -> None:
    """Refuse a form that is not from one of our pages in this browser: `form_foreign`."""
    origin = request.headers.get(hdrs.ORIGIN)
    is_ours = origin in (None, "null") or urlsplit(origin).netloc == request.host
    if not is_ours or not hmac.compare_digest(given.encode(), visit.form_key.encode()):
        raise NodeError("form_foreign")


def keep_cookie(
    response: web.StreamResponse, request: web.Request, name: str, value: str, seconds: int
) -> None:
    """Set one of our cookies; `Secure` where the page came over TLS, a LAN's plain HTTP cannot have it."""
    response.set_cookie(
        name, value, max_age=seconds, path="/", httponly=True, samesite="Lax", secure=is_secure(request)
    )


def is_secure(request: web.Request) -> bool:
    """Whether the browser sees https, here or at the proxy in front of us."""
    return request.secure or request.headers.get("X-Forwarded-Proto", "") == "https"


def _token(request: web.Request, name: str) -> str | None:
    value = request.cookies.get(name, "")
    return value if len(value) == _TOKEN_CHARACTERS and value.isascii() and value.isalnum() else None
