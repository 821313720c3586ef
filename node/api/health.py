"""Whether the node lives, whether it can do its work, its figures, and the document of the API itself.

health_routes(checks={"writing": lambda: writer.refuses_because}, metrics=metrics)
"""

from collections.abc import Callable, Mapping

from aiohttp import hdrs, web

from node.api.frame import PlainRoute
from node.errors import NodeError, report
from node.locale import ENGLISH, pick_language
from node.operations.metrics import CONTENT_TYPE, Metrics
from storage.errors import StorageError

Check = Callable[[], NodeError | StorageError | None]

_JSON = "application/json"


def health_routes(*, checks: Mapping[str, Check], metrics: Metrics) -> list[PlainRoute]:
    """Return /healthz, /readyz and /metrics; a check answers None where all is well."""

    async def is_alive(request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "ok"}, headers=_FRESH)

    async def is_ready(request: web.Request) -> web.StreamResponse:
        language = pick_language(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""), ENGLISH)
        refusals = {name: refusal for name, check in checks.items() if (refusal := check()) is not None}
        told = {name: report(refusal, language=language).as_json() for name, refusal in refusals.items()}
        body = {"ready": not told, "checks": {name: told.get(name) for name in checks}}
        return web.json_response(body, status=503 if told else 200, headers=_FRESH)

    async def figures(request: web.Request) -> web.StreamResponse:
        return web.Response(body=metrics.text(), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE, **_FRESH})

    return [
        PlainRoute(
            method="GET",
            path="/healthz",
            handler=is_alive,
            summary="200 while the process answers at all.",
            content_type=_JSON,
        ),
        PlainRoute(
            method="GET",
            path="/readyz",
            handler=is_ready,
            summary="200 when the node reads and writes; 503 with the causes otherwise.",
            content_type=_JSON,
        ),
        PlainRoute(
            method="GET",
            path="/metrics",
            handler=figures,
            summary="Figures for Prometheus; give it api.token as credentials_file.",
            content_type="text/plain",
            access="admin",
        ),
    ]


_FRESH = {hdrs.CACHE_CONTROL: "no-store"}
