"""Lanes as static files would hold them: checkpoints, tiles, entry bundles, statements (PROTOCOL.md section 21).

Public lanes are for anyone; a `peers` lane is for whom an auditor's token admits, in the Authorization header
only. A tile never changes, so it may be cached for ever; a checkpoint is asked for again each time.

    tile_routes(reader, gate)  # plain routes for build_app
"""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Literal, NamedTuple, Protocol

from aiohttp import hdrs, web

from node.api.frame import Gate, PlainRoute, bearer_token
from node.errors import NodeError
from protocol.audit.bundle import format_statements_index
from protocol.errors import IdentityError, LogError
from protocol.identity.keys import HASH_BYTES, from_base32, to_base32
from protocol.limits import EPOCH_MAX
from protocol.log.origin import Origin, parse_origin
from protocol.log.tiles import TileAddress, parse_tile_path

Visibility = Literal["public", "peers"]

TEXT = "text/plain"
OCTETS = "application/octet-stream"
IMMUTABLE = "max-age=31536000, immutable"

_ETAG_CHARACTERS = 32
_EPOCH = re.compile(r"0|[1-9][0-9]{0,9}")
_LANE_PATH = "/lanes/{community:[a-z2-7]{52}}/{epoch:[0-9]{1,10}}/{lane:[a-z]+(?:/[a-z]+)?}"


class LaneSize(NamedTuple):
    """A lane whose newest signed head covers `size` entries."""

    origin: Origin
    size: int
    visibility: Visibility


class LaneReader(Protocol):
    """What is served, no further than the newest signed head of each lane; None is what is not here."""

    async def lanes(self) -> Sequence[LaneSize]:
        """All lanes that are kept, of any community."""

    async def visibility(self, community: bytes, lane: str) -> Visibility | None:
        """What the community's charter says of a lane."""

    async def checkpoint(self, origin: Origin) -> bytes | None:
        """The newest signed head, as a note."""

    async def tile(self, origin: Origin, address: TileAddress) -> bytes | None:
        """A hash tile, or an entry bundle where the level is None, of a width that the head covers."""

    async def successor(self, community: bytes, epoch: int) -> bytes | None:
        """The note that closes an epoch."""

    async def statements(self, community: bytes) -> Mapping[bytes, bytes]:
        """The statements about a community by their SHA-256."""


def tile_routes(reader: LaneReader, gate: Gate) -> list[PlainRoute]:
    """Return the routes below /lanes."""
    served = _Lanes(reader, gate)
    return [
        PlainRoute(
            method="GET",
            path="/lanes/index",
            handler=served.index,
            summary="All lanes that this node keeps and the asker may read, with their sizes.",
            content_type=TEXT,
        ),
        PlainRoute(
            method="GET",
            path="/lanes/{community:[a-z2-7]{52}}/successor/{epoch:[0-9]{1,10}}",
            handler=served.successor,
            summary="The successor note that closes an epoch.",
            content_type=TEXT,
        ),
        PlainRoute(
            method="GET",
            path="/lanes/{community:[a-z2-7]{52}}/statements/index",
            handler=served.statements,
            summary="The digests of the fork proofs and successor notes about a community.",
            content_type=TEXT,
        ),
        PlainRoute(
            method="GET",
            path="/lanes/{community:[a-z2-7]{52}}/statements/{digest:[0-9a-f]{64}}",
            handler=served.statement,
            summary="A fork proof or a successor note, by its SHA-256.",
            content_type=TEXT,
        ),
        PlainRoute(
            method="GET",
            path=_LANE_PATH + "/checkpoint",
            handler=served.checkpoint,
            summary="The newest signed head of a lane.",
            content_type=TEXT,
        ),
        PlainRoute(
            method="GET",
            path=_LANE_PATH + "/{tile:tile/.+}",
            handler=served.tile,
            summary="A hash tile or an entry bundle of a lane, by its tlog-tiles path.",
            content_type=OCTETS,
        ),
    ]


