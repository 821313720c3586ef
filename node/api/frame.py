"""What every answer over HTTP goes through: who may ask, how much at once, and how a refusal is told.

    app = build_app(routes, node, gate=Gate(...), plain=[...])

Order of the middlewares, outermost first: refusals into JSON with a request id, the private network, the
bound on requests in work. A token is compared in constant time and never logged.
"""

import hmac
import ipaddress
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from node.api.route import PREFIX, Access, RequestReader, Route, encode_answer
from node.errors import REFUSALS, NodeError, Report, report
from node.locale import ENGLISH, pick_language
from protocol.identity.keys import to_base32

log = logging.getLogger("wildgrass.http")

REQUEST_ID_HEADER = "X-Request-Id"
RETRY_AFTER_SECONDS = 1

_REQUEST_ID_BYTES = 10
_PRIVATE = [
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "100.64.0.0/10",
        "::1/128",
        "fe80::/10",
        "fc00::/7",
    )
]
_HTTP_CODES = {404: "not_found", 405: "method_refused", 413: "request_too_large"}

Observer = Callable[[str, str, int, float], None]  # method, route, status, seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Who may ask for what. `may_read` judges an auditor's token for one lane of one community."""

    api_token: str
    may_read: Callable[[str, bytes, str], Awaitable[bool]]
    is_open: Callable[[], bool]
    requests_max: int = 256

    def is_admin(self, request: web.Request) -> bool:
        """Tell whether the request carries the token of the node's folder."""
        given = bearer_token(request)
        return given is not None and hmac.compare_digest(given.encode(), self.api_token.encode())

    def check(self, request: web.Request, access: Access) -> None:
        """Raise `unauthorised` or `forbidden` where the route asks for more than the request shows."""
        if access == "public" or self.is_admin(request):
            return
        raise NodeError("unauthorised" if bearer_token(request) is None else "forbidden")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainRoute:
    """A route outside the JSON API: its handler reads and answers by itself. `path` is the whole path."""

    method: str
    path: str
    handler: Handler
    summary: str
    content_type: str
    access: Access = "public"


def build_app(
    routes: Sequence[Route],
    node: Any,
    *,
    gate: Gate,
    plain: Iterable[PlainRoute] = (),
    default_language: str = ENGLISH,
    request_bytes_max: int = 2 * 1_048_576,
    observe: Observer = lambda _method, _route, _status, _seconds: None,
) -> web.Application:
    """Return the application with all routes; pages may be added to its router afterwards."""
    middlewares: list[Middleware] = [
        refusal_middleware(default_language, observe),
        network_middleware(gate),
        bound_middleware(gate.requests_max),
    ]
    app = web.Application(middlewares=middlewares, client_max_size=request_bytes_max)
    for route in routes:
        _add(app, route.method, PREFIX + route.path, _handler(route, node, gate))
    for other in plain:
        _add(app, other.method, other.path, _guarded(other, gate))
    return app


def bearer_token(request: web.Request) -> str | None:
    """Return the token of the Authorization header, or None; it is accepted in no other place."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def refusal_middleware(default_language: str, observe: Observer) -> Middleware:
    """Give every request an id, turn refusals into JSON, and let nothing of a bug of ours out."""

    @web.middleware
    async def tell(request: web.Request, handler: Handler) -> web.StreamResponse:
        request_id, started = to_base32(secrets.token_bytes(_REQUEST_ID_BYTES)), time.perf_counter()
        language = pick_language(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""), default_language)
        response: web.StreamResponse
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = error if error.status not in _HTTP_CODES else _refusal_of_http(error, language)
        except REFUSALS as error:
            response = refusal_response(report(error, language=language), language)
        except Exception:  # the outermost loop of a request: whatever it was, the next one is served
            log.exception("request %s failed: %s %s", request_id, request.method, _route_name(request))
            response = refusal_response(
                report(NodeError("internal", request_id), language=language), language
            )
        if not response.prepared:
            response.headers.setdefault("X-Content-Type-Options", "nosniff")
            response.headers[REQUEST_ID_HEADER] = request_id
        observe(request.method, _route_name(request), response.status, time.perf_counter() - started)
        return response

    return tell


def network_middleware(gate: Gate) -> Middleware:
    """Answer this machine and private networks only, until the steward opens the node."""

    @web.middleware
    async def check_network(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_near = is_private_address(request.remote) or _is_this_machine(request)
        if not is_near and not gate.is_open():
            raise NodeError("address_private")
        return await handler(request)

    return check_network


def bound_middleware(requests_max: int) -> Middleware:
    """Work on a bounded number of requests; send the rest away with an honest 429."""
    working = 0

    @web.middleware
    async def bound(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal working
        if working >= requests_max:
            raise NodeError("inbox_full", f"{requests_max}")
        working += 1
        try:
            return await handler(request)
        finally:
            working -= 1

    return bound


def refusal_response(said: Report, language: str) -> web.Response:
    """Return {"error": {...}} with its status."""
    response = web.json_response({"error": said.as_json()}, status=said.status)
    response.headers[hdrs.CONTENT_LANGUAGE] = language
    response.headers[hdrs.CACHE_CONTROL] = "no-store"
    if said.status == web.HTTPTooManyRequests.status_code:
        response.headers[hdrs.RETRY_AFTER] = str(RETRY_AFTER_SECONDS)
    if said.status == web.HTTPUnauthorized.status_code:
        response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    return response


@lru_cache(maxsize=1_024)  # a browser asks many times
def is_private_address(remote: str | None) -> bool:
    """Tell whether a request comes from this machine or a private network; None is a local socket."""
    if remote is None:
        return True
    try:
        address = ipaddress.ip_address(remote.split("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in _PRIVATE)


def _is_this_machine(request: web.Request) -> bool:
    """Both ends of the connection have one address: the steward opens the page on the node itself."""
    here = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return isinstance(here, tuple) and here[0] == request.remote


def _add(app: web.Application, method: str, path: str, handler: Handler) -> None:
    """Whatever answers GET answers HEAD, as HTTP wants it."""
    if method == hdrs.METH_GET:
        app.router.add_get(path, handler)
    else:
        app.router.add_route(method, path, handler)


def _handler(route: Route, node: Any, gate: Gate) -> Handler:
    reader = RequestReader(route)

    async def handle(request: web.Request) -> web.StreamResponse:
        gate.check(request, route.access)
        answer = await route.action(node, await reader.read(request))
        hidden = frozenset() if gate.is_admin(request) else route.hidden
        body = encode_answer(answer, hidden)
        response = web.Response(body=body, status=route.status, content_type="application/json")
        response.headers[hdrs.CACHE_CONTROL] = "no-store"
        return response

    return handle


def _guarded(route: PlainRoute, gate: Gate) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        gate.check(request, route.access)
        return await route.handler(request)

    return handle


def _refusal_of_http(error: web.HTTPException, language: str) -> web.Response:
    response = refusal_response(report(NodeError(_HTTP_CODES[error.status]), language=language), language)
    if hdrs.ALLOW in error.headers:
        response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
    return response


def _route_name(request: web.Request) -> str:
    """The pattern, never the path: ids and tokens do not belong in metrics and logs."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"
