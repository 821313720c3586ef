"""What a page answers with, made into a response: HTML in the reader's language, and the headers of every answer.

return Page("order.html", {"order": order})
return GoTo("/desk")
response = make_response(rendering, request, answer, language="en", values={"visit": visit})
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import hdrs, web

from node.errors import NodeError
from node.pages.rendering import Rendering
from node.pages.visit import keep_cookie

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
STATIC_SECONDS = 365 * 86_400
_PACKING_LEVEL = 2
_GZIP_WINDOW = 15 + 16  # zlib's word for gzip
_STATIC_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Page:
    """A whole page; `values` are for the template besides those that every page has."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class GoTo:
    """The way to another page after a form was done; `cookies` are set on the way (name, value, seconds)."""

    location: str
    cookies: tuple[tuple[str, str, int], ...] = ()


Answer = Page | GoTo | web.StreamResponse


def make_response(
    rendering: Rendering, request: web.Request, answer: Answer, *, language: str, values: Mapping[str, Any]
) -> web.StreamResponse:
    """Return the response to a request; `values` are those of every page, a page's own come on top."""
    if isinstance(answer, Page):
        response = _html(rendering, request, answer, language, values)
    elif isinstance(answer, GoTo):
        response = _redirect(request, answer)
    else:
        response = answer
    if not response.prepared:
        response.headers.update(SECURITY_HEADERS)
        response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    return response


def static_answer(rendering: Rendering, request: web.Request) -> web.Response:
    """Return one of the files that pages load; its address changes with its content, so it is kept for long."""
    path = rendering.static_file(request.match_info["mark"], request.match_info["name"])
    if path is None:
        raise NodeError("not_found")
    response = web.Response(body=path.read_bytes(), content_type=_STATIC_TYPES[path.suffix], charset="utf-8")
    response.headers[hdrs.CACHE_CONTROL] = f"public, max-age={STATIC_SECONDS}, immutable"
    response.headers.update(SECURITY_HEADERS)
    response.enable_compression()
    return response


def _html(
    rendering: Rendering, request: web.Request, page: Page, language: str, values: Mapping[str, Any]
) -> web.StreamResponse:
    text = rendering.page(page.template, language=language, values={**values, **page.values})
    body, is_packed = text.encode(), "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower()
    headers = {hdrs.CONTENT_LANGUAGE: language, hdrs.VARY: hdrs.ACCEPT_ENCODING}
    if is_packed:
        body, headers[hdrs.CONTENT_ENCODING] = _packed(body), "gzip"
    return web.Response(
        body=body, status=page.status, content_type="text/html", charset="utf-8", headers=headers
    )


def _packed(body: bytes) -> bytes:
    """Lightly: at twice the work a page is a twentieth smaller."""
    packing = zlib.compressobj(_PACKING_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return packing.compress(body) + packing.flush()


def _redirect(request: web.Request, answer: GoTo) -> web.StreamResponse:
    response = web.Response(status=web.HTTPSeeOther.status_code, headers={hdrs.LOCATION: answer.location})
    for name, value, seconds in answer.cookies:
        keep_cookie(response, request, name, value, seconds)
    return response
