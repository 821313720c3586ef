"""The pages of a node that has no community yet: language, name, currency. Founded is once and for ever.

They stand on the node's own socket until the community exists. Only who has the printed link gets past the
first word; the token in it is known to this process alone.

    async with founding_pages(settings, listening, announce=announce, stopping=stopping) as founder: ...
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from babel.numbers import get_currency_name

from node.actions.policies import DEFAULT_POLICY
from node.api.frame import Gate, build_app
from node.api.health import health_routes
from node.api.server import HttpServer
from node.config import Settings
from node.errors import REFUSALS, NodeError, report
from node.files import KIT_FILE, write_private
from node.locale import CHINESE, ENGLISH, LANGUAGES
from node.locale import marked as _
from node.operations.lifecycle import Listening, reachable_address
from node.operations.metrics import Metrics
from node.pages.answering import Answer, GoTo, Page, make_response, static_answer
from node.pages.formats import locale_of
from node.pages.forms import Form, FormRefused, first_field, read_form
from node.pages.recovering import RecoveryRun, posted
from node.pages.rendering import Rendering
from node.pages.visit import LANGUAGE_COOKIE, LANGUAGE_SECONDS, language_of_request
from node.recovery.marker import read_marker
from node.vault import found_community, has_vault
from node.vault.kit import Kit, kit_text
from node.version import VERSION
from node.writer.clock import system_clock
from protocol.amounts.money import CURRENCY_EXPONENTS
from protocol.identity.keys import to_base32
from protocol.limits import TITLE_CHARACTERS_MAX

BEGUN_FILE = "first-run.language"
FOUNDER_COOKIE = "wildgrass_founder"
FOUNDER_SECONDS = 86_400
COMMON_CURRENCIES = ("CNY", "EUR", "USD", "GBP", "JPY", "HKD", "TWD", "INR", "BRL", "ZAR")

LOOK_SECONDS = 10.0  # a page that shows a recovery comes back every two seconds
_TOKEN_BYTES = 32


@dataclass(slots=True)
class Founder:
    """What the person who founds is known by until the first run is over: the printed link, then the browser."""

    link_token: str = field(default_factory=lambda: to_base32(secrets.token_bytes(_TOKEN_BYTES)))
    browser_mark: str = field(default_factory=lambda: to_base32(secrets.token_bytes(_TOKEN_BYTES)))
    is_over: bool = False

    def has_link(self, token: str) -> bool:
        """Whether this is the token of the printed link, which still holds."""
        return not self.is_over and _is_equal(token, self.link_token)

    def has_mark(self, mark: str) -> bool:
        """Whether this browser founded the community, and is still setting it up."""
        return not self.is_over and _is_equal(mark, self.browser_mark)


@asynccontextmanager
async def founding_pages(
    settings: Settings,
    listening: Listening,
    *,
    announce: Callable[[str, Listening], None],
    stopping: asyncio.Event,
) -> AsyncIterator[Founder | None]:
    """Serve the first pages until somebody has founded a community; yield None where the node was stopped first.

    `announce` is told the link and the socket, which stays open: who asks while the node itself starts, waits.
    Inside the block connections from before are still answered; leave it when the node answers new ones.
    """
    pages = FoundingPages(settings, listening)
    await pages.server.start()
    try:
        home = settings.public_url or f"http://{reachable_address(listening.bound)}"
        announce(f"{home}/welcome/{pages.founder.link_token}", listening)
        ends = [asyncio.ensure_future(event.wait()) for event in (pages.founded, stopping)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        yield pages.founder if pages.founded.is_set() else None
    finally:
        await pages.recovery.stop()
        await pages.server.stop()


def read_begun(folder: Path) -> str | None:
    """Return the language in which a community was founded in the pages, until its first run has begun."""
    try:
        language = (folder / BEGUN_FILE).read_text("utf-8")
    except FileNotFoundError:
        return None
    return language if language in LANGUAGES else ENGLISH


def forget_begun(folder: Path) -> None:
    """The first run has begun, and is in the store from now on."""
    (folder / BEGUN_FILE).unlink(missing_ok=True)


class FoundingPages:
    """The first pages, and the event that says that a community exists."""

    def __init__(self, settings: Settings, listening: Listening) -> None:
        """Take the settings and the node's socket, of which the server gets a duplicate; the tokens are new."""
        self.founder = Founder()
        self.founded = asyncio.Event()
        self._settings = settings
        self._rendering = Rendering()
        self._one_at_a_time = asyncio.Lock()
        self._is_back = asyncio.Event()
        self.recovery = RecoveryRun(settings, self._came_back)
        self.server = HttpServer(self._app(), listening.socket.dup())

    def _app(self) -> web.Application:
        """Return the application that serves them."""
        gate = Gate(
            api_token=secrets.token_hex(), may_read=_nobody, is_open=lambda: self._settings.open_to_internet
        )
        checks = {"founded": lambda: NodeError("vault_missing")}
        app = build_app(
            (),
            None,
            gate=gate,
            plain=health_routes(checks=checks, metrics=Metrics(version=VERSION)),
            default_language=self._settings.language or ENGLISH,
            request_bytes_max=self._settings.request_bytes_max,
        )
        add = app.router.add_route
        add("GET", "/static/{mark}/{name}", self._static)
        add("GET", "/welcome/{token}", self._handler(self._show_languages))
        add("GET", "/welcome/{token}/language/{language}", self._handler(self._choose_language))
        add("GET", "/welcome/{token}/community", self._handler(self._show_community))
        add("POST", "/welcome/{token}/community", self._handler(self._found))
        add("GET", "/welcome/{token}/recovery", self._handler(self._show_recovery))
        add("POST", "/welcome/{token}/recovery", self._handler(self._recover))
        add("*", "/{anywhere:.*}", self._stranger)
        return app

    def _handler(
        self, show: Callable[[web.Request], Awaitable[Answer]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            if self.founded.is_set() or not self.founder.has_link(request.match_info["token"]):
                return await self._stranger(request)
            try:
                return self._respond(request, await show(request))
            except REFUSALS as error:
                said = report(error, language=self._language(request))
                return self._respond(request, Page("founding_refused.html", {"said": said}, said.status))

        return handle

    async def _show_languages(self, _request: web.Request) -> Page:
        return Page("founding_language.html", {"language_base": self._language_base})

    async def _choose_language(self, request: web.Request) -> GoTo:
        language = request.match_info["language"]
        if language not in LANGUAGES:
            raise NodeError("not_found", language[:20])
        cookie = (LANGUAGE_COOKIE, language, LANGUAGE_SECONDS)
        page = "community" if read_marker(self._settings.folder) is None else "recovery"
        return GoTo(f"/welcome/{self.founder.link_token}/{page}", (cookie,))

    async def _show_community(self, request: web.Request) -> Page | GoTo:
        """Ask for name and currency; where a community is half brought back, lead to the page that goes on."""
        if read_marker(self._settings.folder) is not None:
            return GoTo(f"/welcome/{self.founder.link_token}/recovery")
        return self._community_page(request, Form({}, {}), {})

    async def _show_recovery(self, request: web.Request) -> Page | GoTo:
        """Show how far it is; when the community is back, the browser that asks goes on to the node itself."""
        if not self._is_back.is_set():
            return self.recovery.page(Form({}, {}), {}, self._language(request))
        await self._open_node()
        return GoTo("/welcome", ((FOUNDER_COOKIE, self.founder.browser_mark, FOUNDER_SECONDS),))

    async def _recover(self, request: web.Request) -> Page:
        """Bring a community back instead of founding one."""
        _check_origin(request)
        return posted(self.recovery, await read_form(request), self._language(request))

    async def _came_back(self) -> None:
        """The community is in the folder: start the node at the browser's next look, or without one after a while."""
        self._is_back.set()
        await asyncio.sleep(LOOK_SECONDS)
        await self._open_node()

    async def _open_node(self) -> None:
        """From here on the next connection is the node's."""
        if not self.founded.is_set():
            await self.server.close_door()
            self.founded.set()

    async def _found(self, request: web.Request) -> Page | GoTo:
        """Found, and send the browser on to the node itself; a second click finds it done."""
        _check_origin(request)
        form = await read_form(request)
        if self.recovery.is_running:
            raise NodeError("recovering")
        try:
            async with self._one_at_a_time:
                if read_marker(self._settings.folder) is not None:
                    raise NodeError("recovery_unfinished", str(self._settings.folder))
                if not has_vault(self._settings.folder):
                    await self._found_community(form, self._language(request))
                    await self._open_node()  # before the answer
        except FormRefused as refused:
            return self._community_page(request, form, refused.faults)
        return GoTo("/welcome", ((FOUNDER_COOKIE, self.founder.browser_mark, FOUNDER_SECONDS),))

    async def _found_community(self, form: Form, language: str) -> None:
        name = form.words("name", characters_max=TITLE_CHARACTERS_MAX)
        if not name:
            form.refuse(first_field("name", language), _("Give the community a name."))
        currency = form.choice("currency", CURRENCY_EXPONENTS)
        form.check()
        folder = self._settings.folder

        def keep_kit(kit: Kit) -> None:
            write_private(folder / KIT_FILE, kit_text(kit, language).encode())
            write_private(folder / BEGUN_FILE, language.encode())

        await asyncio.to_thread(
            found_community,
            folder,
            name=name,
            currency=currency,
            words_language=language,
            now_ms=system_clock(),
            keep_kit=keep_kit,
        )

    def _community_page(self, request: web.Request, form: Form, faults: dict[str, str]) -> Page:
        language = self._language(request)
        values = {
            "form": form,
            "faults": faults,
            "language_base": self._language_base,
            "currency": form["currency"] or ("CNY" if language == CHINESE else "EUR"),
            "common": named_currencies(COMMON_CURRENCIES, language),
            "currencies": sorted(
                named_currencies(tuple(CURRENCY_EXPONENTS), language), key=lambda pair: pair[0]
            ),
            "policy": DEFAULT_POLICY,
            "characters_max": TITLE_CHARACTERS_MAX,
        }
        return Page("founding_community.html", values, 422 if faults else 200)

    async def _stranger(self, request: web.Request) -> web.StreamResponse:
        """Whoever has not the link is told where it is; on a connection from before, to ask the node itself."""
        if self.founded.is_set():
            again = {hdrs.LOCATION: request.raw_path}
            return self._respond(
                request, web.Response(status=web.HTTPTemporaryRedirect.status_code, headers=again)
            )
        return self._respond(request, Page("founding_stranger.html", status=403))

    def _respond(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        values = {"here": request.path_qs, "community": None, "language_base": None, "step": None}
        response = make_response(
            self._rendering, request, answer, language=self._language(request), values=values
        )
        response.force_close()  # the next request belongs to the node itself
        return response

    @property
    def _language_base(self) -> str:
        return f"/welcome/{self.founder.link_token}/language/"

    async def _static(self, request: web.Request) -> web.StreamResponse:
        response = static_answer(self._rendering, request)
        response.force_close()
        return response

    def _language(self, request: web.Request) -> str:
        return language_of_request(request, self._settings.language or ENGLISH)


def named_currencies(codes: tuple[str, ...], language: str) -> list[tuple[str, str]]:
    """Return currencies with their names in a language."""
    return [(code, f"{code} · {get_currency_name(code, locale=locale_of(language))}") for code in codes]


def _check_origin(request: web.Request) -> None:
    origin = request.headers.get(hdrs.ORIGIN)
    if origin not in (None, "null") and urlsplit(origin).netloc != request.host:
        raise NodeError("form_foreign")


def _is_equal(given: str, known: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "surrogatepass"), known.encode())


async def _nobody(_token: str, _community: bytes, _lane: str) -> bool:
    return False
