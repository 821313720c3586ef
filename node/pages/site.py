"""The pages put together: which address leads to which page, who may see it, and what every answer carries.

A page is an `async def show_something(asked: Asked) -> Page | GoTo`; those of a POST get a form that is from our
own page. Refusals become pages in the visitor's language; nothing of a bug of ours gets out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode, urlsplit

from aiohttp import hdrs, web

from node.core import Node
from node.errors import REFUSALS, NodeError, report
from node.pages.answering import Answer, GoTo, Page, make_response, static_answer
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
_QUERY_CHARACTERS_MAX = 4_000
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
        values = {
            "visit": visit,
            "community": self._node.genesis.name,
            "here": request.path_qs,
            "now_ms": self._node.clock.now(),
            "writing": self._node.writer.refuses_because,
        }
        response = make_response(self._rendering, request, answer, language=visit.language, values=values)
        if visit.is_new and not response.prepared:
            keep_cookie(response, request, VISIT_COOKIE, visit.visit_token, SESSION_SECONDS)
        return response

    def _to_login(self, request: web.Request, visit: Visit) -> web.StreamResponse:
        """Who is not logged in may do so and comes back; who is, is told that this is not for them."""
        if visit.person is None:
            return self._respond(request, visit, GoTo("/login?" + urlencode({"back": _asked_for(request)})))
        return self._respond(request, visit, _refusal_page(NodeError("role_missing"), visit))

    async def _static(self, request: web.Request) -> web.StreamResponse:
        return static_answer(self._rendering, request)


async def _show_nowhere(asked: Asked) -> Answer:
    raise NodeError("not_found", asked.http.path[:200])


_NOWHERE = PageRoute(method="GET", path="/{anywhere}", show=_show_nowhere)


def _asked_for(request: web.Request) -> str:
    """Return where to go on after logging in: the page, or the one whose form found nobody logged in."""
    if request.method != hdrs.METH_POST:
        return request.path_qs
    page = urlsplit(request.headers.get(hdrs.REFERER, ""))
    return page.path if page.netloc == request.host else request.rel_url.raw_path


def _refusal_page(error: BaseException, visit: Visit) -> Page:
    said = report(error, language=visit.language)
    return Page("refusal.html", {"said": said}, status=said.status)
