"""The pages put together: which address leads to which page, who may see it, and what every answer carries.

A page is an `async def show_something(asked: Asked) -> Page | Part | GoTo`; those of a POST get a form that is
from our own page. Refusals become pages in the visitor's language; nothing of a bug of ours gets out.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import hdrs, web

from node.core import Node
from node.errors import REFUSALS, NodeError, report
from node.pages.forms import FORM_KEY, SENDING_SECONDS_MAX, Form, read_form
from node.pages.rendering import Rendering
from node.pages.visit import (
    SESSION_SECONDS,
    VISIT_COOKIE,
    Role,
    Seals,
    Visit,
    check_form,
    keep_cookie,
    read_visit,
)

log = logging.getLogger("wildgrass.pages")

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a page is asked, and by whom. `form` is empty where nothing was posted."""

    node: Node
    http: web.Request
    visit: Visit
    seals: Seals
    form: Form

    @property
    def path(self) -> Mapping[str, str]:
        """The named parts of the address."""
        return self.http.match_info

    def query(self, name: str, default: str = "") -> str:
        """Return one field of the query."""
        return self.http.query.get(name, default)[:_QUERY_CHARACTERS_MAX]

    def query_number(self, name: str) -> int | None:
        """Return a whole number of the query, or None where it is none."""
        text = self.query(name)
        is_number = text.isascii() and text.isdigit() and len(text) <= _QUERY_DIGITS_MAX
        return int(text) if is_number else None


Show = Callable[[Asked], Awaitable[Answer]]
_QUERY_CHARACTERS_MAX = 500
_QUERY_DIGITS_MAX = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRoute:
    """One address. `needs` is the lowest role that may see it.

    `is_secret_address` says that a token in it shows already that a form is from our own page.
    """

    method: Literal["GET", "POST"]
    path: str
    show: Show
    needs: Role = "visitor"
    is_secret_address: bool = False


class Site:
    """All pages of one node."""

    def __init__(self, node: Node, routes: Iterable[PageRoute], *, default_language: str) -> None:
        """Take the node and its pages."""
        self._node = node
        self._routes = tuple(routes)
        self._default_language = default_language
        self._rendering = Rendering()
        self._seals = Seals(node.vault.transport_seed)

    def add_to(self, app: web.Application) -> None:
        """Add every page, the files that they load, and the page for addresses that lead nowhere."""
        for route in self._routes:
            app.router.add_route(route.method, route.path, self._handler(route))
        app.router.add_get("/static/{mark}/{name}", self._static)
        app.router.add_get("/{anywhere:(?!api/|lanes/).*}", self._handler(_NOWHERE))

    def _handler(self, route: PageRoute) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            visit = await read_visit(self._node, request, self._seals, self._default_language)
            try:
                if not visit.may(route.needs):
                    return self._to_login(request, visit)
                answer = await route.show(await self._asked(route, request, visit))
            except web.HTTPException:
                raise
            except REFUSALS as error:
                answer = _refusal_page(error, visit)
            return self._respond(request, visit, answer)

        return handle

    async def _asked(self, route: PageRoute, request: web.Request, visit: Visit) -> Asked:
        form = Form({}, {})
        if route.method == "POST":
            try:
                async with asyncio.timeout(SENDING_SECONDS_MAX):
                    form = await read_form(request)
            except TimeoutError as error:
                raise NodeError("request_too_slow") from error
            if not route.is_secret_address:
                check_form(request, visit, form[FORM_KEY])
        return Asked(node=self._node, http=request, visit=visit, seals=self._seals, form=form)

    def _respond(self, request: web.Request, visit: Visit, answer: Answer) -> web.StreamResponse:
        response = self._made(request, visit, answer)
        if response.prepared:
            return response
        response.headers.update(SECURITY_HEADERS)
        response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
        if visit.is_new:
            keep_cookie(response, request, VISIT_COOKIE, visit.visit_token, SESSION_SECONDS)
        return response

    def _made(self, request: web.Request, visit: Visit, answer: Answer) -> web.StreamResponse:
        if isinstance(answer, web.StreamResponse):
            return answer
        if isinstance(answer, GoTo):
            response = web.Response(
                status=web.HTTPSeeOther.status_code, headers={hdrs.LOCATION: answer.location}
            )
            for name, value, seconds in answer.cookies:
                keep_cookie(response, request, name, value, seconds)
            return response
        values = {
            "visit": visit,
            "community": self._node.genesis.name,
            "here": request.path_qs,
            "now_ms": self._node.clock.now(),
            "writing": self._node.writer.refuses_because,
            **answer.values,
        }
        text = self._rendering.page(answer.template, language=visit.language, values=values)
        response = web.Response(text=text, status=answer.status, content_type="text/html")
        response.headers[hdrs.CONTENT_LANGUAGE] = visit.language
        response.enable_compression()
        return response

    def _to_login(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        """Who is not logged in may do so and comes back; who is, is told that this is not for them."""
        if visit.person is None:
            return self._respond(request, visit, GoTo(f"/login?back={request.path}"))
        return self._respond(request, visit, _refusal_page(NodeError("role_missing"), visit))

    async def _static(self, request: web.Request) -> web.StreamResponse:
        return static_answer(self._rendering, request)


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


async def _show_nowhere(asked: Asked) -> Answer:
    raise NodeError("not_found", asked.http.path[:200])


_NOWHERE = PageRoute(method="GET", path="/{anywhere}", show=_show_nowhere)


def _refusal_page(error: BaseException, visit: Visit) -> Page:
    said = report(error, language=visit.language)
    return Page("refusal.html", {"said": said}, status=said.status)