class _Lanes:
    """The handlers."""

    def __init__(self, reader: LaneReader, gate: Gate) -> None:
        self._reader = reader
        self._gate = gate

    async def index(self, request: web.Request) -> web.StreamResponse:
        lines = [
            f"{to_base32(lane.origin.community)}/{lane.origin.epoch}/{lane.origin.lane} {lane.size}\n"
            for lane in await self._reader.lanes()
            if lane.visibility == "public" or await self._may_read(request, lane.origin)
        ]
        text = "".join(sorted(lines)).encode("ascii")
        return _answer(request, text, content_type=TEXT, cache="no-cache", is_public=False)

    async def successor(self, request: web.Request) -> web.StreamResponse:
        community, epoch = _community(request), _epoch(request)
        note = _found(await self._reader.successor(community, epoch))
        return _answer(request, note, content_type=TEXT, cache="no-cache", is_public=True)

    async def statements(self, request: web.Request) -> web.StreamResponse:
        index = format_statements_index(await self._reader.statements(_community(request)))
        return _answer(request, index, content_type=TEXT, cache="no-cache", is_public=True)

    async def statement(self, request: web.Request) -> web.StreamResponse:
        known = await self._reader.statements(_community(request))
        text = _found(known.get(bytes.fromhex(request.match_info["digest"])))
        return _answer(request, text, content_type=TEXT, cache=IMMUTABLE, is_public=True)

    async def checkpoint(self, request: web.Request) -> web.StreamResponse:
        origin, is_public = await self._open_lane(request)
        note = _found(await self._reader.checkpoint(origin))
        return _answer(request, note, content_type=TEXT, cache="no-cache", is_public=is_public)

    async def tile(self, request: web.Request) -> web.StreamResponse:
        address = _address(request)
        origin, is_public = await self._open_lane(request)
        content = _found(await self._reader.tile(origin, address))
        return _answer(request, content, content_type=OCTETS, cache=IMMUTABLE, is_public=is_public)

    async def _open_lane(self, request: web.Request) -> tuple[Origin, bool]:
        """Return the lane that the path names and whether it is public, or refuse."""
        _epoch(request)
        fields = request.match_info
        try:
            origin = parse_origin(f"wildgrass/v1/{fields['community']}/{fields['epoch']}/{fields['lane']}")
        except (LogError, IdentityError) as error:
            raise NodeError("not_found", request.path[:200]) from error
        visibility = await self._reader.visibility(origin.community, origin.lane)
        if visibility is None:
            raise NodeError("not_found", origin.text)
        if visibility != "public" and not await self._may_read(request, origin):
            raise NodeError("unauthorised" if bearer_token(request) is None else "forbidden", origin.lane)
        return origin, visibility == "public"

    async def _may_read(self, request: web.Request, origin: Origin) -> bool:
        token = bearer_token(request)
        if token is None:
            return False
        return self._gate.is_admin(request) or await self._gate.may_read(token, origin.community, origin.lane)


def _community(request: web.Request) -> bytes:
    try:
        return from_base32(request.match_info["community"], HASH_BYTES)
    except IdentityError as error:
        raise NodeError("not_found", "no such community") from error


def _epoch(request: web.Request) -> int:
    text = request.match_info["epoch"]
    if _EPOCH.fullmatch(text) is None or int(text) > EPOCH_MAX:
        raise NodeError("not_found", f"no epoch {text}")
    return int(text)


def _address(request: web.Request) -> TileAddress:
    try:
        return parse_tile_path(request.match_info["tile"])
    except LogError as error:
        raise NodeError("not_found", error.detail) from error


def _found(content: bytes | None) -> bytes:
    if content is None:
        raise NodeError("not_found")
    return content


def _answer(
    request: web.Request, content: bytes, *, content_type: str, cache: str, is_public: bool
) -> web.StreamResponse:
    """Return the content, or 304 where the asker has it; only what is public may be cached by others."""
    etag = sha256(content).hexdigest()[:_ETAG_CHARACTERS]
    asked = request.if_none_match
    has_it = asked is not None and any(tag.value in (etag, "*") for tag in asked)
    response = web.Response(status=304) if has_it else web.Response(body=content, content_type=content_type)
    if content_type == TEXT and not has_it:
        response.charset = "utf-8"
    response.etag = etag
    response.headers[hdrs.CACHE_CONTROL] = f"{'public' if is_public else 'private'}, {cache}"
    response.headers[hdrs.VARY] = hdrs.AUTHORIZATION
    if is_public:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    return response
