"""One route of the API, and how an HTTP request becomes the request struct of its action.

    Route("POST", "/shops", publish_shop, ShopDraft, PublishedShop, access="admin", summary="Publish a shop.")

A GET or DELETE is read from path and query; a POST or PUT from path and a JSON body, or from a file that is the
body. Each field has one place, and every struct refuses unknown ones.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from aiohttp import web

from node.errors import NodeError

PREFIX = "/api/v1"
READ_SECONDS_MAX = 30
UPLOAD_SECONDS_MAX = 120

Access = Literal["public", "admin"]
Action = Callable[[Any, Any], Awaitable[msgspec.Struct]]

_BODY_METHODS = ("POST", "PUT", "PATCH")


@dataclass(frozen=True, slots=True)
class Upload:
    """A body that is a file: the bytes field of the request that takes it, its kinds and bounds.

    What is larger is refused with the code `too_large` before it is read. The header's kind is for the document:
    what a file is, its content says.
    """

    field: str
    media_types: tuple[str, ...]
    bytes_max: int
    too_large: str


@dataclass(frozen=True, slots=True)
class Route:
    """`path` is below `PREFIX`, with fields of the request in braces; `status` is that of success.

    `hidden` names fields, at any depth of the answer, that only the token of the node's folder shows. With
    `upload` the body is a file instead of JSON.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    action: Action
    request: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    access: Access
    summary: str
    status: int = 200
    hidden: frozenset[str] = frozenset()
    upload: Upload | None = None

    def __post_init__(self) -> None:
        """Path fields are text fields of the request, and the request refuses unknown fields."""
        assert self.request.__struct_config__.forbid_unknown_fields, self.request
        known = {field.name: field.type for field in msgspec.structs.fields(self.request)}
        for name in self.path_fields:
            assert _is_text(known[name]), f"{self.path}: {name} has to be text"

    @property
    def name(self) -> str:
        """The action's name, which is unique in the document."""
        return getattr(self.action, "__name__", repr(self.action))

    @property
    def path_fields(self) -> tuple[str, ...]:
        """The fields that stand in the path."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))

    @property
    def has_body(self) -> bool:
        """Whether the fields outside the path come as JSON."""
        return self.method in _BODY_METHODS

    @property
    def list_fields(self) -> frozenset[str]:
        """The fields that a query may give several times."""
        return frozenset(field.name for field in msgspec.structs.fields(self.request) if _is_list(field.type))


class RequestReader:
    """Reads the requests of one route; what its types say is looked up once."""

    def __init__(self, route: Route) -> None:
        """Take the route."""
        self._route = route
        self._list_fields = route.list_fields

    async def read(self, request: web.Request) -> msgspec.Struct:
        """Return the request struct, or raise `NodeError` with what is wrong with which field."""
        route = self._route
        given = await self._given(request)
        for name, value in request.match_info.items():
            if name in given:
                raise NodeError("request_field_refused", f"{name} stands in the path already")
            given[name] = value
        try:
            return msgspec.convert(given, route.request, strict=route.has_body)
        except msgspec.ValidationError as error:
            raise NodeError("request_field_refused", str(error)) from error

    async def _given(self, request: web.Request) -> dict[str, Any]:
        route = self._route
        if route.upload is not None:
            return {route.upload.field: await _read_upload(request, route.upload)}
        return await _read_body(request) if route.has_body else _read_query(request, self._list_fields)


def encode_answer(answer: msgspec.Struct, hidden: frozenset[str] = frozenset()) -> bytes:
    """Return the JSON bytes of an answer, without the fields of `hidden`."""
    if not hidden:
        return _encoder.encode(answer)
    return _encoder.encode(_without(msgspec.to_builtins(answer), hidden))


_encoder = msgspec.json.Encoder()


def _without(value: Any, hidden: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(item, hidden) for name, item in value.items() if name not in hidden}
    return [_without(item, hidden) for item in value] if isinstance(value, list) else value


async def _read_upload(request: web.Request, upload: Upload) -> bytes:
    """Read a file in pieces, no further than it may be long."""
    if request.query_string:
        raise NodeError("request_field_refused", "this method takes no query, only a file")
    if (request.content_length or 0) > upload.bytes_max:
        raise NodeError(upload.too_large, f"{request.content_length} bytes, at most {upload.bytes_max}")
    content = bytearray()
    try:
        async with asyncio.timeout(UPLOAD_SECONDS_MAX):
            async for piece in request.content.iter_any():
                content += piece
                if len(content) > upload.bytes_max:
                    raise NodeError(upload.too_large, f"at most {upload.bytes_max} bytes")
    except TimeoutError as error:
        raise NodeError("request_too_slow", f"{UPLOAD_SECONDS_MAX} s") from error
    return bytes(content)


async def _read_body(request: web.Request) -> dict[str, Any]:
    if request.query_string:
        raise NodeError("request_field_refused", "this method takes no query, only a JSON body")
    try:
        async with asyncio.timeout(READ_SECONDS_MAX):
            raw = await request.read()
    except TimeoutError as error:
        raise NodeError("request_too_slow", f"{READ_SECONDS_MAX} s") from error
    if not raw:
        return {}
    if request.content_type != "application/json":
        raise NodeError("request_malformed", f"Content-Type is {request.content_type[:80]}")
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NodeError("request_malformed", str(error)) from error
    if not isinstance(body, dict):
        raise NodeError("request_malformed", "the body is no JSON object")
    return body


def _read_query(request: web.Request, list_fields: frozenset[str]) -> dict[str, Any]:
    if request.can_read_body:
        raise NodeError("request_malformed", "this method takes no body")
    given: dict[str, Any] = {}
    for name in request.query:
        values = request.query.getall(name)
        if name in list_fields:
            given[name] = values
        elif len(values) == 1:
            given[name] = values[0]
        else:
            raise NodeError("request_field_refused", f"{name[:60]} is given {len(values)} times")
    return given


def _is_text(annotation: Any) -> bool:
    info = msgspec.inspect.type_info(annotation)
    if isinstance(info, msgspec.inspect.Metadata):  # a description around the type
        info = info.type
    return isinstance(info, msgspec.inspect.StrType | msgspec.inspect.LiteralType)


def _is_list(annotation: Any) -> bool:
    kinds = msgspec.inspect.ListType | msgspec.inspect.VarTupleType
    info = _plain_type(annotation)
    options = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    return any(isinstance(option, kinds) for option in options)


def _plain_type(annotation: Any) -> msgspec.inspect.Type:
    """The type without descriptions and examples around it."""
    info = msgspec.inspect.type_info(annotation)
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    return info
