"""The OpenAPI 3.1 document, made from the routes' own types; nobody writes it by hand.

openapi_document(routes, plain, version="0.1.0")["paths"]["/api/v1/shops"]["post"]
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import msgspec
from aiohttp import web

from node.api.frame import PlainRoute
from node.api.route import PREFIX, Route

_FIELD = re.compile(r"\{(\w+)(?::(?:[^{}]|\{[^{}]*\})*)?\}")
_SCHEMAS = "#/components/schemas/"
_BEARER: list[dict[str, list[str]]] = [{"bearer": []}]


class RefusalBody(msgspec.Struct, frozen=True):
    """What every refusal says: a stable code, the cause, its particulars, and what to do."""

    code: str
    sentence: str
    detail: str
    next_step: str


class Refusal(msgspec.Struct, frozen=True):
    """The body of every answer that is no success."""

    error: RefusalBody


def openapi_document(routes: Sequence[Route], plain: Iterable[PlainRoute], *, version: str) -> dict[str, Any]:
    """Return the document of all routes as a plain value."""
    types = [Refusal, *(kind for route in routes for kind in (route.request, route.answer))]
    references, schemas = msgspec.json.schema_components(types, ref_template=_SCHEMAS + "{name}")
    pairs = list(zip(references[1::2], references[2::2], strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route, (asked, answered) in zip(routes, pairs, strict=True):
        operation = _operation(route, _resolved(asked, schemas), answered)
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = operation
    for other in plain:
        paths.setdefault(_template(other.path), {})[other.method.lower()] = _plain_operation(other)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Wildgrass", "version": version, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def document_route(routes: Sequence[Route], plain: Sequence[PlainRoute], *, version: str) -> PlainRoute:
    """Return the route that serves the document of all routes, this one included; it is made when first asked."""

    @cache
    def encoded() -> bytes:
        return msgspec.json.encode(openapi_document(routes, [*plain, route], version=version))

    async def serve(request: web.Request) -> web.StreamResponse:
        return web.Response(body=encoded(), content_type="application/json")

    route = PlainRoute(
        method="GET",
        path=PREFIX + "/openapi.json",
        handler=serve,
        summary="This document.",
        content_type="application/json",
    )
    return route


def _operation(route: Route, asked: dict[str, Any], answered: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": _parameters(route, asked),
        "responses": {
            str(route.status): {"description": "Done.", "content": _json(answered)},
            "default": _refusal(),
        },
    }
    if route.upload is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {kind: {} for kind in route.upload.media_types},
        }
    elif route.has_body:
        operation["requestBody"] = {"required": True, "content": _json(_without(asked, route.path_fields))}
    if route.access != "public":
        operation["security"] = _BEARER
    return operation


def _parameters(route: Route, asked: dict[str, Any]) -> list[dict[str, Any]]:
    in_path = route.path_fields
    names = in_path if route.has_body else asked.get("properties", {})
    return [
        {
            "name": name,
            "in": "path" if name in in_path else "query",
            "required": name in in_path or name in asked.get("required", ()),
            "schema": asked["properties"][name],
        }
        for name in names
    ]


def _plain_operation(route: PlainRoute) -> dict[str, Any]:
    names = _FIELD.findall(route.path)
    operation: dict[str, Any] = {
        "summary": route.summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ],
        "responses": {
            "200": {"description": "Done.", "content": {route.content_type: {}}},
            "default": _refusal(),
        },
    }
    if route.access != "public":
        operation["security"] = _BEARER
    return operation


def _resolved(reference: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference's own schema, because parameters are written out one by one."""
    found: dict[str, Any] = schemas[reference["$ref"].removeprefix(_SCHEMAS)]
    return found


def _without(schema: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {
        **schema,
        "properties": {name: of for name, of in schema["properties"].items() if name not in names},
        "required": [name for name in schema.get("required", ()) if name not in names],
    }


def _template(path: str) -> str:
    """The path without the patterns of its fields."""
    return _FIELD.sub(r"{\1}", path)


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _refusal() -> dict[str, Any]:
    return {"description": "Refused: cause and next step.", "content": _json({"$ref": _SCHEMAS + "Refusal"})}
